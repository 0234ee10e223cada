/* host.passed_socket, host.notify, host.watchdog: what a service manager passes and hears. */
#include "handle.h"
#include "module.h"

#include "common/service_manager.h"

/* host.passed_socket() → the descriptor of a listening socket | nil, message: without a message
 * none was passed */
static int passed_socket(lua_State *L) {
  host_error error;
  int fd;
  if (!service_manager_socket(&fd, &error)) {
    return push_error(L, &error);
  }
  if (fd < 0) {
    return 0;
  }
  lua_pushinteger(L, fd);
  return 1;
}

/* host.notify(lines) → whether there is somebody who has received them */
static int notify(lua_State *L) {
  lua_pushboolean(L, service_manager_notify(luaL_checkstring(L, 1)));
  return 1;
}

/* host.watchdog() → seconds within which WATCHDOG=1 has to be sent, again and again | nil */
static int watchdog(lua_State *L) {
  int64_t us = service_manager_watchdog_us();
  if (us <= 0) {
    return 0;
  }
  lua_pushnumber(L, (lua_Number)us / 1e6);
  return 1;
}

static const luaL_Reg functions[] = {
    {"passed_socket", passed_socket}, {"notify", notify}, {"watchdog", watchdog}, {NULL, NULL}};

void lua_open_service_manager(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
