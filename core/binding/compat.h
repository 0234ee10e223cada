/* What the C interfaces of Lua 5.1 to 5.5 and LuaJIT do not share, in one place. LuaRocks compiles
 * with the headers of Lua 5.1 when it builds for LuaJIT; so nothing may come from LuaJIT's own. */
#ifndef PALENCA_BINDING_COMPAT_H
#define PALENCA_BINDING_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* Puts functions into the table at the top, as luaL_setfuncs does without upvalues. */
static inline void compat_set_functions(lua_State *L, const luaL_Reg *functions) {
  for (const luaL_Reg *function = functions; function->name; function++) {
    lua_pushcfunction(L, function->func);
    lua_setfield(L, -2, function->name);
  }
}

/* Pushes a float with an integral value as an integer; false if it is an integer already. */
static inline bool compat_push_integral(lua_State *L, int index) {
#if LUA_VERSION_NUM >= 503
  int is_integral = 0;
  if (lua_type(L, index) != LUA_TNUMBER || lua_isinteger(L, index)) {
    return false;
  }
  lua_Integer value = lua_tointegerx(L, index, &is_integral);
  if (is_integral) {
    lua_pushinteger(L, value);
  }
  return is_integral;
#else
  (void)L, (void)index;
  return false;
#endif
}

#if LUA_VERSION_NUM < 503
/* LuaJIT has it, Lua 5.1 has not. */
__attribute__((weak)) LUA_API int lua_isyieldable(lua_State *L);

static inline int compat_is_yieldable(lua_State *L) {
  return lua_isyieldable == NULL || lua_isyieldable(L);
}
#else
static inline int compat_is_yieldable(lua_State *L) {
  return lua_isyieldable(L);
}
#endif
/* Takes a table from the top and makes the userdata at `index`, which is not relative to the top,
 * keep it alive. */
static inline void compat_set_user_value(lua_State *L, int index) {
#if LUA_VERSION_NUM >= 502
  lua_setuservalue(L, index);
#else
  lua_setfenv(L, index);
#endif
}

/* As luaL_setmetatable. */
static inline void compat_set_metatable(lua_State *L, const char *type) {
  luaL_getmetatable(L, type);
  lua_setmetatable(L, -2);
}

#endif
