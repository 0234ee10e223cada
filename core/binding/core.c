/* Opens palenca.core. */
#include "core.h"

#include "palenca.h"

int luaopen_palenca_core(lua_State *L) {
  lua_newtable(L);
  core_open_engine(L);
  core_open_protocol(L);
  lua_pushliteral(L, PALENCA_VERSION);
  lua_setfield(L, -2, "version");
  lua_pushinteger(L, PALENCA_RATE_LIMIT_DEFAULT);
  lua_setfield(L, -2, "rate_limit_default");
  lua_pushinteger(L, PALENCA_RATE_LIMIT_MAX);
  lua_setfield(L, -2, "rate_limit_max");
  lua_pushinteger(L, PALENCA_MAX_RETRIES_MAX);
  lua_setfield(L, -2, "max_retries_max");
  return 1;
}
