/* Calls Lua functions under the C locale, whatever the process's is, and reads its decimal point.
 */
#if defined(__APPLE__)
#include <xlocale.h>
#endif
#include "compat.h"
#include "core.h"

#include <locale.h>

#define LOCALE_TYPE "palenca.locale"

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

void core_open_locale(lua_State *L) {
  if (luaL_newmetatable(L, LOCALE_TYPE)) {
    lua_pushcfunction(L, locale_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, decimal_point);
  lua_setfield(L, -2, "decimal_point");
  push_in_c_locale(L);
  lua_setfield(L, -2, "in_c_locale");
}
