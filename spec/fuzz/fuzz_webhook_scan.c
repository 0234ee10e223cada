/* Fuzzes the scan of webhook bodies: what it accepts, the scripts' JSON decoder must read too, and
 * find the same fields. */
#include "fuzz.h"
#include "palenca.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int luaopen_cjson(lua_State *L);

static lua_State *decoder(void) {
  static lua_State *L;
  if (L == NULL) {
    L = luaL_newstate();
    MUST(L != NULL);
    luaL_requiref(L, "cjson", luaopen_cjson, 0);
    lua_getfield(L, -1, "decode");
  }
  return L;
}

/* Decodes a body; its `data` is left at the top. */
static void decode(lua_State *L, const uint8_t *body, size_t size) {
  lua_pushvalue(L, 2);
  lua_pushlstring(L, (const char *)body, size);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    abort();
  }
  MUST(lua_istable(L, -1));
  lua_getfield(L, -1, "data");
  MUST(lua_istable(L, -1));
}

static const char *const names[PALENCA_WEBHOOK_FIELDS] = {
    [PALENCA_WEBHOOK_ACTION] = "webhook_action",
    [PALENCA_WEBHOOK_ACCOUNT_ID] = "account_id",
    [PALENCA_WEBHOOK_USER_ID] = "user_id",
    [PALENCA_WEBHOOK_EXTERNAL_ID] = "external_id",
    [PALENCA_WEBHOOK_PLATFORM] = "platform",
    [PALENCA_WEBHOOK_STATUS_DETAILS] = "status_details",
    [PALENCA_WEBHOOK_WEBHOOK_ID] = "webhook_id",
};

static void check_field(lua_State *L, const palenca_webhook_text *field, const char *name) {
  size_t size = 0;
  lua_getfield(L, 4, name);
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &size) : "";
  if (size == 4 && memcmp(text, "None", 4) == 0) {
    size = 0;
  }
  MUST((field->text != NULL) == (size > 0));
  if (size == 0) {
    return;
  }
  char *decoded = malloc(field->decoded_size + 1);
  MUST(decoded != NULL && field->decoded_size == size);
  palenca_webhook_decode(field, decoded);
  MUST(memcmp(decoded, text, size) == 0 && decoded[size] == '\0');
  free(decoded);
}

static bool scan(const uint8_t *data, size_t size, palenca_webhook_text *fields) {
  palenca_error error = {.kind = PALENCA_OK, .message = ""};
  memset(fields, 'x', PALENCA_WEBHOOK_FIELDS * sizeof *fields);
  bool ok = palenca_webhook_scan((const char *)data, size, fields, &error);
  MUST(ok == (error.kind == PALENCA_OK) && ok == (error.message[0] == '\0'));
  for (int i = 0; i < PALENCA_WEBHOOK_FIELDS; i++) {
    MUST(ok || fields[i].text == NULL);
  }
  return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  palenca_webhook_text fields[PALENCA_WEBHOOK_FIELDS];
  if (!scan(data, size, fields)) {
    return 0;
  }
  lua_State *L = decoder();
  decode(L, data, size);
  MUST(fields[PALENCA_WEBHOOK_ACTION].text != NULL);
  for (int i = 0; i < PALENCA_WEBHOOK_FIELDS; i++) {
    check_field(L, &fields[i], names[i]);
  }
  lua_settop(L, 2);
  /* else libFuzzer takes garbage for a leak, and in the end looks for none any more */
  lua_gc(L, LUA_GCCOLLECT, 0);
  return 0;
}
