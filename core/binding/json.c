/* JSON texts before they are decoded, and calls under a locale that is always the same one. */
#if defined(__APPLE__)
#include <xlocale.h>
#endif
#include "compat.h"
#include "core.h"

#include <locale.h>
#include <string.h>

#define LOCALE_TYPE "palenca.locale"
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

/* ---- the locale ------------------------------------------------------------------- */

static int locale_gc(lua_State *L) {
  locale_t *locale = luaL_checkudata(L, 1, LOCALE_TYPE);
  if (*locale != (locale_t)0) {
    freelocale(*locale);
  }
  *locale = (locale_t)0;
  return 0;
}

/* core.in_c_locale(f, …) → true, what it returns | false, what it raises: as pcall, but for this
 * thread the locale is C meanwhile. f cannot yield. */
static int in_c_locale(lua_State *L) {
  const locale_t *locale = lua_touserdata(L, lua_upvalueindex(1));
  luaL_checkany(L, 1);
  locale_t before = uselocale(*locale);
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  uselocale(before);
  luaL_checkstack(L, 1, "too many results");
  lua_pushboolean(L, status == 0);
  lua_insert(L, 1);
  return lua_gettop(L);
}

/* core.decimal_point() → that of the locale */
static int decimal_point(lua_State *L) {
  lua_pushstring(L, localeconv()->decimal_point);
  return 1;
}

/* Leaves the function on the stack. */
static void push_in_c_locale(lua_State *L) {
  locale_t *locale = lua_newuserdata(L, sizeof *locale);
  *locale = (locale_t)0;
  compat_set_metatable(L, LOCALE_TYPE);
  *locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (*locale == (locale_t)0) {
    luaL_error(L, "not enough memory");
  }
  lua_pushcclosure(L, in_c_locale, 1);
}

static void set_type(lua_State *L, const char *type, lua_CFunction gc) {
  if (luaL_newmetatable(L, type)) {
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
}

void core_open_json(lua_State *L) {
  set_type(L, BUFFER_TYPE, buffer_gc);
  set_type(L, LOCALE_TYPE, locale_gc);
  lua_pushcfunction(L, rewrite_json);
  lua_setfield(L, -2, "rewrite_json");
  lua_pushcfunction(L, decimal_point);
  lua_setfield(L, -2, "decimal_point");
  push_in_c_locale(L);
  lua_setfield(L, -2, "in_c_locale");
}
