/* os.execute and io.popen of the program's Lua states. */
#ifndef PALENCA_HOST_LUA_SUBPROCESS_H
#define PALENCA_HOST_LUA_SUBPROCESS_H

#include <lua.h>

/* Puts them in the place of the standard library's. */
void lua_use_subprocess(lua_State *L);

#endif
