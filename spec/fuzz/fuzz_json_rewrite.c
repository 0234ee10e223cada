/* Fuzzes what is rewritten in a JSON text before it is decoded: the decoder must take just what it
 * took before, and find numbers that are exactly those of the text, and none that is infinite. */
#include "fuzz.h"
#include "palenca.h"

#include <lauxlib.h>
#include <lua.h>
#include <math.h>

int luaopen_cjson(lua_State *L);

static lua_State *decoder(void) {
  static lua_State *L;
  if (L == NULL) {
    L = luaL_newstate();
    MUST(L != NULL);
    luaL_requiref(L, "cjson", luaopen_cjson, 0);
    lua_getfield(L, -1, "decode_invalid_numbers");
    lua_pushboolean(L, 0);
    lua_call(L, 1, 0);
    lua_getfield(L, -1, "decode");
  }
  return L;
}

static void check_value(lua_State *L) {
  MUST(lua_checkstack(L, 4));
  if (lua_type(L, -1) == LUA_TNUMBER) {
    MUST(isfinite(lua_tonumber(L, -1)));
  } else if (lua_istable(L, -1)) {
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
      check_value(L);
    }
  }
}

/* Leaves the value on the stack, if there is one. */
static bool decode(lua_State *L, const char *text, size_t size) {
  lua_pushvalue(L, 2);
  lua_pushlstring(L, text, size);
  return lua_pcall(L, 1, 1, 0) == LUA_OK;
}

static void check_changes(lua_State *L, const char *text, size_t size, unsigned changes) {
  palenca_buffer out = {.limit = 0}, again = {.limit = 0};
  palenca_json_outcome outcome = palenca_json_rewrite(text, size, changes, &out);
  MUST(palenca_json_rewrite(text, size, changes, NULL) == outcome);
  MUST(outcome == PALENCA_JSON_SAME ? out.data == NULL : outcome == PALENCA_JSON_REWRITTEN);
  bool was_read = decode(L, text, size);
  bool is_read = outcome == PALENCA_JSON_SAME ? was_read : decode(L, out.data, out.size);
  if (is_read) {
    check_value(L);
  }
  MUST(is_read == was_read || (is_read && (changes & PALENCA_JSON_LONE_SURROGATES)));
  if (outcome == PALENCA_JSON_REWRITTEN) {
    MUST(palenca_json_rewrite(out.data, out.size, changes, &again) == PALENCA_JSON_SAME);
  }
  palenca_buffer_free(&out);
  lua_settop(L, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lua_State *L = decoder();
  char *text = fuzz_text(data, size);
  for (unsigned changes = 0; changes < 4; changes++) {
    check_changes(L, text, size, changes);
  }
  free(text);
  /* else libFuzzer takes garbage for a leak, and in the end looks for none any more */
  lua_gc(L, LUA_GCCOLLECT, 0);
  return 0;
}
