/* Decisions of a worker's handlers, as Lua has them. */
#ifndef PALENCA_HOST_LUA_DECISIONS_H
#define PALENCA_HOST_LUA_DECISIONS_H

#include "store/ledger/decision.h"

#include <lua.h>

/* Adds the function that makes one to the table on top. */
void lua_add_decision(lua_State *L);

/* The decision of an argument, to be taken out of its handle; NULL: the argument is nil. */
event_decision **lua_check_decision(lua_State *L, int index);

#endif
