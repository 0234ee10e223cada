/* Lets another server's requests be responded to as those of host.http_server are. */
#ifndef PALENCA_HOST_LUA_HTTP_SERVER_H
#define PALENCA_HOST_LUA_HTTP_SERVER_H

#include "http/request_queue.h"

#include <lua.h>

/* Pushes a server without an address, whose close calls `leave`, which must not raise. Before that
 * lua_open_http_server has been called. */
void lua_push_http_queue(lua_State *L, http_queue *queue, void (*leave)(http_queue *queue));

/* The request that a function of Lua is responding to; NULL: none. */
const http_exchange *lua_current_exchange(lua_State *L);

#endif
