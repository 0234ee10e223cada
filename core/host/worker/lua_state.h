/* A Lua state of the program: standard libraries, lua-cjson, palenca.core and the embedded modules.
 */
#ifndef PALENCA_HOST_WORKER_LUA_STATE_H
#define PALENCA_HOST_WORKER_LUA_STATE_H

#include <lua.h>

/* Everything in it can be required without a LUA_PATH. `open`, a function without arguments and
 * results, adds what the program offers to Lua beside that. The state belongs to the calling
 * thread, whose locale is C from here on, whatever the process's is. NULL: out of memory. */
lua_State *lua_state_new(lua_CFunction open);
/* On the same thread. */
void lua_state_close(lua_State *L);

/* A message handler for lua_pcall. An error that is an object is complete; a string is an
 * unexpected error, and gets a traceback. */
int lua_state_traceback(lua_State *L);

#endif
