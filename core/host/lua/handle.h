/* Userdata that hold one pointer of C's: NULL until it is filled, and after it is closed. */
#ifndef PALENCA_HOST_LUA_HANDLE_H
#define PALENCA_HOST_LUA_HANDLE_H

#include "common/host_error.h"

#include <lauxlib.h>

#define LOOP_TYPE "palenca.loop"
#define STORE_TYPE "palenca.store"

/* Pushes nil and the message; for `return`. */
static inline int push_error(lua_State *L, const host_error *error) {
  lua_pushnil(L);
  lua_pushstring(L, error->message);
  return 2;
}

static inline void **new_handle(lua_State *L, const char *type) {
  void **handle = lua_newuserdatauv(L, sizeof(void *), 1);
  *handle = NULL;
  luaL_setmetatable(L, type);
  return handle;
}

static inline void *check_handle(lua_State *L, int index, const char *type) {
  void **handle = luaL_checkudata(L, index, type);
  if (*handle == NULL) {
    luaL_error(L, "%s is closed", type);
  }
  return *handle;
}

static inline void define_handle(lua_State *L, const char *type, const luaL_Reg *methods,
                                 lua_CFunction gc) {
  if (luaL_newmetatable(L, type)) {
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
}

#endif
