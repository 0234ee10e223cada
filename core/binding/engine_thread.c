/* The engine on a thread of its own as a userdata: the methods of an engine that never wait, and
 * the socket that wakes. */
#include "engine_thread.h"

#include "compat.h"
#include "core.h"

#define THREAD_TYPE "palenca.engine_thread"

typedef struct {
  engine_thread *thread; /* NULL: closed */
  palenca_result *taken; /* while a table is made of it, which may raise */
} thread_box;

static thread_box *check_box(lua_State *L) {
  thread_box *box = luaL_checkudata(L, 1, THREAD_TYPE);
  if (box->thread == NULL)
    luaL_error(L, "the engine is closed");
  return box;
}

/* core.engine_thread([directory]) → thread [, message]: it keeps to the limits of keys together
 * with all that were given the same directory; if that is not possible, the message says why, and
 * it keeps to them alone */
static int thread_new(lua_State *L) {
  palenca_engine_options options = {0};
  palenca_error error = {0}, not_shared = {0};
  const char *directory = luaL_optstring(L, 1, NULL);
  thread_box *box = lua_newuserdata(L, sizeof *box);
  *box = (thread_box){0};
  compat_set_metatable(L, THREAD_TYPE);
  if (directory != NULL)
    options.rate_limiters = palenca_rate_limiters_share(directory, &not_shared);
  box->thread = engine_thread_new(&options, &error);
  palenca_rate_limiters_release(options.rate_limiters);
  if (box->thread == NULL)
    return luaL_error(L, "%s", error.message);
  if (not_shared.kind == PALENCA_OK)
    return 1;
  lua_pushstring(L, not_shared.message);
  return 2;
}

static int thread_close(lua_State *L) {
  thread_box *box = luaL_checkudata(L, 1, THREAD_TYPE);
  palenca_result_free(box->taken);
  engine_thread_free(box->thread);
  *box = (thread_box){0};
  return 0;
}

static int push_problem(lua_State *L, const palenca_error *error) {
  lua_pushnil(L);
  lua_pushstring(L, error->message);
  return 2;
}

/* thread:submit(request) → id | nil, message */
static int thread_submit(lua_State *L) {
  thread_box *box = check_box(L);
  palenca_request request;
  palenca_error error = {0};
  luaL_checktype(L, 2, LUA_TTABLE);
  core_read_request(L, 2, &request);
  uint64_t id = engine_thread_submit(box->thread, &request, &error);
  if (id == 0)
    return push_problem(L, &error);
  lua_pushinteger(L, (lua_Integer)id);
  return 1;
}

static int thread_cancel(lua_State *L) {
  thread_box *box = luaL_checkudata(L, 1, THREAD_TYPE);
  lua_Integer id = luaL_checkinteger(L, 2);
  if (box->thread != NULL) /* a call may be collected after its engine */
    engine_thread_cancel(box->thread, (uint64_t)id);
  return 0;
}

/* thread:step() → number of completed calls; it never waits */
static int thread_step(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)engine_thread_collect(check_box(L)->thread));
  return 1;
}

/* thread:take() → result | nil */
static int thread_take(lua_State *L) {
  thread_box *box = check_box(L);
  return core_push_taken(L, &box->taken, engine_thread_take(box->thread));
}

/* thread:take_attempt() → as an engine's */
static int thread_take_attempt(lua_State *L) {
  palenca_attempt_record note;
  if (engine_thread_take_attempt(check_box(L)->thread, &note))
    core_push_attempt(L, &note);
  else
    lua_pushnil(L);
  return 1;
}

/* thread:listen(directory) → path to connect to | nil, message */
static int thread_listen(lua_State *L) {
  palenca_error error = {0};
  const char *path = engine_thread_listen(check_box(L)->thread, luaL_checkstring(L, 2), &error);
  if (path == NULL)
    return push_problem(L, &error);
  lua_pushstring(L, path);
  return 1;
}

/* thread:accept() → true | nil, message */
static int thread_accept(lua_State *L) {
  palenca_error error = {0};
  if (!engine_thread_accept(check_box(L)->thread, &error))
    return push_problem(L, &error);
  lua_pushboolean(L, 1);
  return 1;
}

static int thread_wake(lua_State *L) {
  engine_thread_wake(check_box(L)->thread);
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
