/* host.store and host.events: the event store that is served from, and what people do to the events
 * in a file. */
#include "admin_asker.h"
#include "module.h"
#include "visitor.h"

#include "common/log_queue.h"
#include "rate_shares.h"
#include "store/event_admin.h"
#include "store/event_store.h"
#include "store/postgres/url.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void log_trouble(void *context, bool is_error, const char *message) {
  (void)context;
  log_message("store", is_error ? "error" : "info", message);
}

/* host.store{path=, loop=, dedup_window=, retention=, decision_retention=, recording_retention=,
 * alert_window= (seconds; nil: no alerts), lease_timeout= (seconds)} → store | nil, message: before
 * the loop is started */
static int store_open(lua_State *L) {
  host_error error;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "path");
  lua_getfield(L, 1, "dedup_window");
  lua_getfield(L, 1, "retention");
  lua_getfield(L, 1, "loop");
  lua_getfield(L, 1, "decision_retention");
  lua_getfield(L, 1, "recording_retention");
  lua_getfield(L, 1, "alert_window");
  lua_getfield(L, 1, "lease_timeout");
  event_store_options options = {
      .path = luaL_checkstring(L, 2),
      .loop = check_handle(L, 5, LOOP_TYPE),
      .log = log_trouble,
      .dedup_window = (int64_t)(luaL_checknumber(L, 3) * 1000),
      .retention = (int64_t)(luaL_checknumber(L, 4) * 1000),
      .decision_retention = (int64_t)(luaL_checknumber(L, 6) * 1000),
      .recording_retention = (int64_t)(luaL_checknumber(L, 7) * 1000),
      .alert_window = (int64_t)(luaL_optnumber(L, 8, 0) * 1000),
      .lease_timeout = (int64_t)(luaL_optnumber(L, 9, 0) * 1000),
      .rate_shares = &rate_shares_of_client,
  };
  void **handle = new_handle(L, STORE_TYPE);
  lua_pushvalue(L, 5);
  lua_setiuservalue(L, -2, 1); /* the loop must not be collected before it */
  *handle = event_store_open(&options, &error);
  return *handle != NULL ? 1 : push_error(L, &error);
}

/* store:close(timeout in seconds) → whether it is closed: all is written then; the number of events
 * that are neither done nor dead */
static int store_close(lua_State *L) {
  void **handle = luaL_checkudata(L, 1, STORE_TYPE);
  event_counts counts = {0};
  bool is_closed = event_store_close(*handle, (int64_t)(luaL_checknumber(L, 2) * 1000), &counts);
  if (is_closed) {
    *handle = NULL;
  }
  lua_pushboolean(L, is_closed);
  lua_pushinteger(L, counts.unfinished);
  return 2;
}

static int store_gc(lua_State *L) {
  void **handle = luaL_checkudata(L, 1, STORE_TYPE);
  event_store_close_and_wait(*handle);
  *handle = NULL;
  return 0;
}

/* store:stalled() → the seconds for which its loop has been blocked, as by a disk that hangs; 0:
 * it is not */
static int store_stalled(lua_State *L) {
  int64_t ms = event_store_stalled_ms(check_handle(L, 1, STORE_TYPE));
  lua_pushnumber(L, (lua_Number)ms / 1000);
  return 1;
}

/* store:counts() → {unfinished, done, dead, failed_attempts, duplicates} */
static int store_counts(lua_State *L) {
  event_counts counts;
  event_store_counts(check_handle(L, 1, STORE_TYPE), &counts);
  lua_createtable(L, 0, 5);
  set_integer(L, "unfinished", counts.unfinished);
  set_integer(L, "done", counts.done);
  set_integer(L, "dead", counts.dead);
  set_integer(L, "failed_attempts", counts.failed_attempts);
  set_integer(L, "duplicates", counts.duplicates);
  return 1;
}

/* ---- for people, on a file ------------------------------------------------------------ */

/* In seconds, and nothing for 0. */
static void set_time(lua_State *L, const char *name, int64_t time) {
  if (time != 0) {
    lua_pushnumber(L, (lua_Number)time / 1000);
    lua_setfield(L, -2, name);
  }
}

static int push_summary(lua_State *L) {
  const event_summary *event = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  lua_createtable(L, 0, 14);
  set_integer(L, "id", event->id);
  set_text(L, "action", event->action);
  set_text(L, "account_id", event->account_id);
  set_text(L, "platform", event->platform);
  set_text(L, "state", event->state);
  set_integer(L, "attempts", event->attempts);
  set_integer(L, "replays", event->replays);
  set_time(L, "received_at", event->received_at);
  set_time(L, "due_at", event->due_at);
  set_time(L, "finished_at", event->finished_at);
  set_text(L, "error", event->error);
  set_text(L, "traceparent", event->trace.traceparent);
  set_text(L, "request_id", event->trace.request_id);
  if (event->body != NULL) {
    lua_pushlstring(L, event->body, event->body_size);
    lua_setfield(L, -2, "body");
  }
  lua_call(L, 1, 0);
  return 0;
}

static bool each_event(void *context, const event_summary *event) {
  return visit(context, push_summary, event);
}

/* Milliseconds of a time in seconds, to the nearest. */
static int64_t read_time(lua_State *L, int index) {
  return (int64_t)llround(luaL_optnumber(L, index, 0) * 1000);
}

/* Leaves the strings on the stack, which the filter points into. */
static event_filter read_filter(lua_State *L, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  lua_getfield(L, index, "since");
  lua_getfield(L, index, "limit");
  lua_getfield(L, index, "after");
  lua_getfield(L, index, "oldest_first");
  lua_getfield(L, index, "until");
  lua_getfield(L, index, "before");
  event_filter filter = {
      .since = read_time(L, -6),
      .limit = luaL_optinteger(L, -5, 0),
      .after = luaL_optinteger(L, -4, INT64_MIN),
      .oldest_first = lua_toboolean(L, -3),
      .until = read_time(L, -2),
      .before = luaL_optinteger(L, -1, 0),
  };
  lua_getfield(L, index, "state");
  lua_getfield(L, index, "action");
  lua_getfield(L, index, "account_id");
  lua_getfield(L, index, "platform");
  lua_getfield(L, index, "error");
  filter.state = luaL_optstring(L, -5, NULL);
  filter.action = luaL_optstring(L, -4, NULL);
  filter.account_id = luaL_optstring(L, -3, NULL);
  filter.platform = luaL_optstring(L, -2, NULL);
  filter.error = luaL_optstring(L, -1, NULL);
  return filter;
}

/* host.events.list(path, {state=, action=, account_id=, platform=, error=, since=, until=, limit=,
 * after=, before=, oldest_first=, timeout= (seconds)}, each) → true, the id below which there may
 * be more (nil: there are none) | nil, message */
static int list(lua_State *L) {
  host_error error;
  store_visitor visitor = {.L = L, .function = 3};
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  event_filter filter = read_filter(L, 2);
  lua_getfield(L, 2, "timeout");
  int64_t timeout = (int64_t)(luaL_optnumber(L, -1, 0) * 1000), next;
  bool ok = event_store_list_some(path, &filter, timeout, each_event, &visitor, &next, &error);
  int results = end_visits(L, &visitor, ok, &error);
  if (ok && next != 0) {
    lua_pushinteger(L, next);
    results++;
  }
  return results;
}

/* host.events.show(path, id, each) → true | nil, message; `each` is not called if there is none */
static int show(lua_State *L) {
  host_error error;
  store_visitor visitor = {.L = L, .function = 3};
  const char *path = luaL_checkstring(L, 1);
  int64_t id = luaL_checkinteger(L, 2);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  bool ok = event_store_show(path, id, each_event, &visitor, &error);
  return end_visits(L, &visitor, ok, &error);
}

static int push_attempt(lua_State *L) {
  const event_attempt *attempt = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  lua_createtable(L, 0, 8);
  set_integer(L, "replay", attempt->replay);
  set_integer(L, "attempt", attempt->attempt);
  set_time(L, "started_at", attempt->started_at);
  if (attempt->duration >= 0) {
    lua_pushnumber(L, (lua_Number)attempt->duration / 1000);
    lua_setfield(L, -2, "seconds");
  }
  set_text(L, "outcome", attempt->outcome);
  set_text(L, "error", attempt->error);
  set_text(L, "lines", attempt->lines);
  set_integer(L, "lines_left_out", attempt->lines_left_out);
  lua_call(L, 1, 0);
  return 0;
}

static bool each_attempt(void *context, const event_attempt *attempt) {
  return visit(context, push_attempt, attempt);
}

/* host.events.attempts(path, id, each, max) → true, how many are left out | nil, message. Calls
 * each({replay=, attempt=, started_at= (Unix seconds), seconds= (nil: neither is known), outcome=,
 * error=, lines= (text), lines_left_out=}) for the latest `max` that have ended (nil: for all), in
 * their order. */
static int attempts(lua_State *L) {
  host_error error;
  store_visitor visitor = {.L = L, .function = 3};
  const char *path = luaL_checkstring(L, 1);
  int64_t id = luaL_checkinteger(L, 2);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_Integer max = luaL_optinteger(L, 4, 0);
  int64_t left_out;
  bool ok = event_store_attempts(path, id, max, each_attempt, &visitor, &left_out, &error);
  int results = end_visits(L, &visitor, ok, &error);
  if (ok) {
    lua_pushinteger(L, left_out);
    results++;
  }
  return results;
}

/* host.events.replay(path, id) → "replayed" | "not_found" | "unfinished" | nil, message */
static int replay(lua_State *L) {
  static const char *const names[] = {
      [EVENT_REPLAYED] = "replayed",
      [EVENT_NOT_FOUND] = "not_found",
      [EVENT_UNFINISHED] = "unfinished",
  };
  host_error error;
  event_replay_result result;
  if (!event_store_replay(luaL_checkstring(L, 1), luaL_checkinteger(L, 2), &result, &error)) {
    return push_error(L, &error);
  }
  lua_pushstring(L, names[result]);
  return 1;
}

/* host.events.replay_dead(path, {action=, account_id=, since=}) → count | nil, message, count */
static int replay_dead(lua_State *L) {
  host_error error;
  int64_t count;
  const char *path = luaL_checkstring(L, 1);
  event_filter filter = read_filter(L, 2);
  bool ok = event_store_replay_dead(path, &filter, &count, &error);
  if (!ok) {
    (void)push_error(L, &error);
  }
  lua_pushinteger(L, count);
  return ok ? 1 : 3;
}

static int push_purged(lua_State *L, bool ok, const event_purge_report *report,
                       const host_error *error) {
  if (!ok) {
    (void)push_error(L, error);
  }
  lua_createtable(L, 0, 4);
  set_integer(L, "events", report->events);
  set_integer(L, "kept", report->kept);
  set_integer(L, "bytes", report->bytes);
  set_integer(L, "file_size", report->file_size);
  return ok ? 1 : 3;
}

/* host.events.purge(path, {state=, before= (Unix seconds), dry_run=}) → {events=, kept=, bytes=,
 * file_size=} | nil, message, the same */
static int purge(lua_State *L) {
  host_error error;
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_getfield(L, 2, "state");
  lua_getfield(L, 2, "before");
  lua_getfield(L, 2, "dry_run");
  event_purge what = {
      .state =
          (event_state)(EVENT_DONE + luaL_checkoption(L, 3, NULL, event_state_names + EVENT_DONE)),
      .finished_before = (int64_t)(luaL_checknumber(L, 4) * 1000),
      .dry_run = lua_toboolean(L, 5),
  };
  event_purge_report report;
  bool ok = event_store_purge(path, &what, &report, &error);
  return push_purged(L, ok, &report, &error);
}

/* host.events.replay_matching(path, filter) → {replayed=, left_out=} | nil, message, the same. The
 * filter is that of list, without its limit, order and ids. */
static int replay_matching(lua_State *L) {
  host_error error;
  int64_t replayed, left_out;
  const char *path = luaL_checkstring(L, 1);
  event_filter filter = read_filter(L, 2);
  admin_asker asker = admin_asker_of(L);
  event_admin_stop stop = {admin_asker_ends, &asker};
  bool ok = event_store_replay_matching(path, &filter, stop, &replayed, &left_out, &error);
  if (!ok) {
    (void)push_error(L, &error);
  }
  lua_createtable(L, 0, 2);
  set_integer(L, "replayed", replayed);
  set_integer(L, "left_out", left_out);
  return ok ? 1 : 3;
}

/* host.events.purge_matching(path, filter, dry_run) → as purge */
static int purge_matching(lua_State *L) {
  host_error error;
  event_purge_report report;
  const char *path = luaL_checkstring(L, 1);
  bool dry_run = lua_toboolean(L, 3);
  event_filter filter = read_filter(L, 2);
  admin_asker asker = admin_asker_of(L);
  event_admin_stop stop = {dry_run ? admin_asker_left : admin_asker_ends, &asker};
  bool ok = event_store_purge_matching(path, &filter, dry_run, stop, &report, &error);
  return push_purged(L, ok, &report, &error);
}

static void set_states(lua_State *L, const int64_t states[EVENT_STATES]) {
  lua_createtable(L, 0, EVENT_STATES);
  for (int i = 0; i < EVENT_STATES; i++) {
    set_integer(L, event_state_name((event_state)i), states[i]);
  }
}

static int push_stats(lua_State *L) {
  const event_stats *stats = lua_touserdata(L, 1);
  lua_createtable(L, 0, 6);
  set_states(L, stats->states);
  lua_setfield(L, -2, "states");
  set_time(L, "oldest_unfinished", stats->oldest_unfinished);
  set_integer(L, "file_size", stats->file_size);
  if (stats->log_size >= 0) {
    set_integer(L, "log_size", stats->log_size);
    set_integer(L, "free_size", stats->free_size);
  }
  lua_createtable(L, 0, (int)stats->action_count);
  for (size_t i = 0; i < stats->action_count; i++) {
    set_states(L, stats->actions[i].states);
    lua_setfield(L, -2, stats->actions[i].action);
  }
  lua_setfield(L, -2, "actions");
  return 1;
}

/* host.events.stats(path) → {states={received=, …}, actions={[action]={received=, …}},
 * oldest_unfinished=, file_size=, log_size=, free_size=} | nil, message; at a server the size is
 * that of the tables, and the last two are nil */
static int stats(lua_State *L) {
  host_error error;
  event_stats counted;
  bool ok = event_store_stats(luaL_checkstring(L, 1), &counted, &error);
  lua_pushcfunction(L, push_stats);
  lua_pushlightuserdata(L, &counted);
  int status = lua_pcall(L, 1, 1, 0);
  event_stats_free(&counted);
  if (status != LUA_OK) {
    return lua_error(L);
  }
  return ok ? 1 : push_error(L, &error);
}

/* host.events.count_states(path) → {received=, …} | nil, message */
static int count_states(lua_State *L) {
  host_error error;
  int64_t states[EVENT_STATES];
  if (!event_store_count_states(luaL_checkstring(L, 1), states, &error)) {
    return push_error(L, &error);
  }
  set_states(L, states);
  return 1;
}

static const luaL_Reg store_methods[] = {
    {"close", store_close}, {"counts", store_counts}, {"stalled", store_stalled}, {NULL, NULL}};
/* host.events.remove_empty(path) → whether the database was removed: it has no events, and nobody
 * uses it */
static int remove_empty(lua_State *L) {
  lua_pushboolean(L, event_store_remove_empty(luaL_checkstring(L, 1)));
  return 1;
}

/* host.events.is_server(name) → whether a database of this name is at a server, not in a file */
static int is_server(lua_State *L) {
  lua_pushboolean(L, postgres_is_url(luaL_checkstring(L, 1)));
  return 1;
}

/* host.events.shown_name(name) → the name of a database without a password */
static int shown_name(lua_State *L) {
  char name[1024];
  postgres_url_without_password(luaL_checkstring(L, 1), name, sizeof name);
  lua_pushstring(L, name);
  return 1;
}

static const luaL_Reg events_functions[] = {
    {"is_server", is_server},
    {"shown_name", shown_name},
    {"list", list},
    {"show", show},
    {"replay", replay},
    {"replay_dead", replay_dead},
    {"purge", purge},
    {"stats", stats},
    {"remove_empty", remove_empty},
    {"attempts", attempts},
    {"replay_matching", replay_matching},
    {"purge_matching", purge_matching},
    {"count_states", count_states},
    {NULL, NULL},
};

static void set_names(lua_State *L, const char *name, const char *const *names) {
  lua_newtable(L);
  for (lua_Integer i = 0; names[i] != NULL; i++) {
    lua_pushstring(L, names[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, name);
}

void lua_open_store(lua_State *L) {
  define_handle(L, STORE_TYPE, store_methods, store_gc);
  lua_pushcfunction(L, store_open);
  lua_setfield(L, -2, "store");
  luaL_newlib(L, events_functions);
  set_names(L, "states", event_state_names);
  set_names(L, "finished_states", event_state_names + EVENT_DONE);
  lua_setfield(L, -2, "events");
}
