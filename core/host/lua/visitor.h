/* Hands what the store finds in a file to a Lua function, one after the other. */
#ifndef PALENCA_HOST_LUA_VISITOR_H
#define PALENCA_HOST_LUA_VISITOR_H

#include "handle.h"

#include <stdbool.h>
#include <stdint.h>

/* Called inside the store's functions, so nothing here may raise: the work is done in a protected
 * call and an error ends the visits. The function to call is on the stack at `function`. */
typedef struct {
  lua_State *L;
  int function;
  bool failed;
} store_visitor;

/* Calls `push` with `what` and the function, to call it with what it pushes. Returns whether the
 * visits go on. */
static inline bool visit(store_visitor *visitor, lua_CFunction push, const void *what) {
  lua_State *L = visitor->L;
  lua_pushcfunction(L, push);
  lua_pushlightuserdata(L, (void *)(uintptr_t)what);
  lua_pushvalue(L, visitor->function);
  visitor->failed = lua_pcall(L, 2, 0, 0) != LUA_OK;
  return !visitor->failed;
}

/* Pushes true, or nil and the message; raises what the function has raised. For `return`. */
static inline int end_visits(lua_State *L, const store_visitor *visitor, bool ok,
                             const host_error *error) {
  if (visitor->failed) {
    return lua_error(L);
  }
  if (!ok) {
    return push_error(L, error);
  }
  lua_pushboolean(L, 1);
  return 1;
}

static inline void set_text(lua_State *L, const char *name, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

static inline void set_integer(lua_State *L, const char *name, int64_t value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

#endif
