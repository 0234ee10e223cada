/* A Lua state of the program: standard libraries, lua-cjson, palenca.core and the embedded modules.
 */
#ifndef PALENCA_HOST_STATE_H
#define PALENCA_HOST_STATE_H

#include "palenca.h"

#include <lua.h>

/* Everything in it can be required without a LUA_PATH. The pacers, which
 * outlive the state, are shared by all its engines. NULL: out of memory. */
lua_State *host_state_new(palenca_pacers *pacers);

/* A message handler for lua_pcall. What is raised as an object says all there is to say; a string
 * is an error nobody expected, and gets a traceback. */
int host_state_traceback(lua_State *L);

/* The pacers the state was made with. */
palenca_pacers *host_state_pacers(lua_State *L);

#endif
