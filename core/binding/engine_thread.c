/* The engine on a thread of its own as a userdata: the methods of an engine that never wait, and
 * the socket that wakes. */
#include "engine_thread.h"

#include "compat.h"
#include "core.h"

#define THREAD_TYPE "palenca.engine_thread"

typedef struct {
  engine_thread *thread; /* NULL: closed */
  palenca_result *taken; /* while a table is made of it, which may raise */
} thread_handle;

static thread_handle *check_thread_handle(lua_State *L) {
  thread_handle *handle = luaL_checkudata(L, 1, THREAD_TYPE);
  if (handle->thread == NULL) {
    luaL_error(L, "the engine is closed");
  }
  return handle;
}

/* core.engine_thread([directory]) → thread [, message]: it shares the rate limits of keys with
 * all engines of the same directory; if that is not possible, the message says why, and its
 * limits are its own */
static int thread_new(lua_State *L) {
  palenca_engine_options options = {0};
  palenca_error error = {0}, not_shared = {0};
  const char *directory = luaL_optstring(L, 1, NULL);
  thread_handle *handle = lua_newuserdata(L, sizeof *handle);
  *handle = (thread_handle){0};
  compat_set_metatable(L, THREAD_TYPE);
  if (directory != NULL) {
    options.rate_limiters = palenca_rate_limiters_share(directory, &not_shared);
  }
  handle->thread = engine_thread_new(&options, &error);
  palenca_rate_limiters_release(options.rate_limiters);
  if (handle->thread == NULL) {
    return luaL_error(L, "%s", error.message);
  }
  if (not_shared.kind == PALENCA_OK) {
    return 1;
  }
  lua_pushstring(L, not_shared.message);
  return 2;
}

static int thread_close(lua_State *L) {
  thread_handle *handle = luaL_checkudata(L, 1, THREAD_TYPE);
  palenca_result_free(handle->taken);
  engine_thread_free(handle->thread);
  *handle = (thread_handle){0};
  return 0;
}

static int push_problem(lua_State *L, const palenca_error *error) {
  lua_pushnil(L);
  lua_pushstring(L, error->message);
  return 2;
}

/* thread:submit(request) → id | nil, message */
static int thread_submit(lua_State *L) {
  thread_handle *handle = check_thread_handle(L);
  palenca_request request;
  palenca_error error = {0};
  luaL_checktype(L, 2, LUA_TTABLE);
  core_read_request(L, 2, &request);
  uint64_t id = engine_thread_submit(handle->thread, &request, &error);
  if (id == 0) {
    return push_problem(L, &error);
  }
  lua_pushinteger(L, (lua_Integer)id);
  return 1;
}

static int thread_cancel(lua_State *L) {
  thread_handle *handle = luaL_checkudata(L, 1, THREAD_TYPE);
  lua_Integer id = luaL_checkinteger(L, 2);
  if (handle->thread != NULL) { /* a call may be collected after its engine */
    engine_thread_cancel(handle->thread, (uint64_t)id);
  }
  return 0;
}

/* thread:step() → number of completed calls; it never waits */
static int thread_step(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)engine_thread_collect(check_thread_handle(L)->thread));
  return 1;
}

/* thread:take() → result | nil */
static int thread_take(lua_State *L) {
  thread_handle *handle = check_thread_handle(L);
  return core_push_taken(L, &handle->taken, engine_thread_take(handle->thread));
}

/* thread:take_attempt() → as an engine's */
static int thread_take_attempt(lua_State *L) {
  palenca_attempt_record note;
  if (engine_thread_take_attempt(check_thread_handle(L)->thread, &note)) {
    core_push_attempt(L, &note);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

/* thread:listen(directory) → path to connect to | nil, message */
static int thread_listen(lua_State *L) {
  palenca_error error = {0};
  const char *path =
      engine_thread_listen(check_thread_handle(L)->thread, luaL_checkstring(L, 2), &error);
  if (path == NULL) {
    return push_problem(L, &error);
  }
  lua_pushstring(L, path);
  return 1;
}

/* thread:accept() → true | nil, message */
static int thread_accept(lua_State *L) {
  palenca_error error = {0};
  if (!engine_thread_accept(check_thread_handle(L)->thread, &error)) {
    return push_problem(L, &error);
  }
  lua_pushboolean(L, 1);
  return 1;
}

static int thread_wake(lua_State *L) {
  engine_thread_wake(check_thread_handle(L)->thread);
  return 0;
}

static const luaL_Reg methods[] = {
    {"submit", thread_submit}, {"cancel", thread_cancel},
    {"step", thread_step},     {"take", thread_take},
    {"listen", thread_listen}, {"take_attempt", thread_take_attempt},
    {"accept", thread_accept}, {"wake", thread_wake},
    {"close", thread_close},   {NULL, NULL},
};

void core_open_engine_thread(lua_State *L) {
  if (luaL_newmetatable(L, THREAD_TYPE)) {
    lua_createtable(L, 0, 9);
    compat_set_functions(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, thread_close);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, thread_new);
  lua_setfield(L, -2, "engine_thread");
}
