/* host.limits: runs a script's coroutines, and those that they make themselves, within limits. */
#include "module.h"

#include "worker/limits.h"
#include "worker/lua_thread.h"

#include <lauxlib.h>
#include <lualib.h>

#define MIB ((size_t)1 << 20)

static limits *check_limits(lua_State *L) {
  limits *lim = limits_own();
  if (lim == NULL) {
    luaL_error(L, "not on a thread of the host");
  }
  return lim;
}

static lua_State *check_thread(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  luaL_argexpected(L, co != NULL, 1, "coroutine");
  return co;
}

/* ---- what the scheduler calls ------------------------------------------------------------- */

/* limits.resume(thread, label, CPU nanoseconds) → "yielded", CPU nanoseconds left | "ended" |
 * "stopped" (out of CPU time), where that was (FILE:LINE, "": not known), where it was stopped last
 * | "failed", error. Nothing is passed in or out. The label names it for thread:blocked(). 0
 * nanoseconds: as many as were set. */
static int resume(lua_State *L) {
  limits *lim = check_limits(L);
  lua_State *co = check_thread(L);
  const char *label = luaL_checkstring(L, 2);
  int64_t cpu_ns = luaL_checkinteger(L, 3);
  lua_thread *t = lua_thread_of(L);
  int count = 0;
  lua_thread_enter(t, label);
  limits_enter(lim, co, cpu_ns, false);
  int status = lua_resume(co, L, 0, &count);
  bool is_over = limits_leave(lim, co);
  int64_t left_ns = status == LUA_YIELD ? limits_left(lim) : 0; /* before a finalizer runs */
  lua_thread_leave(t);
  if (is_over && status != LUA_OK) {
    lua_pushliteral(L, "stopped");
    lua_pushstring(L, limits_first_stop(lim)->text);
    lua_pushstring(L, limits_last_stop(lim)->text);
    return 3;
  }
  if (status == LUA_OK || status == LUA_YIELD) {
    lua_pop(co, count);
    lua_pushstring(L, status == LUA_OK ? "ended" : "yielded");
    if (status == LUA_OK) {
      return 1;
    }
    lua_pushinteger(L, left_ns);
    return 2;
  }
  lua_pushliteral(L, "failed");
  lua_xmove(co, L, 1);
  return 2;
}

/* limits.close(thread, label, CPU seconds): closes its variables; what they raise is of no interest
 */
static int close_thread(lua_State *L) {
  limits *lim = check_limits(L);
  lua_State *co = check_thread(L);
  const char *label = luaL_checkstring(L, 2);
  int64_t cpu_ns = (int64_t)(luaL_checknumber(L, 3) * 1e9);
  lua_thread *t = lua_thread_of(L);
  lua_thread_enter(t, label);
  limits_enter(lim, co, cpu_ns, true);
  lua_resetthread(co);
  limits_leave(lim, co);
  lua_thread_leave(t);
  return 0;
}

/* limits.set(CPU seconds, MiB); 0: no limit */
static int set(lua_State *L) {
  lua_Number cpu = luaL_checknumber(L, 1);
  lua_Integer memory = luaL_checkinteger(L, 2);
  luaL_argcheck(L, cpu >= 0 && cpu <= 86400, 1, "seconds");
  luaL_argcheck(L, memory >= 0 && memory <= 1 << 20, 2, "MiB");
  limits_set(check_limits(L), (int64_t)(cpu * 1000 + 0.999), (size_t)memory * MIB);
  return 0;
}

/* ---- coroutines of the script's own --------------------------------------------------------- */

/* As in the standard library, which does not know whose code runs. The arguments are on top of
 * L's stack; returns the number of results that replace them, or -1 for an error. */
static int resume_own(lua_State *L, lua_State *co, int argument_count) {
  int count = 0;
  if (!lua_checkstack(co, argument_count)) {
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, co, argument_count);
  lua_State *before = limits_switch(limits_own(), co);
  int status = lua_resume(co, L, argument_count, &count);
  limits_switch(limits_own(), before);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(co, L, 1);
    return -1;
  }
  if (!lua_checkstack(L, count + 1)) {
    lua_pop(co, count);
    lua_pushliteral(L, "too many results to resume");
    return -1;
  }
  lua_xmove(co, L, count);
  return count;
}

/* coroutine.resume */
static int own_resume(lua_State *L) {
  int count = resume_own(L, check_thread(L), lua_gettop(L) - 1);
  lua_pushboolean(L, count >= 0);
  count = count >= 0 ? count : 1;
  lua_insert(L, -(count + 1));
  return count + 1;
}

static int close_own(lua_State *L, lua_State *co) {
  lua_State *before = limits_switch(limits_own(), co);
  int status = lua_resetthread(co);
  limits_switch(limits_own(), before);
  if (status != LUA_OK) {
    lua_xmove(co, L, 1);
  }
  return status;
}

/* The function that coroutine.wrap makes. */
static int call_wrapped(lua_State *L) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  int count = resume_own(L, co, lua_gettop(L));
  if (count >= 0) {
    return count;
  }
  int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) {
    status = close_own(L, co);
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

/* coroutine.wrap */
static int own_wrap(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushcclosure(L, call_wrapped, 1);
  return 1;
}

static const char *unclosable(lua_State *L, lua_State *co) {
  lua_Debug activation;
  if (co == L) {
    return "running";
  }
  return lua_status(co) == LUA_OK && lua_getstack(co, 0, &activation) ? "normal" : NULL;
}

/* coroutine.close */
static int own_close(lua_State *L) {
  lua_State *co = check_thread(L);
  const char *why_not = unclosable(L, co);
  if (why_not != NULL) {
    return luaL_error(L, "cannot close a %s coroutine", why_not);
  }
  int status = close_own(L, co);
  lua_pushboolean(L, status == LUA_OK);
  if (status == LUA_OK) {
    return 1;
  }
  lua_insert(L, -2);
  return 2;
}

/* ---- finalizers and hooks of the script's own ------------------------------------------------ */

/* In place of a finalizer: hooks are off where Lua calls it, so it continues in a coroutine,
 * where they are not. It may run amid the host's own code as well, which has no limit otherwise. */
static int run_finalizer(lua_State *L) {
  limits *lim = limits_own();
  if (lim == NULL || limits_has_stopped_finalizer(lim)) {
    return 0;
  }
  int count = 0;
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 2);
  lua_thread *t = lua_thread_of(L);
  lua_State *before = limits_begin_finalizer(lim, co);
  if (before == NULL) {
    lua_thread_enter(t, "a finalizer");
  }
  int status = lua_resume(co, L, 1, &count);
  limits_end_finalizer(lim, co, before);
  if (before == NULL) {
    lua_thread_leave(t);
  }
  if (status == LUA_OK || status == LUA_YIELD) {
    return 0;
  }
  lua_xmove(co, L, 1);
  return lua_error(L);
}

/* Of the metatable on top. */
static void watch_finalizer(lua_State *L) {
  lua_pushliteral(L, "__gc");
  lua_rawget(L, -2);
  if (lua_isfunction(L, -1) && lua_tocfunction(L, -1) != run_finalizer) {
    lua_pushliteral(L, "__gc");
    lua_insert(L, -2);
    lua_pushcclosure(L, run_finalizer, 1);
    lua_rawset(L, -3);
  } else {
    lua_pop(L, 1);
  }
}

/* debug.setmetatable */
static int own_debug_setmetatable(lua_State *L) {
  int type = lua_type(L, 2);
  luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
  lua_settop(L, 2);
  if (type == LUA_TTABLE) {
    watch_finalizer(L);
  }
  lua_setmetatable(L, 1);
  return 1;
}

/* setmetatable */
static int own_setmetatable(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) {
    return luaL_error(L, "cannot change a protected metatable");
  }
  return own_debug_setmetatable(L);
}

/* debug.sethook. Nothing could stop a hook of the script's, and it would take the place of ours. */
static int own_sethook(lua_State *L) {
  if (lua_isfunction(L, 1) || lua_isfunction(L, 2)) {
    return luaL_error(L, "debug.sethook is not available in a script that is served");
  }
  return 0;
}

/* ---- what is put in the library's place ---------------------------------------------------- */

/* limits.confine(): puts functions in the library's place that keep within limits */
static int confine(lua_State *L) {
  static const luaL_Reg coroutines[] = {
      {"resume", own_resume}, {"wrap", own_wrap}, {"close", own_close}, {NULL, NULL}};
  static const luaL_Reg debugging[] = {
      {"setmetatable", own_debug_setmetatable}, {"sethook", own_sethook}, {NULL, NULL}};
  check_limits(L);
  lua_getglobal(L, LUA_COLIBNAME);
  luaL_setfuncs(L, coroutines, 0);
  lua_getglobal(L, LUA_DBLIBNAME);
  luaL_setfuncs(L, debugging, 0);
  lua_register(L, "setmetatable", own_setmetatable);
  return 0;
}

/* limits.has_stopped_finalizer() → whether one amid the host's own code was; none runs since */
static int has_stopped_finalizer(lua_State *L) {
  lua_pushboolean(L, limits_has_stopped_finalizer(check_limits(L)));
  return 1;
}

static const luaL_Reg functions[] = {
    {"resume", resume},
    {"close", close_thread},
    {"set", set},
    {"confine", confine},
    {"has_stopped_finalizer", has_stopped_finalizer},
    {NULL, NULL},
};

void lua_open_limits(lua_State *L) {
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "limits");
}
