/* palenca.core: the client as a Lua module, one source for Lua 5.4 and LuaJIT. */
#ifndef PALENCA_BINDING_CORE_H
#define PALENCA_BINDING_CORE_H

#include <lua.h>

/* A light userdata under this name in the registry, set before the module is
 * opened, is the palenca_pacers that its engines share with other states. It
 * must outlive the state. */
#define PALENCA_PACERS_FIELD "palenca.pacers"

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
int luaopen_palenca_core(lua_State *L);

/* The parts of the module, each pushes its functions into the table on top. */
void core_open_engine(lua_State *L);
void core_open_protocol(lua_State *L);

#endif
