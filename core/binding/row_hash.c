/* A hash for each row of a page, by which the pager sees that the API has sent rows again. */
#include "compat.h"
#include "core.h"

#include <string.h>

/* Two sums of 64 bits over the fields, whose order in a table is not the same each time. */
typedef struct {
  uint64_t sums[2];
} row_hash;

static const uint64_t factors[2] = {0x9e3779b97f4a7c15U, 0xc2b2ae3d27d4eb4fU};

static row_hash add_bytes(row_hash to, const void *bytes, size_t size) {
  const unsigned char *at = bytes;
  for (int half = 0; half < 2; half++) {
    uint64_t sum = (to.sums[half] ^ size) * factors[half];
    for (size_t i = 0; i < size; i++) {
      sum = ((sum ^ at[i]) * factors[half]) ^ (sum >> 29);
    }
    to.sums[half] = sum;
  }
  return to;
}

/* So that the bits of a field's sum depend on all of it, and the sums of fields on each. */
static uint64_t spread(uint64_t sum) {
  sum = (sum ^ (sum >> 30)) * 0xbf58476d1ce4e5b9U;
  sum = (sum ^ (sum >> 27)) * 0x94d049bb133111ebU;
  return sum ^ (sum >> 31);
}

static row_hash of_table(lua_State *L, int table);

/* With what is at the top: a key or a value. */
static row_hash add_value(lua_State *L, row_hash to) {
  int type = lua_type(L, -1);
  to = add_bytes(to, &type, sizeof type);
  if (type == LUA_TSTRING) {
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    return add_bytes(to, text, size);
  } else if (type == LUA_TNUMBER) {
    lua_Number number = lua_tonumber(L, -1);
    lua_Integer integer = lua_tointeger(L, -1); /* has digits that a float has not */
    return add_bytes(add_bytes(to, &number, sizeof number), &integer, sizeof integer);
  } else if (type == LUA_TTABLE) {
    row_hash inner = of_table(L, lua_gettop(L));
    return add_bytes(to, inner.sums, sizeof inner.sums);
  }
  int truth = lua_toboolean(L, -1);
  return add_bytes(to, &truth, sizeof truth);
}

static row_hash of_table(lua_State *L, int table) {
  row_hash all = {{0}};
  luaL_checkstack(L, 5, "nested too deeply");
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_settop(L, table + 1)) {
    row_hash field = add_value(L, (row_hash){{0}});
    lua_pushvalue(L, table + 1);
    field = add_value(L, field);
    for (int half = 0; half < 2; half++) {
      all.sums[half] += spread(field.sums[half]);
    }
  }
  return all;
}

/* core.row_hashes(rows) → a list of texts, for a list of tables */
static int row_hashes(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_newtable(L);
  for (int at = 1;; at++) {
    lua_rawgeti(L, 1, at);
    if (!lua_istable(L, -1)) {
      break;
    }
    row_hash one = of_table(L, lua_gettop(L));
    lua_pushlstring(L, (const char *)one.sums, sizeof one.sums);
    lua_rawseti(L, 2, at);
    lua_settop(L, 2);
  }
  lua_settop(L, 2);
  return 1;
}

void core_open_row_hash(lua_State *L) {
  lua_pushcfunction(L, row_hashes);
  lua_setfield(L, -2, "row_hashes");
}
