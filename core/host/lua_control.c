/* host: stores, receivers, tasks and signals, for the commands on the main thread. */
#include "lua_host.h"

#include "receiver.h"
#include "state.h"
#include "task.h"

#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STORE_TYPE "palenca.store"
#define RECEIVER_TYPE "palenca.receiver"
#define TASK_TYPE "palenca.host_task"

static int push_failure(lua_State *L, const char *message) {
  lua_pushnil(L);
  lua_pushstring(L, message);
  return 2;
}

/* A userdata that holds one pointer, NULL until it is filled and after it is closed. */
static void **new_box(lua_State *L, const char *type) {
  void **box = lua_newuserdatauv(L, sizeof(void *), 1);
  *box = NULL;
  luaL_setmetatable(L, type);
  return box;
}

static void *check_box(lua_State *L, int index, const char *type) {
  void **box = luaL_checkudata(L, index, type);
  if (*box == NULL)
    luaL_error(L, "%s is closed", type);
  return *box;
}

static void define(lua_State *L, const char *type, const luaL_Reg *methods, lua_CFunction gc) {
  if (luaL_newmetatable(L, type)) {
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
}

/* ---- the store ---------------------------------------------------------------------- */

/* Not through stdio: a worker that is blocked while it writes there holds its lock, and the
 * store's thread must not wait for a script. */
static void write_line(const char *line) {
  ssize_t written = write(STDERR_FILENO, line, strlen(line));
  (void)written; /* there is nowhere else to tell it */
}

static void log_text(void *context, bool is_error, const char *message) {
  char line[1024];
  (void)context;
  snprintf(line, sizeof line, "palenca: %s%s\n", is_error ? "error: " : "", message);
  write_line(line);
}

static void log_json(void *context, bool is_error, const char *message) {
  char text[1024];
  char line[sizeof text + 64];
  size_t size = 0;
  (void)context;
  for (const char *c = message; *c != '\0' && size < sizeof text - 8; c++) {
    if (*c == '"' || *c == '\\')
      text[size++] = '\\';
    text[size++] = (unsigned char)*c < ' ' ? ' ' : *c;
  }
  text[size] = '\0';
  snprintf(line, sizeof line, "{\"event\":\"store\",\"level\":\"%s\",\"message\":\"%s\"}\n",
           is_error ? "error" : "info", text);
  write_line(line);
}

/* host.store(path, as_json) → store | nil, message */
static int store_open(lua_State *L) {
  char error[512];
  event_store_options options = {
      .path = luaL_checkstring(L, 1),
      .log = lua_toboolean(L, 2) ? log_json : log_text,
  };
  void **box = new_box(L, STORE_TYPE);
  *box = event_store_open(&options, error, sizeof error);
  return *box != NULL ? 1 : push_failure(L, error);
}

static int store_close(lua_State *L) {
  void **box = luaL_checkudata(L, 1, STORE_TYPE);
  if (*box != NULL)
    event_store_close(*box);
  *box = NULL;
  return 0;
}

/* store:counts() → {unfinished, done, dead, failed_attempts} */
static int store_counts(lua_State *L) {
  event_counts counts;
  event_store_counts(check_box(L, 1, STORE_TYPE), &counts);
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, counts.unfinished);
  lua_setfield(L, -2, "unfinished");
  lua_pushinteger(L, counts.done);
  lua_setfield(L, -2, "done");
  lua_pushinteger(L, counts.dead);
  lua_setfield(L, -2, "dead");
  lua_pushinteger(L, counts.failed_attempts);
  lua_setfield(L, -2, "failed_attempts");
  return 1;
}

/* Called inside event_store_list, so nothing here may raise: the work is done
 * in a protected call and an error ends the listing. */
typedef struct {
  lua_State *L;
  bool failed;
} list_visit;

static void set_text(lua_State *L, const char *name, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

static int push_summary(lua_State *L) {
  const event_summary *event = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  lua_createtable(L, 0, 7);
  lua_pushinteger(L, event->id);
  lua_setfield(L, -2, "id");
  set_text(L, "action", event->action);
  set_text(L, "account_id", event->account_id);
  set_text(L, "state", event->state);
  lua_pushinteger(L, event->attempts);
  lua_setfield(L, -2, "attempts");
  lua_pushnumber(L, (lua_Number)event->received_at / 1000);
  lua_setfield(L, -2, "received_at");
  set_text(L, "error", event->error);
  lua_call(L, 1, 0);
  return 0;
}

static bool each_event(void *context, const event_summary *event) {
  list_visit *visit = context;
  lua_State *L = visit->L;
  lua_pushcfunction(L, push_summary);
  lua_pushlightuserdata(L, (void *)(uintptr_t)event);
  lua_pushvalue(L, 3);
  visit->failed = lua_pcall(L, 2, 0, 0) != LUA_OK;
  return !visit->failed;
}

/* host.list(path, {state=, limit=}, each) → true | nil, message */
static int store_list(lua_State *L) {
  char error[512];
  list_visit visit = {.L = L};
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  lua_getfield(L, 2, "state");
  lua_getfield(L, 2, "limit");
  event_filter filter = {.state = luaL_optstring(L, 4, NULL), .limit = luaL_optinteger(L, 5, 0)};
  bool ok = event_store_list(path, &filter, each_event, &visit, error, sizeof error);
  if (visit.failed)
    return lua_error(L);
  if (!ok)
    return push_failure(L, error);
  lua_pushboolean(L, 1);
  return 1;
}

/* ---- the receiver -------------------------------------------------------------------- */

/* host.receiver{listen=, path=, max_body=, store=} → receiver | nil, message */
static int receiver_open(lua_State *L) {
  char error[512];
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "listen");
  lua_getfield(L, 1, "path");
  lua_getfield(L, 1, "max_body");
  lua_getfield(L, 1, "store");
  receiver_options options = {
      .listen = luaL_checkstring(L, 2),
      .path = luaL_checkstring(L, 3),
      .max_body = (size_t)luaL_checkinteger(L, 4),
      .store = check_box(L, 5, STORE_TYPE),
  };
  void **box = new_box(L, RECEIVER_TYPE);
  lua_pushvalue(L, 5);
  lua_setiuservalue(L, -2, 1); /* the store must not be collected before the receiver */
  *box = receiver_start(&options, error, sizeof error);
  return *box != NULL ? 1 : push_failure(L, error);
}

static int receiver_get_address(lua_State *L) {
  lua_pushstring(L, receiver_address(check_box(L, 1, RECEIVER_TYPE)));
  return 1;
}

/* receiver:ask_stop(patience in seconds) */
static int receiver_ask(lua_State *L) {
  receiver *r = check_box(L, 1, RECEIVER_TYPE);
  receiver_ask_stop(r, (int64_t)(luaL_checknumber(L, 2) * 1000));
  return 0;
}

/* receiver:join(patience in seconds) → whether it has ended; it is closed then */
static int receiver_wait(lua_State *L) {
  void **box = luaL_checkudata(L, 1, RECEIVER_TYPE);
  bool ended = *box == NULL || receiver_join(*box, (int64_t)(luaL_checknumber(L, 2) * 1000));
  if (ended)
    *box = NULL;
  lua_pushboolean(L, ended);
  return 1;
}

static int receiver_gc(lua_State *L) {
  void **box = luaL_checkudata(L, 1, RECEIVER_TYPE);
  if (*box != NULL) {
    receiver_ask_stop(*box, 1000);
    while (!receiver_join(*box, 1000)) {
    }
  }
  *box = NULL;
  return 0;
}

/* ---- tasks ----------------------------------------------------------------------------- */

/* host.start(module, options, store | nil) → task | nil, message */
static int start(lua_State *L) {
  char error[512];
  const char *module = luaL_checkstring(L, 1);
  const char *options = luaL_checkstring(L, 2);
  event_store *store = lua_isnoneornil(L, 3) ? NULL : check_box(L, 3, STORE_TYPE);
  lua_settop(L, 3);
  void **box = new_box(L, TASK_TYPE);
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, -2, 1);
  *box = task_start(module, options, store, host_state_pacers(L), error, sizeof error);
  return *box != NULL ? 1 : push_failure(L, error);
}

/* task:wait_ready(patience in seconds) → info | false (not yet), or nil, message */
static int wait_ready(lua_State *L) {
  char info[1024];
  task *t = check_box(L, 1, TASK_TYPE);
  int64_t patience = (int64_t)(luaL_checknumber(L, 2) * 1000);
  switch (task_wait_ready(t, patience, info, sizeof info)) {
  case TASK_READY:
    lua_pushstring(L, info);
    return 1;
  case TASK_LOADING:
    lua_pushboolean(L, 0);
    return 1;
  case TASK_ENDED:
    break;
  }
  return push_failure(L, info);
}

/* task:ask("drain" | "stop") */
static int ask(lua_State *L) {
  static const char *const names[] = {"drain", "stop", NULL};
  task *t = check_box(L, 1, TASK_TYPE);
  task_ask(t, luaL_checkoption(L, 2, NULL, names) == 0 ? TASK_DRAIN : TASK_STOP);
  return 0;
}

/* task:join(patience in seconds) → true | false (still running), or nil, message */
static int join(lua_State *L) {
  char error[1024];
  task *t = check_box(L, 1, TASK_TYPE);
  bool ended = task_join(t, (int64_t)(luaL_checknumber(L, 2) * 1000), error, sizeof error);
  if (ended && error[0] != '\0')
    return push_failure(L, error);
  lua_pushboolean(L, ended);
  return 1;
}

static int task_gc(lua_State *L) {
  void **box = luaL_checkudata(L, 1, TASK_TYPE);
  task_free(*box);
  *box = NULL;
  return 0;
}

/* ---- signals ------------------------------------------------------------------------------ */

static void stop_signals(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGINT);
  sigaddset(set, SIGTERM);
  sigaddset(set, SIGHUP);
}

/* host.block_signals(): before any thread is started, so that all inherit it */
static int block_signals(lua_State *L) {
  sigset_t set;
  (void)L;
  stop_signals(&set);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  return 0;
}

/* host.wait_signal(seconds) → "SIGINT" | "SIGTERM" | "SIGHUP", and whether the kernel sent it: of a
 * SIGHUP, that the terminal is gone; or nil after that time */
static int wait_signal(lua_State *L) {
  sigset_t set;
  siginfo_t info;
  lua_Number seconds = luaL_checknumber(L, 1);
  struct timespec most = {.tv_sec = (time_t)seconds};
  most.tv_nsec = (long)((seconds - (lua_Number)most.tv_sec) * 1e9);
  stop_signals(&set);
  int got = sigtimedwait(&set, &info, &most);
  if (got < 0)
    return 0;
  lua_pushstring(L, got == SIGINT ? "SIGINT" : got == SIGTERM ? "SIGTERM" : "SIGHUP");
  lua_pushboolean(L, info.si_code == SI_KERNEL);
  return 2;
}

/* host.exit_now(status): without a look at threads that do not come back, nor at stdio, whose
 * locks they may hold; what was printed is written already */
static int exit_now(lua_State *L) {
  _exit((int)luaL_checkinteger(L, 1));
}

static const luaL_Reg store_methods[] = {
    {"close", store_close}, {"counts", store_counts}, {NULL, NULL}};
static const luaL_Reg receiver_methods[] = {{"address", receiver_get_address},
                                            {"ask_stop", receiver_ask},
                                            {"join", receiver_wait},
                                            {NULL, NULL}};
static const luaL_Reg task_methods[] = {
    {"wait_ready", wait_ready}, {"ask", ask}, {"join", join}, {"close", task_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {
    {"store", store_open},
    {"list", store_list},
    {"receiver", receiver_open},
    {"start", start},
    {"block_signals", block_signals},
    {"wait_signal", wait_signal},
    {"exit_now", exit_now},
    {NULL, NULL},
};

void lua_open_control(lua_State *L) {
  define(L, STORE_TYPE, store_methods, store_close);
  define(L, RECEIVER_TYPE, receiver_methods, receiver_gc);
  define(L, TASK_TYPE, task_methods, task_gc);
  luaL_setfuncs(L, functions, 0);
}
