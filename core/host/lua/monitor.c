/* host.monitor: the listener for whoever watches the process; host.metrics: what Lua counts for it,
 * and says of the process's health. */
#include "handle.h"
#include "http_server.h"
#include "module.h"

#include "common/health.h"
#include "common/metrics.h"
#include "monitor/server.h"

#define MONITOR_TYPE "palenca.monitor"

/* host.monitor{listen=, build= (labels, as Prometheus writes them)} → monitor | nil, message */
static int monitor_open(lua_State *L) {
  host_error error;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "listen");
  lua_getfield(L, 1, "build");
  const char *listen = luaL_checkstring(L, 2), *build = luaL_checkstring(L, 3);
  void **handle = new_handle(L, MONITOR_TYPE);
  *handle = monitor_start(listen, build, &error);
  return *handle != NULL ? 1 : push_error(L, &error);
}

static int monitor_close(lua_State *L) {
  void **handle = luaL_checkudata(L, 1, MONITOR_TYPE);
  monitor_stop(*handle);
  *handle = NULL;
  return 0;
}

/* monitor:address() */
static int address(lua_State *L) {
  lua_pushstring(L, monitor_address(check_handle(L, 1, MONITOR_TYPE)));
  return 1;
}

/* monitor:is_local() → whether only this machine can reach it */
static int is_local(lua_State *L) {
  lua_pushboolean(L, monitor_is_local(check_handle(L, 1, MONITOR_TYPE)));
  return 1;
}

/* host.page_requests("GET" | "POST") → a server, as host.http_server, of the requests to the
 * monitor that it does not respond to by itself; to be closed before it | nil, message */
static int page_requests(lua_State *L) {
  static const char *const methods[] = {"GET", "POST", NULL};
  http_queue *queue = monitor_take_requests(luaL_checkoption(L, 1, NULL, methods) == 1);
  if (queue == NULL) {
    lua_pushnil(L);
    lua_pushliteral(L, "there is no listener");
    return 2;
  }
  lua_push_http_queue(L, queue, monitor_leave_requests);
  return 1;
}

/* ---- what is counted ----------------------------------------------------------------------- */

/* metrics.handled(action, seconds): an attempt has ended */
static int handled(lua_State *L) {
  size_t label = metric_action_label(luaL_optstring(L, 1, ""));
  metric_observe(METRIC_HANDLER, label, (int64_t)(luaL_checknumber(L, 2) * 1000000));
  return 0;
}

/* metrics.requested(status (nil: no response), attempts, seconds waited for the rate limit,
 * remaining (nil: not known)): a request to the API has ended */
static int requested(lua_State *L) {
  int status = (int)luaL_optinteger(L, 1, 0);
  lua_Integer attempts = luaL_optinteger(L, 2, 1);
  metric_add(METRIC_API_REQUESTS, metric_class_label(status), 1);
  metric_add(METRIC_API_RETRIES, 0, attempts > 1 ? attempts - 1 : 0);
  metric_observe(METRIC_API_WAIT, 0, (int64_t)(luaL_optnumber(L, 3, 0) * 1000000));
  if (!lua_isnoneornil(L, 4)) {
    metric_set(METRIC_API_REMAINING, 0, luaL_checkinteger(L, 4) + 1);
  }
  if (status == 401 || (status >= 200 && status < 300)) {
    health_set(HEALTH_KEY_REJECTED, status == 401);
  }
  return 0;
}

/* metrics.workers(count, blocked, replaced since the last call) */
static int workers(lua_State *L) {
  metric_set(METRIC_WORKERS, 0, luaL_checkinteger(L, 1));
  metric_set(METRIC_WORKERS_BLOCKED, 0, luaL_checkinteger(L, 2));
  metric_add(METRIC_WORKERS_REPLACED, 0, luaL_checkinteger(L, 3));
  return 0;
}

/* metrics.set_phase("starting" | "running" | "draining") */
static int set_phase(lua_State *L) {
  static const char *const names[] = {"starting", "running", "draining", NULL};
  int phase = luaL_checkoption(L, 1, NULL, names);
  health_set(HEALTH_STARTING, phase == 0);
  health_set(HEALTH_DRAINING, phase == 2);
  return 0;
}

/* metrics.loop_silence() → the seconds since the last heartbeat: less than one, unless the loop
 * hangs; 0: there is no loop */
static int loop_silence(lua_State *L) {
  lua_pushnumber(L, (lua_Number)health_silence_ms() / 1000);
  return 1;
}

/* metrics.is_key_rejected() → whether somebody watches, and the API's last response was 401 */
static int is_key_rejected(lua_State *L) {
  lua_pushboolean(L, health_is_watched() && health_has(HEALTH_KEY_REJECTED));
  return 1;
}

/* metrics.set_key_new(): the script is loaded with a key that the API has not been asked about */
static int set_key_new(lua_State *L) {
  (void)L;
  health_set_key_new();
  return 0;
}

/* metrics.claim_new_key() → whether the caller has to ask it now */
static int claim_new_key(lua_State *L) {
  lua_pushboolean(L, health_claim_new_key());
  return 1;
}

/* metrics.claim_key_probe() → whether the caller has to ask the API now if it takes the key */
static int claim_key_probe(lua_State *L) {
  lua_pushboolean(L, health_claim_key_probe());
  return 1;
}

/* metrics.problems() → {{reason=, message=}, …}: why /readyz is not ready */
static int problems(lua_State *L) {
  lua_newtable(L);
  for (int i = 0; i < HEALTH_PROBLEMS; i++) {
    health_problem problem = (health_problem)i;
    if (health_has(problem)) {
      lua_createtable(L, 0, 2);
      lua_pushstring(L, health_problem_name(problem));
      lua_setfield(L, -2, "reason");
      lua_pushstring(L, health_problem_text(problem));
      lua_setfield(L, -2, "message");
      lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    }
  }
  return 1;
}

/* metrics.oldest() → when the oldest unfinished event was received, Unix seconds | nil: there is
 * none */
static int oldest(lua_State *L) {
  int64_t time = metric_read(METRIC_OLDEST, 0);
  if (time == 0) {
    return 0;
  }
  lua_pushnumber(L, (lua_Number)time / 1000);
  return 1;
}

static const luaL_Reg methods[] = {
    {"address", address}, {"is_local", is_local}, {"close", monitor_close}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"handled", handled},
                                     {"requested", requested},
                                     {"workers", workers},
                                     {"set_phase", set_phase},
                                     {"loop_silence", loop_silence},
                                     {"is_key_rejected", is_key_rejected},
                                     {"set_key_new", set_key_new},
                                     {"claim_new_key", claim_new_key},
                                     {"claim_key_probe", claim_key_probe},
                                     {"problems", problems},
                                     {"oldest", oldest},
                                     {NULL, NULL}};

void lua_open_monitor(lua_State *L) {
  define_handle(L, MONITOR_TYPE, methods, monitor_close);
  luaL_getmetatable(L, MONITOR_TYPE);
  lua_pushcfunction(L, monitor_close);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
  lua_pushcfunction(L, monitor_open);
  lua_setfield(L, -2, "monitor");
  lua_pushcfunction(L, page_requests);
  lua_setfield(L, -2, "page_requests");
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "metrics");
}
