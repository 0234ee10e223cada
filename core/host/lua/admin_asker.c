/* Who asks the store for a piece of work from Lua, and whether that may still go on. */
#include "admin_asker.h"

#include "http_server.h"

admin_asker admin_asker_of(lua_State *L) {
  return (admin_asker){.thread = lua_thread_of(L), .exchange = lua_current_exchange(L)};
}

const char *admin_asker_ends(void *context) {
  const admin_asker *asker = context;
  bool ends = asker->thread != NULL && lua_thread_requested(asker->thread) != LUA_THREAD_RUN;
  return ends ? "the process ends" : NULL;
}

const char *admin_asker_left(void *context) {
  const admin_asker *asker = context;
  if (asker->exchange != NULL && http_exchange_is_abandoned(asker->exchange)) {
    return "the client has left";
  }
  return admin_asker_ends(context);
}
