/* Opens palenca.core, the C part of the Lua module, from its parts, with constants and the steady
 * clock. */
#include "core.h"

#include "clock.h"
#include "compat.h"
#include "pin_code.h"

#include <stdatomic.h>
#include <sys/types.h>
#include <unistd.h>

/* core.is_yieldable() → whether the caller can yield; true where that is not known. nginx's
 * coroutine library has no such function. */
static int is_yieldable(lua_State *L) {
  lua_pushboolean(L, compat_is_yieldable(L));
  return 1;
}

/* core.steady_time() → seconds of a clock that never jumps */
static int steady_time(lua_State *L) {
  struct timespec now = clock_read(CLOCK_MONOTONIC);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
  return 1;
}

/* Whether no other state of this process has opened the module before. */
static bool is_first_state(void) {
  static _Atomic pid_t of_process;
  pid_t process = getpid();
  return atomic_exchange(&of_process, process) != process;
}

int luaopen_palenca_core(lua_State *L) {
  pin_code(); /* what is remembered between states would go with the last one */
  lua_newtable(L);
  lua_pushboolean(L, is_first_state());
  lua_setfield(L, -2, "is_first_state");
  core_open_engine(L);
  core_open_engine_thread(L);
  core_open_canonical_json(L);
  core_open_row_hash(L);
  core_open_json_decode(L);
  core_open_json_encode(L);
  core_open_json_rewrite(L);
  core_open_locale(L);
  core_open_plain(L);
  core_open_protocol(L);
  lua_pushcfunction(L, is_yieldable);
  lua_setfield(L, -2, "is_yieldable");
  lua_pushcfunction(L, steady_time);
  lua_setfield(L, -2, "steady_time");
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
