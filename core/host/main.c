/* The palenca program: hands its arguments to the command line in Lua. */
#include "common/log_queue.h"
#include "common/signals.h"
#include "lua/module.h"
#include "worker/lua_state.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define STATUS_FAILED 1

typedef struct {
  int argc;
  char **argv;
} arguments;

/* require("palenca.host.cli")(arguments…) → exit status */
static int run(lua_State *L) {
  const arguments *args = lua_touserdata(L, 1);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "palenca.host.cli");
  lua_call(L, 1, 1);
  luaL_checkstack(L, args->argc, "too many arguments");
  for (int i = 1; i < args->argc; i++) {
    lua_pushstring(L, args->argv[i]);
  }
  lua_call(L, args->argc - 1, 1);
  return 1;
}

/* Every connection is a descriptor, and the usual soft limit is 1024. */
static void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

/* Whatever is opened next would take the place of one that is closed, and be written to. What is
 * written on a closed standard output must fail, as it would by itself. */
static void fill_standard_descriptors(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) < 0) {
      (void)open("/dev/null",
                 fd == STDOUT_FILENO ? O_RDONLY : O_RDWR); /* the lowest that is free */
    }
  }
}

static int fail(const arguments *args, const char *message) {
  bool json = false;
  for (int i = 1; i < args->argc; i++) {
    json = json || strcmp(args->argv[i], "--json") == 0;
  }
  log_use_json(json);
  log_message("error", "error", message);
  return STATUS_FAILED;
}

int main(int argc, char **argv) {
  arguments args = {argc, argv};
  fill_standard_descriptors();
  signals_begin();
  raise_descriptor_limit();
  /* SQLite's memory statistics are not used, and counting costs a tenth of what a put does. */
  (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  lua_State *L = lua_state_new(lua_open_host);
  if (L == NULL) {
    return fail(&args, "out of memory");
  }
  lua_pushcfunction(L, lua_state_traceback);
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, &args);
  int status = lua_pcall(L, 1, 1, 1) == LUA_OK ? (int)lua_tointeger(L, -1)
                                               : fail(&args, lua_tostring(L, -1));
  lua_state_close(L);
  return status;
}
