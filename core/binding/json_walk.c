/* Converts what lua-cjson decoded into palenca.json's values; in Lua, it would take longer than all
 * of lua-cjson's work. */
#include "compat.h"
#include "core.h"

/* The stack index at which core.plain has it. */
#define LIST_METATABLE 2

/* lua-cjson's null. */
static bool is_null(lua_State *L, int index) {
  return lua_islightuserdata(L, index) && lua_touserdata(L, index) == NULL;
}

static bool is_empty(lua_State *L, int table) {
  lua_pushnil(L);
  if (lua_next(L, table) == 0) {
    return true;
  }
  lua_pop(L, 2);
  return false;
}

/* The table is at the top. Fields that are there already may be changed during a walk. A list of
 * which nothing is left gets the metatable of lists. */
static void make_plain(lua_State *L) {
  int table = lua_gettop(L);
  bool had_items = false;
  luaL_checkstack(L, 4, "nested too deeply");
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_settop(L, table + 1)) {
    if (lua_istable(L, -1)) {
      make_plain(L);
      continue;
    }
    if (is_null(L, -1)) {
      had_items = had_items || lua_type(L, table + 1) == LUA_TNUMBER;
      lua_pushnil(L);
    } else if (!compat_push_integral(L, -1)) {
      continue;
    }
    lua_pushvalue(L, table + 1);
    lua_insert(L, -2);
    lua_rawset(L, table);
  }
  if (had_items && is_empty(L, table)) {
    lua_pushvalue(L, LIST_METATABLE);
    lua_setmetatable(L, table);
  }
}

/* core.plain(value, metatable) → the same value, where null is nil, integral numbers are
 * integers, if this Lua has them, and a list without items has the metatable; in place, for
 * tables of lua-cjson. It makes all numbers floats, and null a userdata that is true in a
 * condition. */
static int plain(lua_State *L) {
  luaL_checkany(L, 1);
  luaL_checktype(L, LIST_METATABLE, LUA_TTABLE);
  lua_settop(L, 2);
  lua_pushvalue(L, 1);
  if (lua_istable(L, -1)) {
    make_plain(L);
  } else if (is_null(L, -1)) {
    lua_pushnil(L);
  } else {
    compat_push_integral(L, -1);
  }
  return 1;
}

void core_open_plain(lua_State *L) {
  lua_pushcfunction(L, plain);
  lua_setfield(L, -2, "plain");
}
