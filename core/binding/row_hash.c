/* A hash of a history's row: a short text that is the same for the same content. */
#include "compat.h"
#include "core.h"

#include <string.h>

/* Two sums of 64 bits over the fields, whose order in a table is not the same each time. */
typedef struct {
  uint64_t sums[2];
} fingerprint;

static const uint64_t factors[2] = {0x9e3779b97f4a7c15U, 0xc2b2ae3d27d4eb4fU};

static fingerprint add_bytes(fingerprint to, const void *bytes, size_t size) {
  const unsigned char *at = bytes;
  for (int lane = 0; lane < 2; lane++) {
    uint64_t sum = (to.sums[lane] ^ size) * factors[lane];
    for (size_t i = 0; i < size; i++) {
      sum = ((sum ^ at[i]) * factors[lane]) ^ (sum >> 29);
    }
    to.sums[lane] = sum;
  }
  return to;
}

/* So that the bits of a field's sum depend on all of it, and the sums of fields on each. */
static uint64_t spread(uint64_t sum) {
  sum = (sum ^ (sum >> 30)) * 0xbf58476d1ce4e5b9U;
  sum = (sum ^ (sum >> 27)) * 0x94d049bb133111ebU;
  return sum ^ (sum >> 31);
}

static fingerprint of_table(lua_State *L, int table);

/* With what is at the top: a key or a value. */
static fingerprint add_value(lua_State *L, fingerprint to) {
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
    fingerprint inner = of_table(L, lua_gettop(L));
    return add_bytes(to, inner.sums, sizeof inner.sums);
  }
  int truth = lua_toboolean(L, -1);
  return add_bytes(to, &truth, sizeof truth);
}

static fingerprint of_table(lua_State *L, int table) {
  fingerprint all = {{0}};
  luaL_checkstack(L, 5, "nested too deeply");
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_settop(L, table + 1)) {
    fingerprint field = add_value(L, (fingerprint){{0}});
    lua_pushvalue(L, table + 1);
    field = add_value(L, field);
    for (int lane = 0; lane < 2; lane++) {
      all.sums[lane] += spread(field.sums[lane]);
    }
  }
  return all;
}

/* core.fingerprints(rows) → a list of texts, for a list of tables */
static int fingerprints(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_newtable(L);
  for (int at = 1;; at++) {
    lua_rawgeti(L, 1, at);
    if (!lua_istable(L, -1)) {
      break;
    }
    fingerprint one = of_table(L, lua_gettop(L));
    lua_pushlstring(L, (const char *)one.sums, sizeof one.sums);
    lua_rawseti(L, 2, at);
    lua_settop(L, 2);
  }
  lua_settop(L, 2);
  return 1;
}

void core_open_fingerprint(lua_State *L) {
  lua_pushcfunction(L, fingerprints);
  lua_setfield(L, -2, "fingerprints");
}
