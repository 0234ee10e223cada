/* host.admin_socket: opens the socket at which `palenca events` asks the process that serves. */
#include "handle.h"
#include "module.h"

#include "store/admin/server.h"

#include <stdlib.h>

#define ADMIN_TYPE "palenca.admin_socket"

typedef struct {
  host_loop_job job; /* first */
  host_loop *loop;
  event_admin_server *server;
} admin_socket;

/* host.admin_socket{loop=, store=, path= (of the database)} → socket | nil, message: before the
 * loop is started */
static int socket_open(lua_State *L) {
  host_error error;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "loop");
  lua_getfield(L, 1, "store");
  lua_getfield(L, 1, "path");
  host_loop *loop = check_handle(L, 2, LOOP_TYPE);
  event_store *store = check_handle(L, 3, STORE_TYPE);
  const char *path = luaL_checkstring(L, 4);
  void **handle = new_handle(L, ADMIN_TYPE);
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, -2, 1); /* the store, and its loop, must not be collected before it */
  admin_socket *socket = malloc(sizeof *socket);
  if (socket == NULL) {
    (void)host_error_set(&error, HOST_FAILED, "out of memory");
    return push_error(L, &error);
  }
  *socket = (admin_socket){.loop = loop};
  socket->server = event_admin_server_open(host_loop_uv(loop), store, path, &error);
  if (socket->server == NULL) {
    free(socket);
    return push_error(L, &error);
  }
  *handle = socket;
  return 1;
}

static void close_server(host_loop_job *job) {
  admin_socket *socket = (admin_socket *)(void *)job;
  event_admin_server_close(socket->server);
  free(socket);
}

/* socket:close(): does not wait for it; to be called before the store is closed */
static int socket_close(lua_State *L) {
  void **handle = luaL_checkudata(L, 1, ADMIN_TYPE);
  admin_socket *socket = *handle;
  *handle = NULL;
  if (socket != NULL) {
    socket->job.run = close_server;
    host_loop_post(socket->loop, &socket->job);
  }
  return 0;
}

static const luaL_Reg methods[] = {{"close", socket_close}, {NULL, NULL}};

void lua_open_admin_socket(lua_State *L) {
  define_handle(L, ADMIN_TYPE, methods, socket_close);
  lua_pushcfunction(L, socket_open);
  lua_setfield(L, -2, "admin_socket");
}
