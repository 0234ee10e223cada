/* palenca.host: opens what the program's own Lua modules can do beyond plain Lua, with the
 * functions of the log, the clock and random ids. */
#include "module.h"

#include "subprocess.h"

#include "clock.h"
#include "common/log_queue.h"

#include <lauxlib.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* host.unix_time() → seconds since 1970 */
static int unix_time(lua_State *L) {
  lua_pushnumber(L, (lua_Number)clock_unix_ms() / 1000);
  return 1;
}

/* host.random_hex(bytes) → that many random bytes, for keys */
static int random_hex(lua_State *L) {
  static const char digits[] = "0123456789abcdef";
  unsigned char raw[64];
  char text[2 * sizeof raw];
  lua_Integer size = luaL_checkinteger(L, 1);
  luaL_argcheck(L, size >= 1 && size <= (lua_Integer)sizeof raw, 1, "1 to 64 bytes");
  if (getentropy(raw, sizeof raw) != 0) {
    return luaL_error(L, "no random bytes are to be had");
  }
  for (lua_Integer i = 0; i < size; i++) {
    text[2 * i] = digits[raw[i] >> 4];
    text[2 * i + 1] = digits[raw[i] & 15];
  }
  lua_pushlstring(L, text, 2 * (size_t)size);
  return 1;
}

/* host.log_begin(as JSON, with dates): from here on log_write does not block */
static int begin_log(lua_State *L) {
  log_begin(lua_toboolean(L, 1), lua_toboolean(L, 2));
  return 0;
}

/* host.log_use_level(level) */
static int use_log_level(lua_State *L) {
  log_use_level(luaL_checkstring(L, 1));
  return 0;
}

/* host.log_use_json(as JSON): of entries before log_begin */
static int use_json(lua_State *L) {
  log_use_json(lua_toboolean(L, 1));
  return 0;
}

/* host.log_affixes(level) → what is to stand before and behind a line, or nil: nothing */
static int push_affixes(lua_State *L) {
  log_affix affix;
  if (!log_affixes(luaL_checkstring(L, 1), &affix)) {
    return 0;
  }
  lua_pushstring(L, affix.before);
  lua_pushstring(L, affix.after);
  return 2;
}

/* host.log_write(lines): to standard error */
static int write_log(lua_State *L) {
  size_t size;
  const char *lines = luaL_checklstring(L, 1, &size);
  log_write(lines, size);
  return 0;
}

/* host.log_end(timeout in seconds) */
static int end_log(lua_State *L) {
  log_end((int64_t)(luaL_checknumber(L, 1) * 1000));
  return 0;
}

/* host.output_failed() → whether something could not be written on standard output, by whomever */
static int output_failed(lua_State *L) {
  lua_pushboolean(L, ferror(stdout) != 0);
  return 1;
}

/* host.is_terminal(["stdout" | "stderr"]) → whether it is one; by default standard error */
static int is_terminal(lua_State *L) {
  static const char *const names[] = {"stdout", "stderr", NULL};
  lua_pushboolean(
      L, isatty(luaL_checkoption(L, 1, "stderr", names) == 0 ? STDOUT_FILENO : STDERR_FILENO));
  return 1;
}

/* host.terminal_width("stdout" | "stderr") → the columns of the terminal that it is | nil: it is
 * none */
static int terminal_width(lua_State *L) {
  static const char *const names[] = {"stdout", "stderr", NULL};
  struct winsize size;
  int fd = luaL_checkoption(L, 1, NULL, names) == 0 ? STDOUT_FILENO : STDERR_FILENO;
  if (!isatty(fd) || ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
    return 0;
  }
  lua_pushinteger(L, size.ws_col);
  return 1;
}

/* host.processors() → how many this process may use. It does not need /proc, of which a service may
 * see its own processes only. */
static int processors(lua_State *L) {
  cpu_set_t set;
  long count =
      sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
  lua_pushinteger(L, count > 0 ? (lua_Integer)count : 1);
  return 1;
}

static const luaL_Reg functions[] = {
    {"log_begin", begin_log},
    {"log_write", write_log},
    {"log_end", end_log},
    {"output_failed", output_failed},
    {"is_terminal", is_terminal},
    {"unix_time", unix_time},
    {"log_use_level", use_log_level},
    {"log_affixes", push_affixes},
    {"log_use_json", use_json},
    {"random_hex", random_hex},
    {"terminal_width", terminal_width},
    {"processors", processors},
    {NULL, NULL},
};

static int open_module(lua_State *L) {
  luaL_newlib(L, functions);
  lua_open_store(L);
  lua_open_decisions(L);
  lua_open_missing_events(L);
  lua_open_recordings(L);
  lua_open_forget(L);
  lua_open_backup(L);
  lua_open_threads(L);
  lua_open_receiver(L);
  lua_open_admin_socket(L);
  lua_open_own_thread(L);
  lua_open_http_server(L);
  lua_open_files(L);
  lua_open_watch(L);
  lua_open_limits(L);
  lua_open_versions(L);
  lua_open_service_manager(L);
  lua_open_monitor(L);
  return 1;
}

int lua_open_host(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, open_module);
  lua_setfield(L, -2, "palenca.host");
  lua_pop(L, 1);
  lua_use_subprocess(L);
  return 0;
}
