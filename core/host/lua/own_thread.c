/* host.own_thread: lets the Lua code of a thread reach that thread and its event store: when it is
 * ready, whether it has to stop; and a script worker to take events and finish them. */
#include "decisions.h"
#include "module.h"
#include "recordings.h"

#include "worker/lua_thread.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static lua_thread *check_thread(lua_State *L) {
  lua_thread *t = lua_thread_of(L);
  if (t == NULL) {
    luaL_error(L, "not on a thread of the host");
  }
  return t;
}

static event_consumer *check_consumer(lua_State *L) {
  event_consumer *consumer = lua_thread_consumer(check_thread(L));
  if (consumer == NULL) {
    luaL_error(L, "this thread has no event store");
  }
  return consumer;
}

/* own_thread.fd() → descriptor to wait for */
static int fd(lua_State *L) {
  lua_pushinteger(L, lua_thread_fd(check_thread(L)));
  return 1;
}

static int clear_fd(lua_State *L) {
  lua_thread_clear_fd(check_thread(L));
  return 0;
}

/* own_thread.requested() → "run", "drain" or "stop" */
static int requested(lua_State *L) {
  static const char *const names[] = {"run", "drain", "stop"};
  lua_pushstring(L, names[lua_thread_requested(check_thread(L))]);
  return 1;
}

/* own_thread.ready(info, details): once; the details may be of any length */
static int ready(lua_State *L) {
  lua_thread_ready(check_thread(L), luaL_checkstring(L, 1), luaL_optstring(L, 2, ""));
  return 0;
}

/* own_thread.limit(pattern, max): max events whose action matches the pattern are leased at a time
 */
static int limit(lua_State *L) {
  const char *pattern = luaL_checkstring(L, 1);
  lua_Integer count = luaL_checkinteger(L, 2);
  luaL_argcheck(L, count >= 1, 2, "from 1");
  if (!event_consumer_limit(check_consumer(L), pattern, (size_t)count)) {
    luaL_error(L, "out of memory");
  }
  return 0;
}

/* own_thread.every(name, milliseconds): a timer of this name is leased so often; its id is below 0
 * and its body the name */
static int every(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  lua_Integer interval = luaL_checkinteger(L, 2);
  luaL_argcheck(L, interval >= 1, 2, "from 1");
  if (!event_consumer_every(check_consumer(L), name, interval)) {
    luaL_error(L, "out of memory");
  }
  return 0;
}

/* own_thread.prefetch(count): events to lease ahead for this worker */
static int prefetch(lua_State *L) {
  lua_Integer count = luaL_checkinteger(L, 1);
  event_consumer_prefetch(check_consumer(L), count > 0 ? (size_t)count : 0);
  return 0;
}

/* own_thread.take_announcement() → whether it was said since the last call that events are likely
 * to come soon whose handlers wait for the API */
static int take_announcement(lua_State *L) {
  lua_pushboolean(L, event_consumer_take_announcement(check_consumer(L)));
  return 1;
}

#define LEASE_TYPE "palenca.lease"

static int lease_gc(lua_State *L) {
  event_lease **handle = luaL_checkudata(L, 1, LEASE_TYPE);
  if (*handle != NULL) {
    event_lease_free(*handle);
  }
  *handle = NULL;
  return 0;
}

static void set_trace(lua_State *L, const event_trace *trace) {
  if (trace->traceparent != NULL) {
    lua_pushstring(L, trace->traceparent);
    lua_setfield(L, -2, "traceparent");
  }
  if (trace->request_id != NULL) {
    lua_pushstring(L, trace->request_id);
    lua_setfield(L, -2, "request_id");
  }
}

/* own_thread.take() → {id, attempt, replay, received_at (Unix seconds), body, traceparent,
 * request_id (of the request; maybe nil)} | nil. The handle is
 * the same for all, since a finalizer for each costs more than all else here; if an earlier call
 * has raised, it still has that one's lease. */
static int take(lua_State *L) {
  event_consumer *consumer = check_consumer(L);
  event_lease **handle = lua_touserdata(L, lua_upvalueindex(1));
  event_lease_free(*handle);
  *handle = event_consumer_take(consumer);
  if (*handle == NULL) {
    return 0;
  }
  lua_createtable(L, 0, 5);
  lua_pushinteger(L, (*handle)->id);
  lua_setfield(L, -2, "id");
  lua_pushinteger(L, (*handle)->attempt);
  lua_setfield(L, -2, "attempt");
  lua_pushinteger(L, (*handle)->replay);
  lua_setfield(L, -2, "replay");
  lua_pushnumber(L, (lua_Number)(*handle)->received_at / 1000);
  lua_setfield(L, -2, "received_at");
  lua_pushlstring(L, (*handle)->body, (*handle)->body_size);
  lua_setfield(L, -2, "body");
  set_trace(L, &(*handle)->trace);
  event_lease_free(*handle);
  *handle = NULL;
  return 1;
}

/* own_thread.finish(id, "done" | "retry" | "dead" | "released", error, retry_at (Unix seconds),
 * decision, recording, notice, lines, left_out): those of own_thread.decision, recorded with
 * "done", and of own_thread.recording, stored with "done" and "dead"; the body of an event that is
 * stored with "dead"; what the attempt has logged, and how many lines before that are left out */
static int finish(lua_State *L) {
  static const char *const kinds[] = {"done", "retry", "dead", "released", NULL};
  static const event_outcome_kind outcomes[] = {EVENT_OUTCOME_DONE, EVENT_OUTCOME_RETRY,
                                                EVENT_OUTCOME_DEAD, EVENT_OUTCOME_RELEASED};
  event_consumer *consumer = check_consumer(L);
  int64_t id = luaL_checkinteger(L, 1);
  event_decision **decision = lua_check_decision(L, 5);
  event_recording **recording = lua_check_recording(L, 6);
  event_outcome outcome = {
      .kind = outcomes[luaL_checkoption(L, 2, NULL, kinds)],
      .error = luaL_optstring(L, 3, NULL),
      .retry_at = (int64_t)(luaL_optnumber(L, 4, 0) * 1000),
      .lines = luaL_optstring(L, 8, NULL),
      .lines_left_out = luaL_optinteger(L, 9, 0),
  };
  const char *notice = luaL_optlstring(L, 7, NULL, &outcome.notice_size);
  if (notice != NULL) {
    outcome.notice = malloc(outcome.notice_size + 1);
    if (outcome.notice == NULL) {
      return luaL_error(L, "out of memory");
    }
    memcpy(outcome.notice, notice, outcome.notice_size);
  }
  if (decision != NULL) {
    outcome.decision = *decision;
    *decision = NULL;
  }
  if (recording != NULL && *recording != NULL) {
    event_recording_end(*recording);
    outcome.recording = *recording;
    *recording = NULL;
  }
  event_consumer_finish(consumer, id, &outcome);
  return 0;
}

static const luaL_Reg functions[] = {
    {"fd", fd},
    {"clear_fd", clear_fd},
    {"requested", requested},
    {"ready", ready},
    {"limit", limit},
    {"every", every},
    {"prefetch", prefetch},
    {"finish", finish},
    {"take_announcement", take_announcement},
    {NULL, NULL},
};

void lua_open_own_thread(lua_State *L) {
  if (luaL_newmetatable(L, LEASE_TYPE)) {
    lua_pushcfunction(L, lease_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  event_lease **handle = lua_newuserdatauv(L, sizeof *handle, 0);
  *handle = NULL;
  luaL_setmetatable(L, LEASE_TYPE);
  lua_pushcclosure(L, take, 1);
  lua_setfield(L, -2, "take");
  lua_pushinteger(L, EVENT_CONSUMER_LIMITS_MAX);
  lua_setfield(L, -2, "LIMITS_MAX"); /* of patterns that can have a concurrency limit */
  lua_add_decision(L);
  lua_add_recording(L);
  lua_setfield(L, -2, "own_thread");
}
