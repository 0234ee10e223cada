/* host.http_server: an HTTP server whose responses a Lua function makes. */
#include "http_server.h"

#include "module.h"

#include "common/log_queue.h"
#include "handle.h"
#include "http/request_queue.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#define SERVER_TYPE "palenca.http_server"
#define RESPONSE_HEADERS_MAX 32
#define REQUEST_HEADERS_MAX 100

/* Taken in one call of run, so that whoever calls it does other things as well. */
#define RUN_MAX 64

typedef struct {
  http_queue *queue;
  void (*leave)(http_queue *queue); /* instead of stopping it; or NULL */
  lua_Integer last_token;
} lua_server;

static lua_server *check_server(lua_State *L) {
  lua_server *s = luaL_checkudata(L, 1, SERVER_TYPE);
  if (s->queue == NULL) {
    luaL_error(L, "the server is closed");
  }
  return s;
}

typedef struct {
  http_header list[REQUEST_HEADERS_MAX];
  size_t count;
} header_list;

/* Only noted here: an error of Lua's must not jump over the frames of the HTTP library. */
static void note_header(void *context, const char *name, const char *value) {
  header_list *headers = context;
  if (headers->count < REQUEST_HEADERS_MAX) {
    headers->list[headers->count++] = (http_header){name, value};
  }
}

static void push_headers(lua_State *L, const http_exchange *exchange) {
  header_list headers = {.count = 0};
  http_exchange_headers(exchange, note_header, &headers);
  lua_newtable(L);
  for (size_t i = 0; i < headers.count; i++) {
    luaL_Buffer lower;
    luaL_buffinit(L, &lower);
    for (const char *c = headers.list[i].name; *c != '\0'; c++) {
      luaL_addchar(&lower, (char)tolower((unsigned char)*c));
    }
    luaL_pushresult(&lower);
    lua_pushstring(L, headers.list[i].value);
    lua_rawset(L, -3);
  }
}

static void push_request(lua_State *L, const http_exchange *exchange, lua_Integer token) {
  size_t size;
  const char *body = http_exchange_body(exchange, &size);
  char peer[NET_ADDRESS_TEXT];
  net_address_text(http_exchange_peer(exchange), peer);
  lua_createtable(L, 0, 8);
  lua_pushstring(L, peer);
  lua_setfield(L, -2, "peer");
  lua_pushinteger(L, token);
  lua_setfield(L, -2, "token");
  lua_pushstring(L, http_exchange_method(exchange));
  lua_setfield(L, -2, "method");
  lua_pushstring(L, http_exchange_path(exchange));
  lua_setfield(L, -2, "path");
  lua_pushstring(L, http_exchange_query(exchange));
  lua_setfield(L, -2, "query");
  lua_pushlstring(L, body, size);
  lua_setfield(L, -2, "body");
  push_headers(L, exchange);
  lua_setfield(L, -2, "headers");
}

typedef void send_response(http_exchange *exchange, int status, const http_header *headers,
                           size_t header_count, const char *body, size_t body_size);

/* Stack: status, headers, body on top. Raises, without a response, if they have other types. */
static void respond_with(lua_State *L, http_exchange *exchange, send_response *send) {
  http_header headers[RESPONSE_HEADERS_MAX];
  size_t count = 0;
  size_t size;
  int base = lua_gettop(L) - 2;
  lua_Integer status = luaL_checkinteger(L, base);
  luaL_checktype(L, base + 1, LUA_TTABLE);
  const char *body = luaL_checklstring(L, base + 2, &size);
  for (lua_pushnil(L); lua_next(L, base + 1) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING) {
      luaL_error(L, "a response's headers must be strings");
    }
    if (count < RESPONSE_HEADERS_MAX) {
      headers[count++] = (http_header){lua_tostring(L, -2), lua_tostring(L, -1)};
    }
  }
  send(exchange, (int)status, headers, count, body, size);
}

typedef struct {
  lua_server *server;
  http_exchange *exchange;
} arrival;

/* Stack: arrival, handler, server. An exchange without a response yet is stored by its token. */
static int call_handler(lua_State *L) {
  const arrival *arrived = lua_touserdata(L, 1);
  lua_Integer token = ++arrived->server->last_token;
  lua_pushvalue(L, 2);
  push_request(L, arrived->exchange, token);
  lua_call(L, 1, 3);
  if (!lua_isnil(L, -3)) {
    respond_with(L, arrived->exchange, http_exchange_respond);
    return 0;
  }
  lua_getiuservalue(L, 3, 1);
  lua_pushlightuserdata(L, arrived->exchange);
  lua_rawseti(L, -2, token);
  return 0;
}

static const char current_key;

static void set_current(lua_State *L, http_exchange *exchange) {
  lua_pushlightuserdata(L, exchange);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &current_key);
}

const http_exchange *lua_current_exchange(lua_State *L) {
  (void)lua_rawgetp(L, LUA_REGISTRYINDEX, &current_key);
  const http_exchange *exchange = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return exchange;
}

/* The server is at index 1, the handler at 2. */
static void handle_one(lua_State *L, lua_server *s, http_exchange *exchange) {
  arrival arrived = {s, exchange};
  set_current(L, exchange);
  lua_pushcfunction(L, call_handler);
  lua_pushlightuserdata(L, &arrived);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 1);
  if (lua_pcall(L, 3, 0, 0) != LUA_OK) {
    const char *message = lua_tostring(L, -1);
    char text[512];
    snprintf(text, sizeof text, "no response to the request: %s",
             message != NULL ? message : "unknown error");
    log_message("request", "warning", text);
    http_exchange_reject(exchange, 500, "internal error");
  }
  set_current(L, NULL);
  lua_settop(L, 2);
}

static lua_server *push_server(lua_State *L) {
  lua_server *s = lua_newuserdatauv(L, sizeof *s, 1);
  memset(s, 0, sizeof *s);
  lua_newtable(L);
  lua_setiuservalue(L, -2, 1); /* exchanges that wait for a response, by token */
  luaL_setmetatable(L, SERVER_TYPE);
  return s;
}

void lua_push_http_queue(lua_State *L, http_queue *queue, void (*leave)(http_queue *queue)) {
  lua_server *s = push_server(L);
  s->queue = queue;
  s->leave = leave;
}

/* host.http_server{listen=, max_body=} → server | nil, message */
static int server_new(lua_State *L) {
  host_error error;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "listen");
  lua_getfield(L, 1, "max_body");
  lua_server *s = push_server(L);
  http_server_options options = {
      .listen = luaL_checkstring(L, 2),
      .max_body = (size_t)luaL_checkinteger(L, 3),
  };
  s->queue = http_queue_start(&options, &error);
  if (s->queue == NULL) {
    return push_error(L, &error);
  }
  return 1;
}

/* server:run(handler): handles the requests that have arrived; handler(request) → status,
 * headers, body; or nil, if the response to request.token follows later */
static int server_run(lua_State *L) {
  lua_server *s = check_server(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  luaL_checkstack(L, LUA_MINSTACK, "too many requests");
  for (int i = 0; i < RUN_MAX; i++) {
    http_exchange *exchange = http_queue_take(s->queue);
    if (exchange == NULL) {
      break;
    }
    handle_one(L, s, exchange);
  }
  return 0;
}

/* The exchange of a token, which is removed: each gets one response. */
static http_exchange *take_exchange(lua_State *L) {
  check_server(L);
  lua_Integer token = luaL_checkinteger(L, 2);
  lua_getiuservalue(L, 1, 1);
  if (lua_rawgeti(L, -1, token) != LUA_TLIGHTUSERDATA) {
    luaL_argerror(L, 2, "no request waits for a response under this token");
  }
  http_exchange *exchange = lua_touserdata(L, -1);
  lua_pushnil(L);
  lua_rawseti(L, -3, token);
  lua_pop(L, 2);
  return exchange;
}

static int respond_later(lua_State *L, send_response *send) {
  luaL_checkinteger(L, 3);
  luaL_checktype(L, 4, LUA_TTABLE);
  luaL_checkstring(L, 5);
  lua_settop(L, 5);
  respond_with(L, take_exchange(L), send);
  return 0;
}

/* server:respond(token, status, headers, body) */
static int server_respond(lua_State *L) {
  return respond_later(L, http_exchange_respond);
}

/* server:respond_truncated(token, status, headers, body): closes the connection after half of
 * the body */
static int server_respond_truncated(lua_State *L) {
  return respond_later(L, http_exchange_respond_truncated);
}

/* server:abort(token): closes the connection without a response */
static int server_abort(lua_State *L) {
  http_exchange_abort(take_exchange(L));
  return 0;
}

static int server_fd(lua_State *L) {
  lua_pushinteger(L, http_queue_fd(check_server(L)->queue));
  return 1;
}

/* server:timeout() → seconds after which run must be called, or nil: when the descriptor is
 * readable */
static int server_timeout(lua_State *L) {
  check_server(L);
  lua_pushnil(L);
  return 1;
}

static int server_address(lua_State *L) {
  lua_pushstring(L, http_queue_address(check_server(L)->queue));
  return 1;
}

static void drop_all(lua_State *L) {
  lua_getiuservalue(L, 1, 1);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    http_exchange_abort(lua_touserdata(L, -1));
  }
}

static int server_close(lua_State *L) {
  lua_server *s = luaL_checkudata(L, 1, SERVER_TYPE);
  if (s->queue != NULL) {
    drop_all(L);
    (s->leave != NULL ? s->leave : http_queue_stop)(s->queue);
  }
  s->queue = NULL;
  return 0;
}

static const luaL_Reg methods[] = {
    {"run", server_run},
    {"respond", server_respond},
    {"respond_truncated", server_respond_truncated},
    {"abort", server_abort},
    {"fd", server_fd},
    {"timeout", server_timeout},
    {"address", server_address},
    {"close", server_close},
    {NULL, NULL},
};

void lua_open_http_server(lua_State *L) {
  if (luaL_newmetatable(L, SERVER_TYPE)) {
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, server_close);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, server_close);
    lua_setfield(L, -2, "__close");
  }
  lua_pop(L, 1);
  set_current(L, NULL); /* from now on that needs no memory */
  lua_pushcfunction(L, server_new);
  lua_setfield(L, -2, "http_server");
}
