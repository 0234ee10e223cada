/* Makes a Lua state of the program, with the standard libraries, lua-cjson, palenca.core and the
 * embedded modules. */
#include "lua_state.h"

#include "common/log_queue.h"
#include "core.h"
#include "embedded.h"

#include <errno.h>
#include <lauxlib.h>
#include <locale.h>
#include <lua-cjson.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int load_embedded(lua_State *L) {
  const embedded_file *module = lua_touserdata(L, lua_upvalueindex(1));
  if (luaL_loadbufferx(L, module->data, module->size, module->name, "b") != LUA_OK) {
    return lua_error(L);
  }
  lua_pushstring(L, module->name);
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
    if (i > 1) {
      luaL_addchar(&line, '\t');
    }
    luaL_tolstring(L, i, NULL);
    luaL_addvalue(&line);
  }
  luaL_addchar(&line, '\n');
  luaL_pushresult(&line);
  size_t size;
  const char *text = lua_tolstring(L, -1, &size);
  if (fwrite(text, 1, size, stdout) != size || fflush(stdout) != 0) {
    log_output_failure(errno); /* no error of the script's, which printed in vain */
  }
  return 0;
}

/* The standard os.setlocale changes the process, and with it how other scripts read numbers. Here
 * the native locale is C, and no other can be honored. */
static int set_locale(lua_State *L) {
  static const char *const categories[] = {"all",     "collate", "ctype", "monetary",
                                           "numeric", "time",    NULL};
  const char *name = luaL_optstring(L, 1, NULL);
  luaL_checkoption(L, 2, "all", categories);
  if (name == NULL || name[0] == '\0' || strcmp(name, "C") == 0 || strcmp(name, "POSIX") == 0) {
    lua_pushliteral(L, "C");
  } else {
    luaL_pushfail(L);
  }
  return 1;
}

static void preload(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_cjson);
  lua_setfield(L, -2, "cjson");
  lua_pushcfunction(L, luaopen_palenca_core);
  lua_setfield(L, -2, "palenca.core");
  for (size_t i = 0; i < embedded_module_count; i++) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)&embedded_modules[i]);
    lua_pushcclosure(L, load_embedded, 1);
    lua_setfield(L, -2, embedded_modules[i].name);
  }
  lua_pop(L, 1);
}

/* open_all(a C function that adds to the state) */
static int open_all(lua_State *L) {
  luaL_openlibs(L);
  preload(L);
  lua_pushcfunction(L, print_line);
  lua_setglobal(L, "print");
  lua_getglobal(L, "os");
  lua_pushcfunction(L, set_locale);
  lua_setfield(L, -2, "setlocale");
  lua_pop(L, 1);
  lua_call(L, 0, 0);
  return 0;
}

/* A thread's own locale goes before that of the process, which a C module of a script may set at
 * any time, under whatever reads or writes a number just then. */
static bool use_c_locale(void) {
  locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (locale != (locale_t)0) {
    uselocale(locale);
  }
  return locale != (locale_t)0;
}

lua_State *lua_state_new(lua_CFunction open) {
  if (!use_c_locale()) {
    return NULL;
  }
  lua_State *L = luaL_newstate();
  if (L != NULL) {
    lua_pushcfunction(L, open_all);
    lua_pushcfunction(L, open);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK) {
      return L;
    }
  }
  lua_state_close(L); /* of none: the thread's locale */
  return NULL;
}

void lua_state_close(lua_State *L) {
  if (L != NULL) {
    lua_close(L);
  }
  locale_t own = uselocale(LC_GLOBAL_LOCALE);
  if (own != LC_GLOBAL_LOCALE) {
    freelocale(own);
  }
}

int lua_state_traceback(lua_State *L) {
  const char *message = luaL_tolstring(L, 1, NULL);
  if (lua_type(L, 1) == LUA_TSTRING) {
    luaL_traceback(L, L, message, 1);
  }
  return 1;
}
