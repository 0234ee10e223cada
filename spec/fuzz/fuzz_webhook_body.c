/* Fuzzes the reader of webhook bodies: what it accepts, the scripts' JSON decoder must read too,
 * and find the same action and account. */
#include "fuzz.h"
#include "webhook_body.h"

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

static const char *field_of(lua_State *L, const char *name) {
  lua_getfield(L, 4, name);
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  return strcmp(text, "None") == 0 ? "" : text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  webhook_fields fields;
  char reason[128] = "";
  memset(&fields, 'x', sizeof fields);
  bool ok = webhook_body_read((const char *)data, size, &fields, reason, sizeof reason);
  MUST(memchr(reason, '\0', sizeof reason) != NULL && ok == (reason[0] == '\0'));
  MUST(memchr(fields.action, '\0', sizeof fields.action) != NULL);
  MUST(memchr(fields.account_id, '\0', sizeof fields.account_id) != NULL);
  if (!ok)
    return 0;
  lua_State *L = decoder();
  decode(L, data, size);
  MUST(fields.action[0] != '\0' && strcmp(field_of(L, "webhook_action"), fields.action) == 0);
  MUST(strcmp(field_of(L, "account_id"), fields.account_id) == 0);
  lua_settop(L, 2);
  return 0;
}
