/* Responses that are recorded while a worker's handlers run, as Lua has them. */
#ifndef PALENCA_HOST_LUA_RECORDINGS_H
#define PALENCA_HOST_LUA_RECORDINGS_H

#include "store/ledger/recording.h"

#include <lua.h>

/* Adds the function that makes one to the table on top. */
void lua_add_recording(lua_State *L);

/* The recording of an argument, to be taken out of its handle; NULL: the argument is nil. */
event_recording **lua_check_recording(lua_State *L, int index);

#endif
