/* host.start: starts threads with a Lua state of their own, and waits for signals; for commands on
 * the main thread. */
#include "module.h"

#include "common/log_queue.h"
#include "common/signals.h"
#include "handle.h"
#include "worker/lua_thread.h"

#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LUA_THREAD_TYPE "palenca.thread"
#define LAST_LINES_MS 300

/* ---- threads --------------------------------------------------------------------------- */

/* host.start(module, options, store | nil) → thread | nil, message */
static int start(lua_State *L) {
  host_error error;
  const char *module = luaL_checkstring(L, 1);
  const char *options = luaL_checkstring(L, 2);
  event_store *store = lua_isnoneornil(L, 3) ? NULL : check_handle(L, 3, STORE_TYPE);
  lua_settop(L, 3);
  void **handle = new_handle(L, LUA_THREAD_TYPE);
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, -2, 1);
  *handle = lua_thread_start(module, options, lua_open_host, store, &error);
  return *handle != NULL ? 1 : push_error(L, &error);
}

/* thread:wait_ready(timeout in seconds) → info, nil, details | false (not yet), or nil, message */
static int wait_ready(lua_State *L) {
  char info[1024];
  host_error error;
  lua_thread *t = check_handle(L, 1, LUA_THREAD_TYPE);
  int64_t timeout = (int64_t)(luaL_checknumber(L, 2) * 1000);
  switch (lua_thread_wait_ready(t, timeout, info, sizeof info, &error)) {
  case LUA_THREAD_READY:
    lua_pushstring(L, info);
    lua_pushnil(L);
    lua_pushstring(L, lua_thread_details(t));
    return 3;
  case LUA_THREAD_LOADING:
    lua_pushboolean(L, 0);
    return 1;
  case LUA_THREAD_ENDED:
    break;
  }
  return push_error(L, &error);
}

/* thread:ask("drain" | "stop") */
static int ask(lua_State *L) {
  static const char *const names[] = {"drain", "stop", NULL};
  lua_thread *t = check_handle(L, 1, LUA_THREAD_TYPE);
  lua_thread_request(t,
                     luaL_checkoption(L, 2, NULL, names) == 0 ? LUA_THREAD_DRAIN : LUA_THREAD_STOP);
  return 0;
}

/* thread:join(timeout in seconds) → true | false (still running), or nil, message */
static int join(lua_State *L) {
  host_error error;
  lua_thread *t = check_handle(L, 1, LUA_THREAD_TYPE);
  bool ended = lua_thread_join(t, (int64_t)(luaL_checknumber(L, 2) * 1000), &error);
  if (ended && error.kind != HOST_OK) {
    return push_error(L, &error);
  }
  lua_pushboolean(L, ended);
  return 1;
}

/* thread:blocked() → the seconds for which a handler has run without a wait, and its label; nil:
 * none does */
static int blocked(lua_State *L) {
  char label[512];
  int64_t ms = lua_thread_blocked_ms(check_handle(L, 1, LUA_THREAD_TYPE), label, sizeof label);
  if (ms < 0) {
    return 0;
  }
  lua_pushnumber(L, (lua_Number)ms / 1000);
  lua_pushstring(L, label);
  return 2;
}

static int thread_gc(lua_State *L) {
  void **handle = luaL_checkudata(L, 1, LUA_THREAD_TYPE);
  lua_thread_free(*handle);
  *handle = NULL;
  return 0;
}

/* ---- signals ------------------------------------------------------------------------------ */

/* host.release_signals(): they end the program, as they do others */
static int release_signals(lua_State *L) {
  (void)L;
  signals_release();
  return 0;
}

/* nohup, and the shell for what runs in the background, have the terminal's signals ignored: one
 * that is blocked is pending all the same. */
static bool is_ignored(const siginfo_t *info) {
  struct sigaction action;
  return info->si_code == SI_KERNEL && sigaction(info->si_signo, NULL, &action) == 0 &&
         action.sa_handler == SIG_IGN;
}

/* host.wait_signal(seconds) → "SIGINT" | "SIGTERM" | "SIGHUP", and whether the kernel sent it: of a
 * SIGHUP, that the terminal is gone; or nil after that time */
static int wait_signal(lua_State *L) {
  sigset_t set;
  siginfo_t info;
  lua_Number seconds = luaL_checknumber(L, 1);
  struct timespec time_limit = {.tv_sec = (time_t)seconds};
  time_limit.tv_nsec = (long)((seconds - (lua_Number)time_limit.tv_sec) * 1e9);
  signals_stop_set(&set);
  int got = sigtimedwait(&set, &info, &time_limit);
  if (got < 0 || is_ignored(&info)) {
    return 0;
  }
  lua_pushstring(L, got == SIGINT ? "SIGINT" : got == SIGTERM ? "SIGTERM" : "SIGHUP");
  lua_pushboolean(L, info.si_code == SI_KERNEL);
  return 2;
}

/* host.exit_now(status): without waiting for threads that do not end, nor flushing stdio, whose
 * locks they may hold; what was printed is written already, but for the last lines of the log */
static int exit_now(lua_State *L) {
  int status = (int)luaL_checkinteger(L, 1);
  log_end(LAST_LINES_MS);
  _exit(status);
}

static const luaL_Reg thread_methods[] = {
    {"wait_ready", wait_ready}, {"ask", ask},         {"join", join},
    {"blocked", blocked},       {"close", thread_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {
    {"start", start},
    {"release_signals", release_signals},
    {"wait_signal", wait_signal},
    {"exit_now", exit_now},
    {NULL, NULL},
};

void lua_open_threads(lua_State *L) {
  define_handle(L, LUA_THREAD_TYPE, thread_methods, thread_gc);
  luaL_setfuncs(L, functions, 0);
}
