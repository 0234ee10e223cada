/* host.missing_events: events that are queued because no webhook has come. */
#include "handle.h"
#include "module.h"
#include "store/event_admin.h"

#include <lauxlib.h>
#include <math.h>

/* host.missing_events.queue(path, {account_id=, user_id=, body=, began= (Unix seconds), after= (an
 * id)}) → whether it was queued: else there is one meanwhile, or whose it is was forgotten | nil,
 * message
 */
static int queue(lua_State *L) {
  host_error error;
  bool is_queued;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_getfield(L, 2, "account_id");
  lua_getfield(L, 2, "user_id");
  lua_getfield(L, 2, "body");
  lua_getfield(L, 2, "began");
  lua_getfield(L, 2, "after");
  const event_queue_request what = {.account_id = luaL_checkstring(L, 3),
                                    .user_id = luaL_optstring(L, 4, NULL),
                                    .body = luaL_checkstring(L, 5),
                                    .began = (int64_t)llround(luaL_checknumber(L, 6) * 1000),
                                    .after = luaL_checkinteger(L, 7)};
  if (!event_store_queue(luaL_checkstring(L, 1), &what, &is_queued, &error)) {
    return push_error(L, &error);
  }
  lua_pushboolean(L, is_queued);
  return 1;
}

/* host.missing_events.take_turn(path, number that the first call has returned) → number, "wait",
 * "own" or "done" | nil, message */
static int take_turn(lua_State *L) {
  static const char *const turns[] = {[EVENT_RECONCILE_WAIT] = "wait",
                                      [EVENT_RECONCILE_OWN] = "own",
                                      [EVENT_RECONCILE_DONE] = "done"};
  host_error error;
  int64_t asked = luaL_optinteger(L, 2, 0);
  event_reconcile_turn turn;
  if (!event_store_take_reconciling(luaL_checkstring(L, 1), &asked, &turn, &error)) {
    return push_error(L, &error);
  }
  lua_pushinteger(L, asked);
  lua_pushstring(L, turns[turn]);
  return 2;
}

/* host.missing_events.end_turn(path, number, whether it is done) → true | nil, message */
static int end_turn(lua_State *L) {
  host_error error;
  if (!event_store_end_reconciling(luaL_checkstring(L, 1), luaL_checkinteger(L, 2),
                                   lua_toboolean(L, 3), &error)) {
    return push_error(L, &error);
  }
  lua_pushboolean(L, true);
  return 1;
}

/* host.missing_events.last_purged(path) → when the last login.success was received that was
 * deleted, but for forgotten ones, in Unix seconds; 0: none was | nil, message */
static int last_purged(lua_State *L) {
  host_error error;
  int64_t received_at;
  if (!event_store_last_purged(luaL_checkstring(L, 1), &received_at, &error)) {
    return push_error(L, &error);
  }
  lua_pushnumber(L, (lua_Number)received_at / 1000);
  return 1;
}

void lua_open_missing_events(lua_State *L) {
  static const luaL_Reg functions[] = {{"queue", queue},
                                       {"last_purged", last_purged},
                                       {"take_turn", take_turn},
                                       {"end_turn", end_turn},
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "missing_events");
}
