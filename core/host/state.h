/* A Lua state of the program: standard libraries, lua-cjson, palenca.core and the embedded modules. */
#ifndef PALENCA_HOST_STATE_H
#define PALENCA_HOST_STATE_H

#include "palenca.h"

#include <lua.h>

/* Everything in it can be required without a LUA_PATH. The pacers, which
 * outlive the state, are shared by all its engines. NULL: out of memory. */
lua_State *host_state_new(palenca_pacers *pacers);

/* The pacers the state was made with. */
palenca_pacers *host_state_pacers(lua_State *L);

#endif
