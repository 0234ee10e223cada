/* What differs between the C interfaces of Lua 5.4 and LuaJIT, in one place. */
#ifndef PALENCA_BINDING_COMPAT_H
#define PALENCA_BINDING_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

/* LuaJIT's headers have no luaL_newlib. */
static inline void compat_new_library(lua_State *L, const luaL_Reg *functions, int count) {
  lua_createtable(L, 0, count);
  luaL_setfuncs(L, functions, 0);
}

#endif
