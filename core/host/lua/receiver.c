/* host.receiver: the webhook endpoint, for the command that serves. */
#include "handle.h"
#include "module.h"

#include "common/log_queue.h"
#include "webhook/receiver.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LISTENER_TYPE "palenca.listener"
#define RECEIVER_TYPE "palenca.receiver"

/* ---- the loop ------------------------------------------------------------------------------ */

/* host.loop() → loop | nil, message: for a listener, a store and a receiver, in that order */
static int loop_open(lua_State *L) {
  host_error error;
  void **handle = new_handle(L, LOOP_TYPE);
  *handle = host_loop_new(&error);
  if (*handle == NULL) {
    return push_error(L, &error);
  }
  host_loop_keep_heartbeat(*handle);
  return 1;
}

/* loop:close(): after what is on it */
static int loop_close(lua_State *L) {
  void **handle = luaL_checkudata(L, 1, LOOP_TYPE);
  host_loop_close(*handle);
  *handle = NULL;
  return 0;
}

/* ---- rejected requests ------------------------------------------------------------------- */

static void describe(const rejection *record, const char *address, char text[256]) {
  char who[96];
  if (record->client != NULL) {
    (void)snprintf(who, sizeof who, "request from %s%s", record->is_proxy ? "proxy " : "", address);
  } else {
    (void)snprintf(who, sizeof who, "%llu more request%s", (unsigned long long)record->count,
                   record->count == 1 ? "" : "s");
  }
  (void)snprintf(text, 256, "rejected %s: %d (%s)", who, record->status, record->cause);
}

static void log_rejected(void *context, const rejection *record) {
  char message[256], address[NET_ADDRESS_TEXT] = "";
  (void)context;
  if (record->client != NULL) {
    net_address_text(record->client, address);
  }
  describe(record, address, message);
  const log_field fields[] = {
      {.name = "status", .number = (uint64_t)record->status},
      {.name = "cause", .text = record->cause},
      {.name = "count", .number = record->count},
      {.name = record->is_proxy ? "proxy" : "client", .text = address},
  };
  log_put(&(log_entry){.event = "refused",
                       .level = "warning",
                       .message = message,
                       .fields = fields,
                       .field_count = record->client != NULL ? 4 : 3});
}

/* ---- settings ------------------------------------------------------------------------------ */

/* The table of settings is at 1. What is read from it stays on the stack, so that its strings and
 * blocks live until the receiver has copied them. */

static const char *text_of(lua_State *L, int table, const char *name) {
  lua_getfield(L, table, name);
  return luaL_optstring(L, -1, NULL);
}

static size_t size_of(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  lua_Integer value = luaL_optinteger(L, -1, 0);
  luaL_argcheck(L, value >= 0, 1, name);
  return (size_t)value;
}

static int64_t ms_of(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  return (int64_t)(luaL_optnumber(L, -1, 0) * 1000);
}

/* The list under a name; it is left at the top. An absent one is empty. */
static size_t list_of(lua_State *L, int table, const char *name) {
  luaL_checkstack(L, LUA_MINSTACK, "too many settings");
  if (lua_getfield(L, table, name) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
  }
  luaL_checktype(L, -1, LUA_TTABLE);
  return (size_t)luaL_len(L, -1);
}

static const net_block *blocks_of(lua_State *L, const char *name, size_t *count) {
  size_t number = list_of(L, 1, name);
  net_block *blocks = lua_newuserdatauv(L, (number + 1) * sizeof *blocks, 0);
  for (size_t i = 0; i < number; i++) {
    lua_rawgeti(L, -2, (lua_Integer)i + 1);
    if (!net_block_parse(luaL_checkstring(L, -1), &blocks[i])) {
      luaL_error(L, "%s: not an address or a block of addresses", name);
    }
    lua_pop(L, 1);
  }
  *count = number;
  return blocks;
}

/* The secrets are the table's, which keeps them. */
static void secrets_of(lua_State *L, int table, webhook_signature_options *out) {
  size_t number = list_of(L, table, "secrets");
  const char **secrets = lua_newuserdatauv(L, (number + 1) * sizeof *secrets, 0);
  for (size_t i = 0; i < number; i++) {
    lua_rawgeti(L, -2, (lua_Integer)i + 1);
    secrets[i] = luaL_checkstring(L, -1);
    lua_pop(L, 1);
  }
  out->secrets = secrets;
  out->secret_count = number;
}

/* Of the options at an index. */
static bool signature_of(lua_State *L, int options, webhook_signature_options *out) {
  if (lua_getfield(L, options, "signature") == LUA_TNIL) {
    return false;
  }
  int table = lua_gettop(L);
  luaL_checktype(L, table, LUA_TTABLE);
  out->header = text_of(L, table, "header");
  luaL_argcheck(L, out->header != NULL, options, "signature.header");
  out->form.digest = text_of(L, table, "digest");
  out->form.encoding = text_of(L, table, "encoding");
  out->form.prefix = text_of(L, table, "prefix");
  secrets_of(L, table, out);
  luaL_argcheck(L, out->secret_count > 0, options, "signature.secrets");
  return true;
}

/* host.listen{listen=, passed_socket=, path=, loop=, max_body=, max_head=, request_timeout=,
 * idle_timeout=, max_connections=, max_connections_per_address=, tls_cert=, tls_key=, trusted={},
 * allowed={}, signature={header=, digest=, encoding=, prefix=, secrets={}}} → listener | nil,
 * message: the address is bound, and nothing accepted yet */
static int listener_open(lua_State *L) {
  host_error error;
  webhook_signature_options signature = {0};
  receiver_options options = {0};
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "loop");
  options.loop = check_handle(L, 2, LOOP_TYPE);
  options.listen = text_of(L, 1, "listen");
  options.path = text_of(L, 1, "path");
  options.passed_fd = (int)size_of(L, "passed_socket");
  luaL_argcheck(L, options.listen != NULL && options.path != NULL, 1, "listen and path");
  options.max_body = size_of(L, "max_body");
  options.max_head = size_of(L, "max_head");
  options.request_ms = ms_of(L, "request_timeout");
  options.idle_ms = ms_of(L, "idle_timeout");
  options.max_connections = size_of(L, "max_connections");
  options.max_connections_per_address = size_of(L, "max_connections_per_address");
  options.tls_cert = text_of(L, 1, "tls_cert");
  options.tls_key = text_of(L, 1, "tls_key");
  options.trusted = blocks_of(L, "trusted", &options.trusted_count);
  options.allowed = blocks_of(L, "allowed", &options.allowed_count);
  options.signature = signature_of(L, 1, &signature) ? &signature : NULL;
  options.log = log_rejected;
  void **handle = new_handle(L, LISTENER_TYPE);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, 1); /* the loop must not be collected before it */
  *handle = receiver_new(&options, &error);
  return *handle != NULL ? 1 : push_error(L, &error);
}

static int listener_close(lua_State *L) {
  void **handle = luaL_checkudata(L, 1, LISTENER_TYPE);
  if (*handle != NULL) {
    (void)receiver_join(*handle, 0); /* its loop has not been started */
  }
  *handle = NULL;
  return 0;
}

/* host.receiver(loop, listener, store) → receiver | nil, message: starts the loop. The listener
 * is the receiver's. It is made after the store, and so collected before it. */
static int receiver_open(lua_State *L) {
  host_error error;
  host_loop *loop = check_handle(L, 1, LOOP_TYPE);
  void **listener = luaL_checkudata(L, 2, LISTENER_TYPE);
  luaL_argcheck(L, *listener != NULL, 2, "closed");
  event_store *store = check_handle(L, 3, STORE_TYPE);
  lua_settop(L, 3);
  void **handle = new_handle(L, RECEIVER_TYPE);
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, -2, 1);
  receiver_serve(*listener, store);
  if (!host_loop_start(loop, &error)) {
    return push_error(L, &error);
  }
  *handle = *listener;
  *listener = NULL;
  return 1;
}

/* listener:address() */
static int listener_address(lua_State *L) {
  lua_pushstring(L, receiver_address(check_handle(L, 1, LISTENER_TYPE)));
  return 1;
}

/* listener:max_connections() → its max, which may be lower than the requested one */
static int listener_max_connections(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)receiver_max_connections(check_handle(L, 1, LISTENER_TYPE)));
  return 1;
}

/* ---- the receiver -------------------------------------------------------------------------- */

/* receiver:reload_tls() → true | nil, message: certificate and key from before stay in use */
static int receiver_reload(lua_State *L) {
  host_error error;
  if (!receiver_reload_tls(check_handle(L, 1, RECEIVER_TYPE), &error)) {
    return push_error(L, &error);
  }
  lua_pushboolean(L, true);
  return 1;
}

/* receiver:replace_signature{signature={}}, as of host.listen → true | nil, message: what was asked
 * for before stays in use */
static int receiver_replace(lua_State *L) {
  host_error error;
  webhook_signature_options signature = {0};
  receiver *r = check_handle(L, 1, RECEIVER_TYPE);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_argcheck(L, signature_of(L, 2, &signature), 2, "signature");
  if (!receiver_replace_signature(r, &signature, &error)) {
    return push_error(L, &error);
  }
  lua_pushboolean(L, true);
  return 1;
}

/* receiver:end_connections(): each response is the last one of its connection; further connections
 * are accepted */
static int receiver_end(lua_State *L) {
  receiver_end_connections(check_handle(L, 1, RECEIVER_TYPE));
  return 0;
}

/* receiver:ask_stop(timeout in seconds) */
static int receiver_ask(lua_State *L) {
  receiver *r = check_handle(L, 1, RECEIVER_TYPE);
  receiver_ask_stop(r, (int64_t)(luaL_checknumber(L, 2) * 1000));
  return 0;
}

/* receiver:join(timeout in seconds) → whether it has ended; it is closed then */
static int receiver_wait(lua_State *L) {
  void **handle = luaL_checkudata(L, 1, RECEIVER_TYPE);
  bool ended = *handle == NULL || receiver_join(*handle, (int64_t)(luaL_checknumber(L, 2) * 1000));
  if (ended) {
    *handle = NULL;
  }
  lua_pushboolean(L, ended);
  return 1;
}

static int receiver_gc(lua_State *L) {
  void **handle = luaL_checkudata(L, 1, RECEIVER_TYPE);
  if (*handle != NULL) {
    receiver_ask_stop(*handle, 1000);
    while (!receiver_join(*handle, 1000)) {
    }
  }
  *handle = NULL;
  return 0;
}

/* host.is_block(text) → whether it is an address or a block of addresses, as trusted and allowed
 * take them */
static int is_block(lua_State *L) {
  net_block block;
  lua_pushboolean(L, net_block_parse(luaL_checkstring(L, 1), &block));
  return 1;
}

static const luaL_Reg methods[] = {
    {"reload_tls", receiver_reload},   {"replace_signature", receiver_replace},
    {"end_connections", receiver_end}, {"ask_stop", receiver_ask},
    {"join", receiver_wait},           {NULL, NULL}};
static const luaL_Reg loop_methods[] = {{"close", loop_close}, {NULL, NULL}};
static const luaL_Reg listener_methods[] = {{"address", listener_address},
                                            {"max_connections", listener_max_connections},
                                            {"close", listener_close},
                                            {NULL, NULL}};
static const luaL_Reg functions[] = {{"loop", loop_open},
                                     {"listen", listener_open},
                                     {"receiver", receiver_open},
                                     {"is_block", is_block},
                                     {NULL, NULL}};

void lua_open_receiver(lua_State *L) {
  define_handle(L, LOOP_TYPE, loop_methods, loop_close);
  define_handle(L, LISTENER_TYPE, listener_methods, listener_close);
  define_handle(L, RECEIVER_TYPE, methods, receiver_gc);
  luaL_setfuncs(L, functions, 0);
}
