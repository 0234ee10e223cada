/* host.recordings: events of a file with the responses that were recorded; own_thread.recording, by
 * which those of a handler go to its event's end. */
#include "recordings.h"

#include "module.h"
#include "store/admin/recordings.h"
#include "visitor.h"

#include <lauxlib.h>

#define RECORDING_TYPE "palenca.recording"

/* ---- Of a worker ---- */

static int recording_gc(lua_State *L) {
  event_recording **handle = luaL_checkudata(L, 1, RECORDING_TYPE);
  event_recording_free(*handle);
  *handle = NULL;
  return 0;
}

/* recording:add(text, …) → whether it is whole; false also once it has been passed on */
static int recording_add(lua_State *L) {
  event_recording **handle = luaL_checkudata(L, 1, RECORDING_TYPE);
  bool is_whole = *handle != NULL;
  for (int i = 2; is_whole && i <= lua_gettop(L); i++) {
    size_t size;
    const char *text = luaL_checklstring(L, i, &size);
    is_whole = event_recording_add(*handle, text, size);
  }
  lua_pushboolean(L, is_whole);
  return 1;
}

/* own_thread.recording(max bytes, started_at (Unix seconds)) → a recording for own_thread.finish |
 * nil: out of memory */
static int new_recording(lua_State *L) {
  lua_Integer max = luaL_checkinteger(L, 1);
  int64_t started_at = (int64_t)(luaL_checknumber(L, 2) * 1000);
  luaL_argcheck(L, max >= 0, 1, "from 0");
  event_recording **handle = lua_newuserdatauv(L, sizeof *handle, 0);
  *handle = NULL;
  luaL_setmetatable(L, RECORDING_TYPE);
  *handle = event_recording_new((size_t)max, started_at);
  return *handle != NULL ? 1 : 0;
}

void lua_add_recording(lua_State *L) {
  static const luaL_Reg methods[] = {{"add", recording_add}, {NULL, NULL}};
  define_handle(L, RECORDING_TYPE, methods, recording_gc);
  lua_pushcfunction(L, new_recording);
  lua_setfield(L, -2, "recording");
}

event_recording **lua_check_recording(lua_State *L, int index) {
  return lua_isnoneornil(L, index) ? NULL : luaL_checkudata(L, index, RECORDING_TYPE);
}

/* ---- Of people, on a file ---- */

static void set_bytes(lua_State *L, const char *name, const char *data, size_t size) {
  if (data != NULL) {
    lua_pushlstring(L, data, size);
    lua_setfield(L, -2, name);
  }
}

static void set_flag(lua_State *L, const char *name, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, name);
}

static void set_recording(lua_State *L, const recorded_event *event) {
  static const char *const names[] = {[RECORDING_WHOLE] = NULL,
                                      [RECORDING_TOO_LARGE] = "too large",
                                      [RECORDING_NO_MEMORY] = "no memory"};
  set_flag(L, "is_recorded", event->is_recorded);
  if (event->omitted <= RECORDING_NO_MEMORY) {
    set_text(L, "omitted", names[event->omitted]);
  }
  set_integer(L, "size", event->size);
  lua_pushnumber(L, (lua_Number)event->started_at / 1000);
  lua_setfield(L, -2, "started_at");
  set_bytes(L, "responses", event->responses, event->responses_size);
  set_flag(L, "has_decision", event->has_decision);
  set_text(L, "facts", event->facts);
}

static int push_event(lua_State *L) {
  const recorded_event *event = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  lua_createtable(L, 0, 16);
  set_integer(L, "at", event->at);
  set_integer(L, "total", event->total);
  set_integer(L, "id", event->id);
  set_text(L, "state", event->state);
  set_integer(L, "attempt", event->attempts);
  set_integer(L, "replay", event->replays);
  lua_pushnumber(L, (lua_Number)event->received_at / 1000);
  lua_setfield(L, -2, "received_at");
  set_text(L, "error", event->error);
  set_bytes(L, "body", event->body, event->body_size);
  set_recording(L, event);
  lua_call(L, 1, 0);
  return 0;
}

static bool each_event(void *context, const recorded_event *event) {
  return visit(context, push_event, event);
}

static int64_t time_field(lua_State *L, const char *name, int64_t otherwise) {
  lua_getfield(L, 2, name);
  return lua_isnil(L, -1) ? otherwise : (int64_t)(luaL_checknumber(L, -1) * 1000);
}

/* host.recordings.list(path, {since=, until= (Unix seconds), limit=}, each) → true | nil, message
 */
static int list(lua_State *L) {
  host_error error;
  store_visitor visitor = {.L = L, .function = 3};
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  recording_filter filter = {.since = time_field(L, "since", INT64_MIN),
                             .until = time_field(L, "until", INT64_MAX)};
  lua_getfield(L, 2, "limit");
  filter.limit = luaL_optinteger(L, -1, 0);
  bool ok = recording_list(path, &filter, each_event, &visitor, &error);
  return end_visits(L, &visitor, ok, &error);
}

void lua_open_recordings(lua_State *L) {
  static const luaL_Reg functions[] = {{"list", list}, {NULL, NULL}};
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "recordings");
}
