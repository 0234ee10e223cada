/* Rewrites a JSON text for Lua before lua-cjson decodes it; see palenca_json_rewrite. */
#include "compat.h"
#include "core.h"

#include <string.h>

#define BUFFER_TYPE "palenca.json_buffer"

static int buffer_gc(lua_State *L) {
  palenca_buffer_free(luaL_checkudata(L, 1, BUFFER_TYPE));
  return 0;
}

/* core.rewrite_json(text, lenient) → a text that lua-cjson decodes without a loss, with [null] for
 * an empty list; `lenient`: in place of half of a surrogate pair, U+FFFD */
static int rewrite_json(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  unsigned changes =
      PALENCA_JSON_EMPTY_LISTS | (lua_toboolean(L, 2) ? PALENCA_JSON_LONE_SURROGATES : 0);
  if (palenca_json_rewrite(text, size, changes, NULL) == PALENCA_JSON_SAME) {
    lua_settop(L, 1);
    return 1;
  }
  palenca_buffer *out = lua_newuserdata(L, sizeof *out);
  memset(out, 0, sizeof *out);
  compat_set_metatable(L, BUFFER_TYPE);
  if (palenca_json_rewrite(text, size, changes, out) == PALENCA_JSON_NO_MEMORY) {
    return luaL_error(L, "not enough memory");
  }
  lua_pushlstring(L, out->data, out->size);
  palenca_buffer_free(out);
  return 1;
}

void core_open_json_rewrite(lua_State *L) {
  if (luaL_newmetatable(L, BUFFER_TYPE)) {
    lua_pushcfunction(L, buffer_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, rewrite_json);
  lua_setfield(L, -2, "rewrite_json");
}
