/* A Lua state of the program: standard libraries, lua-cjson, palenca.core and the embedded modules.
 */
#include "state.h"

#include "core.h"
#include "embedded.h"
#include "lua_host.h"

#include <lauxlib.h>
#include <lua-cjson.h>
#include <lualib.h>
#include <stdio.h>

static int load_embedded(lua_State *L) {
  const embedded_module *module = lua_touserdata(L, lua_upvalueindex(1));
  if (luaL_loadbufferx(L, (const char *)module->source, module->size, module->chunk, "t") != LUA_OK)
    return lua_error(L);
  lua_pushstring(L, module->module);
  lua_call(L, 1, 1);
  return 1;
}

/* The standard print writes each argument by itself, and lines of several
 * workers would run into one another. */
static int print_line(lua_State *L) {
  luaL_Buffer line;
  int count = lua_gettop(L);
  luaL_buffinit(L, &line);
  for (int i = 1; i <= count; i++) {
    if (i > 1)
      luaL_addchar(&line, '\t');
    luaL_tolstring(L, i, NULL);
    luaL_addvalue(&line);
  }
  luaL_addchar(&line, '\n');
  luaL_pushresult(&line);
  size_t size;
  const char *text = lua_tolstring(L, -1, &size);
  fwrite(text, 1, size, stdout);
  fflush(stdout);
  return 0;
}

static void preload(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_cjson);
  lua_setfield(L, -2, "cjson");
  lua_pushcfunction(L, luaopen_palenca_core);
  lua_setfield(L, -2, "palenca.core");
  lua_pushcfunction(L, luaopen_palenca_host);
  lua_setfield(L, -2, "palenca.host");
  for (size_t i = 0; i < embedded_module_count; i++) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)&embedded_modules[i]);
    lua_pushcclosure(L, load_embedded, 1);
    lua_setfield(L, -2, embedded_modules[i].module);
  }
  lua_pop(L, 1);
}

static int open_all(lua_State *L) {
  luaL_openlibs(L);
  preload(L);
  lua_pushcfunction(L, print_line);
  lua_setglobal(L, "print");
  return 0;
}

lua_State *host_state_new(void) {
  lua_State *L = luaL_newstate();
  if (L == NULL)
    return NULL;
  lua_pushcfunction(L, open_all);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
    lua_close(L);
    return NULL;
  }
  return L;
}

int host_state_traceback(lua_State *L) {
  const char *message = luaL_tolstring(L, 1, NULL);
  if (lua_type(L, 1) == LUA_TSTRING)
    luaL_traceback(L, L, message, 1);
  return 1;
}
