/* Who asks the store for a piece of work from Lua, and whether that may still go on. */
#ifndef PALENCA_HOST_LUA_ADMIN_ASKER_H
#define PALENCA_HOST_LUA_ADMIN_ASKER_H

#include "http/server.h"
#include "worker/lua_thread.h"

#include <lua.h>

typedef struct {
  lua_thread *thread;            /* that runs the Lua code; NULL: it is none of the host's */
  const http_exchange *exchange; /* the request that it responds to; NULL: none */
} admin_asker;

admin_asker admin_asker_of(lua_State *L);

/* As event_admin_stop has it, with an admin_asker: the thread is to end. */
const char *admin_asker_ends(void *asker);
/* Likewise; or the request's client has left, for which nobody needs the result. */
const char *admin_asker_left(void *asker);

#endif
