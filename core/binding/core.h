/* palenca.core: the client as a Lua module, one source for Lua 5.4 and LuaJIT. */
#ifndef PALENCA_BINDING_CORE_H
#define PALENCA_BINDING_CORE_H

#include "palenca.h"

#include <lua.h>

#pragma GCC visibility push(hidden)

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
int luaopen_palenca_core(lua_State *L);

/* The parts of the module, each pushes its functions into the table on top. */
void core_open_engine(lua_State *L);
void core_open_engine_thread(lua_State *L);
void core_open_canonical_json(lua_State *L);
void core_open_row_hash(lua_State *L);
void core_open_json_decode(lua_State *L);
void core_open_json_encode(lua_State *L);
void core_open_json_rewrite(lua_State *L);
void core_open_locale(lua_State *L);
void core_open_plain(lua_State *L);
void core_open_protocol(lua_State *L);

/* What engines have in common. A request's strings are the table's, which has to stay on the
 * stack, with what this leaves there. */
void core_read_request(lua_State *L, int table, palenca_request *request);
/* Pushes the result as a table, or nil for NULL, and frees it; `slot` holds it while making the
 * table may raise, so that the userdata frees it. Returns 1. */
int core_push_taken(lua_State *L, palenca_result **slot, palenca_result *result);
void core_push_attempt(lua_State *L, const palenca_attempt_record *note);

#pragma GCC visibility pop

#endif
