/* The engine as a userdata: submit, step, take, cancel. */
#include "clock.h"
#include "compat.h"
#include "core.h"
#include "palenca.h"

#include <stdio.h>
#include <string.h>

#define ENGINE_TYPE "palenca.engine"
#define TEMPLATE_TYPE "palenca.template"

typedef struct {
  palenca_engine *engine; /* NULL: closed */
  palenca_result *taken;  /* while a table is made of it, which may raise */
} engine_handle;

/* ---- reading a request from a table ---------------------------------------------- */

/* Strings stay owned by the table, which stays on the stack; so numbers, which would be
 * converted into strings without an owner, are rejected. */
static const char *string_field(lua_State *L, int table, const char *name, size_t *size,
                                int required) {
  const char *text = NULL;
  lua_getfield(L, table, name);
  if (lua_type(L, -1) == LUA_TSTRING) {
    text = lua_tolstring(L, -1, size);
  } else if (required || !lua_isnil(L, -1)) {
    luaL_error(L, "request field '%s' must be a string", name);
  }
  if (text != NULL && strcmp(name, "body") != 0 && strlen(text) != *size) {
    luaL_error(L, "request field '%s' must not hold a zero byte", name);
  }
  lua_pop(L, 1);
  return text;
}

static int boolean_field(lua_State *L, int table, const char *name) {
  lua_getfield(L, table, name);
  int value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

static lua_Number number_field(lua_State *L, int table, const char *name, lua_Number fallback,
                               lua_Number max) {
  lua_Number value = fallback;
  lua_getfield(L, table, name);
  if (!lua_isnil(L, -1)) {
    value = lua_tonumber(L, -1);
    if (lua_type(L, -1) != LUA_TNUMBER || !(value >= 0 && value <= max)) {
      char limit[32];
      snprintf(limit, sizeof limit, "%.0f", max);
      luaL_error(L, "request field '%s' must be a number from 0 to %s", name, limit);
    }
  }
  lua_pop(L, 1);
  return value;
}

/* Reads the value at the top of the stack: a string, or a list of strings, each of which is sent by
 * itself. Writes them to `to`, unless that is NULL, and returns how many there are. */
static size_t read_header(lua_State *L, const char *name, palenca_header *to) {
  size_t count = 0;
  palenca_header one = {.name = name};
  if (lua_type(L, -1) == LUA_TSTRING) {
    one.value = lua_tolstring(L, -1, &one.value_size);
    if (to != NULL) {
      *to = one;
    }
    return 1;
  }
  for (int at = 1; lua_istable(L, -1); at++) {
    lua_rawgeti(L, -1, at);
    int type = lua_type(L, -1);
    if (type == LUA_TSTRING) {
      one.value = lua_tolstring(L, -1, &one.value_size);
    }
    lua_pop(L, 1); /* the list keeps it */
    if (type == LUA_TNIL && count > 0) {
      return count;
    }
    if (type != LUA_TSTRING) {
      break;
    }
    if (to != NULL) {
      to[count] = one;
    }
    count++;
  }
  luaL_error(L, "header %s must be a string or a list of strings", name);
  return 0;
}

/* Leaves the array of headers, a userdata, on the stack. */
static void header_fields(lua_State *L, int table, palenca_request *request) {
  size_t count = 0;
  lua_getfield(L, table, "headers");
  if (lua_isnil(L, -1)) {
    return;
  }
  if (!lua_istable(L, -1)) {
    luaL_error(L, "request field 'headers' must be a table");
  }
  int headers = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, headers) != 0; lua_pop(L, 1)) {
    size_t name_size = 0;
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &name_size) : NULL;
    if (name == NULL || strlen(name) != name_size) {
      luaL_error(L, "headers must be under names that are strings without a zero byte");
    }
    count += read_header(L, name, NULL);
  }
  palenca_header *array = lua_newuserdata(L, (count + 1) * sizeof *array);
  size_t used = 0;
  for (lua_pushnil(L); lua_next(L, headers) != 0; lua_pop(L, 1)) {
    used += read_header(L, lua_tostring(L, -2), array + used);
  }
  request->headers = array;
  request->header_count = used;
}

/* What differs from request to request. */
static void read_own_fields(lua_State *L, int table, palenca_request *request) {
  size_t ignored = 0;
  request->method = string_field(L, table, "method", &ignored, 1);
  request->url = string_field(L, table, "url", &ignored, 1);
  request->body = string_field(L, table, "body", &request->body_size, 0);
  request->idempotent = boolean_field(L, table, "idempotent");
  request->low_priority = boolean_field(L, table, "low_priority");
  request->observe = boolean_field(L, table, "observe");
  request->keep_headers = boolean_field(L, table, "keep_headers");
  request->group = (uint64_t)number_field(L, table, "group", 0, 1e15);
  if (request->group != 0) { /* the pages of a search, and no other calls, have more fields */
    request->share_connection = boolean_field(L, table, "share_connection");
    request->measure = boolean_field(L, table, "measure");
  }
}

/* What is the same for many; leaves what header_fields does. */
static void read_shared_fields(lua_State *L, int table, palenca_request *request) {
  size_t ignored = 0;
  request->rate_limit_key =
      string_field(L, table, "rate_limit_key", &request->rate_limit_key_size, 0);
  request->ca_file = string_field(L, table, "ca_file", &ignored, 0);
  request->proxy = string_field(L, table, "proxy", &ignored, 0);
  request->allow_tls_1_2 = boolean_field(L, table, "allow_tls_1_2");
  /* rounded up: 0 is the default */
  request->timeout_ms = (int)(number_field(L, table, "timeout", 0, 86400) * 1000 + 0.999);
  request->deadline_ms = (int)(number_field(L, table, "deadline", 0, 86400) * 1000 + 0.999);
  request->max_retries = (int)number_field(L, table, "max_retries", 0, PALENCA_MAX_RETRIES_MAX);
  request->rate_limit = (int)number_field(L, table, "rate_limit", 0, PALENCA_RATE_LIMIT_MAX);
  request->max_response = (size_t)number_field(L, table, "max_response", 0, 1e12);
  header_fields(L, table, request);
}

/* Leaves a copy of a table at the top. */
static void copy_table(lua_State *L, int table) {
  lua_newtable(L);
  int copy = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, table) != 0;) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_settable(L, copy);
  }
}

/* Has the table at the top hold copies of those in it. */
static void copy_inner_tables(lua_State *L) {
  int table = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_settop(L, table + 1)) {
    if (!lua_istable(L, -1)) {
      continue;
    }
    lua_pushvalue(L, -2);
    copy_table(L, table + 2);
    lua_settable(L, table); /* of a field that exists, so that the walk continues */
  }
}

/* core.template{headers=, timeout=, …}: what many requests have in common, read once. It keeps a
 * copy of the table, whose strings it points into, and the array of headers. */
static int template_new(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  copy_table(L, 1);
  lua_getfield(L, 2, "headers");
  if (lua_istable(L, 3)) {
    copy_table(L, 3);
    copy_inner_tables(L);
    lua_setfield(L, 2, "headers");
  }
  lua_settop(L, 2);
  palenca_request *shared = lua_newuserdata(L, sizeof *shared);
  memset(shared, 0, sizeof *shared);
  compat_set_metatable(L, TEMPLATE_TYPE);
  read_shared_fields(L, 2, shared);
  if (shared->headers != NULL) {
    lua_setfield(L, 2, "array of headers");
  }
  lua_pushvalue(L, 2);
  compat_set_user_value(L, 3);
  lua_settop(L, 3);
  return 1;
}

void core_read_request(lua_State *L, int table, palenca_request *request) {
  lua_getfield(L, table, "template");
  if (lua_isnil(L, -1)) {
    memset(request, 0, sizeof *request);
    lua_pop(L, 1);
    read_shared_fields(L, table, request);
  } else {
    *request = *(palenca_request *)luaL_checkudata(L, -1, TEMPLATE_TYPE);
  }
  read_own_fields(L, table, request);
}

/* ---- the engine ---------------------------------------------------------------------- */

static palenca_engine *check_engine(lua_State *L) {
  engine_handle *handle = luaL_checkudata(L, 1, ENGINE_TYPE);
  if (handle->engine == NULL) {
    luaL_error(L, "the engine is closed");
  }
  return handle->engine;
}

/* core.engine{max_in_flight=} */
static int engine_new(lua_State *L) {
  palenca_engine_options options = {0};
  palenca_error error = {0};
  if (!lua_isnoneornil(L, 1)) {
    luaL_checktype(L, 1, LUA_TTABLE);
    options.max_in_flight = (int)number_field(L, 1, "max_in_flight", 0, 10000);
  }
  engine_handle *handle = lua_newuserdata(L, sizeof *handle);
  *handle = (engine_handle){0};
  compat_set_metatable(L, ENGINE_TYPE);
  handle->engine = palenca_engine_new(&options, &error);
  if (handle->engine == NULL) {
    return luaL_error(L, "%s", error.message);
  }
  return 1;
}

static int engine_close(lua_State *L) {
  engine_handle *handle = luaL_checkudata(L, 1, ENGINE_TYPE);
  palenca_result_free(handle->taken);
  palenca_engine_free(handle->engine);
  *handle = (engine_handle){0};
  return 0;
}

/* engine:submit(request) → id | nil, message */
static int engine_submit(lua_State *L) {
  palenca_engine *engine = check_engine(L);
  palenca_request request;
  palenca_error error = {0};
  luaL_checktype(L, 2, LUA_TTABLE);
  core_read_request(L, 2, &request);
  uint64_t id = palenca_engine_submit(engine, &request, &error);
  if (id == 0) {
    lua_pushnil(L);
    lua_pushstring(L, error.message);
    return 2;
  }
  lua_pushinteger(L, (lua_Integer)id);
  return 1;
}

/* engine:preconnect(request, seconds) → true | nil, message */
static int engine_preconnect(lua_State *L) {
  palenca_engine *engine = check_engine(L);
  palenca_request request;
  palenca_error error = {0};
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Number seconds = luaL_checknumber(L, 3);
  luaL_argcheck(L, seconds >= 0 && seconds <= 86400, 3, "seconds from 0 to 86400");
  core_read_request(L, 2, &request);
  if (!palenca_engine_preconnect(engine, &request, (int64_t)(seconds * 1000), &error)) {
    lua_pushnil(L);
    lua_pushstring(L, error.message);
    return 2;
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* engine:step(max_wait [, fd…]) → number of completed calls */
static int engine_step(lua_State *L) {
  palenca_engine *engine = check_engine(L);
  lua_Number seconds = luaL_checknumber(L, 2);
  int fds[PALENCA_WAKE_FDS_MAX];
  size_t count = 0;
  for (int i = 3; i <= lua_gettop(L) && count < PALENCA_WAKE_FDS_MAX; i++) {
    fds[count++] = (int)luaL_checkinteger(L, i);
  }
  luaL_argcheck(L, seconds >= 0 && seconds <= 1e6, 2, "timeout in seconds");
  /* rounded up, so that a short wait does not become a busy loop */
  int64_t wait = (int64_t)(seconds * 1000 + 0.999);
  lua_pushinteger(L, (lua_Integer)palenca_engine_step(engine, wait, fds, count));
  return 1;
}

/* engine:next_deadline() → seconds until step is to be called | nil: never */
static int engine_next_deadline(lua_State *L) {
  int64_t deadline = palenca_engine_next_deadline(check_engine(L));
  if (deadline < 0) {
    lua_pushnil(L);
  } else {
    lua_pushnumber(L, (lua_Number)deadline / 1000);
  }
  return 1;
}

/* engine:fd() → a descriptor that is readable while step has something to do */
static int engine_fd(lua_State *L) {
  lua_pushinteger(L, palenca_engine_fd(check_engine(L)));
  return 1;
}

static int engine_cancel(lua_State *L) {
  palenca_engine *engine = check_engine(L);
  lua_pushboolean(L, palenca_engine_cancel(engine, (uint64_t)luaL_checkinteger(L, 2)));
  return 1;
}

static int engine_active(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)palenca_engine_active(check_engine(L)));
  return 1;
}

/* engine:in_flight() → how many of the active calls do not wait for the rate limit, nor for their
 * next attempt */
static int engine_in_flight(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)palenca_engine_in_flight(check_engine(L)));
  return 1;
}

/* ---- results -------------------------------------------------------------------------- */

static void set_integer(lua_State *L, const char *name, int64_t value) {
  if (value < 0) {
    return;
  }
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

static void set_string(lua_State *L, const char *name, const char *text, size_t size) {
  if (text == NULL) {
    return;
  }
  lua_pushlstring(L, text, size);
  lua_setfield(L, -2, name);
}

/* After a request was sent these two are about what came back, such as a header of a megabyte;
 * users know no other kinds than those of a response. */
static const char *kind_name(palenca_kind kind) {
  bool of_response = kind == PALENCA_USAGE || kind == PALENCA_NO_MEMORY;
  return palenca_kind_name(of_response ? PALENCA_PROTOCOL : kind);
}

/* Of a result of version 0 nothing was measured. */
static void push_measured(lua_State *L, const palenca_result *result) {
  set_integer(L, "http_version", result->http_version);
  set_integer(L, "turns_left", result->turns_left);
  lua_pushnumber(L, (lua_Number)result->response_us / 1000000);
  lua_setfield(L, -2, "response_seconds");
}

static void push_result(lua_State *L, const palenca_result *result) {
  const palenca_meta *meta = &result->meta;
  const char *kind = kind_name(result->error.kind);
  lua_createtable(L, 0, meta->rate_limit >= 0 ? 10 : 5); /* as many fields as there are */
  set_integer(L, "id", (int64_t)result->id);
  if (result->status > 0) {
    set_integer(L, "status", result->status);
  }
  set_integer(L, "attempts", result->attempts);
  if (result->turn_wait_ms > 0) {
    lua_pushnumber(L, (lua_Number)result->turn_wait_ms / 1000);
    lua_setfield(L, -2, "turn_wait");
  }
  if (kind != NULL) {
    set_string(L, "kind", kind, strlen(kind));
    set_string(L, "message", result->error.message, strlen(result->error.message));
  }
  set_string(L, "headers", result->headers, result->headers_size);
  set_string(L, "body", result->body, result->body_size);
  if (meta->request_id[0] != '\0') {
    set_string(L, "request_id", meta->request_id, strlen(meta->request_id));
  }
  set_integer(L, "rate_limit", meta->rate_limit);
  set_integer(L, "rate_remaining", meta->rate_remaining);
  set_integer(L, "rate_reset", meta->rate_reset);
  set_integer(L, "server_time", meta->server_time);
  if (meta->retry_after_ms >= 0) {
    lua_pushnumber(L, (lua_Number)meta->retry_after_ms / 1000);
    lua_setfield(L, -2, "retry_after");
  }
  if (result->http_version > 0) {
    push_measured(L, result);
  }
  if (meta->rate_reset >= 0) {
    int64_t left = palenca_meta_window_left(meta, clock_unix_ms());
    lua_pushnumber(L, (lua_Number)left / 1000);
    lua_setfield(L, -2, "window_left");
  }
}

int core_push_taken(lua_State *L, palenca_result **slot, palenca_result *result) {
  palenca_result_free(*slot); /* what could not be pushed before */
  *slot = result;
  if (result == NULL) {
    lua_pushnil(L);
  } else {
    push_result(L, result);
  }
  palenca_result_free(*slot);
  *slot = NULL;
  return 1;
}

/* engine:take() → result | nil */
static int engine_take(lua_State *L) {
  palenca_engine *engine = check_engine(L);
  engine_handle *handle = lua_touserdata(L, 1);
  return core_push_taken(L, &handle->taken, palenca_engine_take(engine));
}

void core_push_attempt(lua_State *L, const palenca_attempt_record *note) {
  lua_createtable(L, 0, 7);
  set_integer(L, "id", (int64_t)note->id);
  set_integer(L, "number", note->number);
  if (note->status > 0) {
    set_integer(L, "status", note->status);
  }
  const char *kind = kind_name(note->kind);
  if (kind != NULL) {
    set_string(L, "kind", kind, strlen(kind));
  }
  lua_pushnumber(L, (lua_Number)note->duration_ms / 1000);
  lua_setfield(L, -2, "duration");
  if (note->retry_in_ms >= 0) {
    lua_pushnumber(L, (lua_Number)note->retry_in_ms / 1000);
    lua_setfield(L, -2, "retry_in");
  }
  if (note->request_id[0] != '\0') {
    set_string(L, "request_id", note->request_id, strlen(note->request_id));
  }
}

/* engine:take_attempt() → {id, number, status, kind, duration, retry_in, request_id} | nil; of
 * calls that were submitted with `observe`; times in seconds */
static int engine_take_attempt(lua_State *L) {
  palenca_attempt_record note;
  if (palenca_engine_take_attempt(check_engine(L), &note)) {
    core_push_attempt(L, &note);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

static const luaL_Reg engine_methods[] = {
    {"submit", engine_submit},
    {"preconnect", engine_preconnect},
    {"step", engine_step},
    {"take", engine_take},
    {"take_attempt", engine_take_attempt},
    {"next_deadline", engine_next_deadline},
    {"fd", engine_fd},
    {"cancel", engine_cancel},
    {"active", engine_active},
    {"in_flight", engine_in_flight},
    {"close", engine_close},
    {NULL, NULL},
};

void core_open_engine(lua_State *L) {
  luaL_newmetatable(L, TEMPLATE_TYPE);
  lua_pop(L, 1);
  if (luaL_newmetatable(L, ENGINE_TYPE)) {
    lua_createtable(L, 0, 10);
    compat_set_functions(L, engine_methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, engine_close);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, engine_new);
  lua_setfield(L, -2, "engine");
  lua_pushcfunction(L, template_new);
  lua_setfield(L, -2, "template");
}
