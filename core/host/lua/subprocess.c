/* os.execute and io.popen, in place of the standard ones: children have default signals and none of
 * the descriptors of this process, and no thread waits for what another one has locked. */
#include "subprocess.h"

#include "common/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* In the registry: those whose stream was collected while they ran, by their ids. */
#define LEFT_FIELD "palenca.left_children"

/* CLOSE_RANGE_CLOEXEC, whose header is not everywhere. */
#define CLOSE_ON_EXEC (1U << 2)

extern char **environ;

/* The standard library knows the first part only. */
typedef struct {
  luaL_Stream stream;
  pid_t child;
} child_stream;

/* Libraries open some that are not closed by an exec. */
static int close_descriptors(posix_spawn_file_actions_t *actions) {
#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
  return posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
#else
  (void)actions;
  (void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_ON_EXEC);
  return 0;
#endif
}

/* `own` becomes the child's descriptor `as`, unless it is -1. Returns 0, or what is wrong. */
static int spawn_shell(pid_t *child, const char *command, int own, int as) {
  char *const arguments[] = {"sh", "-c", (char *)(uintptr_t)command, NULL};
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  sigset_t none, ignored;
  int problem = posix_spawnattr_init(&attributes);
  if (problem != 0) {
    return problem;
  }
  problem = posix_spawn_file_actions_init(&actions);
  if (problem == 0) {
    sigemptyset(&none);
    signals_ignored_set(&ignored);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &ignored);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (own >= 0) {
      problem = posix_spawn_file_actions_adddup2(&actions, own, as);
    }
    if (problem == 0) {
      problem = close_descriptors(&actions);
    }
    if (problem == 0) {
      problem = posix_spawn(child, "/bin/sh", &actions, &attributes, arguments, environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
  }
  (void)posix_spawnattr_destroy(&attributes);
  return problem;
}

static int wait_for(pid_t child) {
  int status = -1;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) {
      return -1;
    }
  }
  errno = 0; /* which luaL_execresult would take for a failure of the call */
  return status;
}

/* Those that have ended since. */
static void reap_left(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LEFT_FIELD);
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    pid_t child = (pid_t)lua_tointeger(L, -2);
    lua_pop(L, 1);
    if (waitpid(child, NULL, WNOHANG) != 0) {
      lua_pushnil(L);
      lua_rawseti(L, -3, child);
    }
  }
  lua_pop(L, 1);
}

/* ---- os.execute -------------------------------------------------------------------------- */

/* Of this thread, as system() has it for the process: what the terminal sends to all is the
 * child's. */
static int run_shell(const char *command) {
  static const struct timespec at_once = {0};
  sigset_t interrupts, before;
  pid_t child;
  sigemptyset(&interrupts);
  sigaddset(&interrupts, SIGINT);
  sigaddset(&interrupts, SIGQUIT);
  pthread_sigmask(SIG_BLOCK, &interrupts, &before);
  errno = spawn_shell(&child, command, -1, -1);
  int status = errno == 0 ? wait_for(child) : -1;
  int problem = errno;
  if (sigismember(&before, SIGINT)) {
    sigdelset(&interrupts, SIGINT);
  }
  if (sigismember(&before, SIGQUIT)) {
    sigdelset(&interrupts, SIGQUIT);
  }
  while (sigtimedwait(&interrupts, NULL, &at_once) > 0) {
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = problem;
  return status;
}

static int execute(lua_State *L) {
  const char *command = luaL_optstring(L, 1, NULL);
  if (command == NULL) {
    lua_pushboolean(L, access("/bin/sh", X_OK) == 0);
    return 1;
  }
  reap_left(L);
  return luaL_execresult(L, run_shell(command));
}

/* ---- io.popen ------------------------------------------------------------------------------ */

static bool is_collected(lua_State *L) {
  lua_Debug activation;
  return lua_getstack(L, 0, &activation) && lua_getinfo(L, "n", &activation) &&
         activation.name != NULL && strcmp(activation.name, "__gc") == 0;
}

/* Called by the collector on any thread, so it does not wait for the child. */
static int leave(lua_State *L, child_stream *own) {
  int fd = fileno(own->stream.f);
  (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  (void)fclose(own->stream.f);
  if (waitpid(own->child, NULL, WNOHANG) == 0) {
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LEFT_FIELD);
    lua_pushboolean(L, 1);
    lua_rawseti(L, -2, own->child);
  }
  return 0;
}

static int close_stream(lua_State *L) {
  child_stream *own = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  if (is_collected(L)) {
    return leave(L, own);
  }
  (void)fclose(own->stream.f);
  return luaL_execresult(L, wait_for(own->child));
}

/* Returns what is wrong, or 0. */
static int open_stream(child_stream *own, const char *command, bool is_read) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return errno;
  }
  int mine = is_read ? ends[0] : ends[1], its = is_read ? ends[1] : ends[0];
  own->stream.f = fdopen(mine, is_read ? "r" : "w");
  int problem = own->stream.f == NULL ? errno : 0;
  if (problem == 0) {
    problem = spawn_shell(&own->child, command, its, is_read ? STDOUT_FILENO : STDIN_FILENO);
  }
  (void)close(its);
  if (problem != 0 && own->stream.f != NULL) {
    (void)fclose(own->stream.f);
  } else if (problem != 0) {
    (void)close(mine);
  }
  return problem;
}

static int open_pipe(lua_State *L) {
  const char *command = luaL_checkstring(L, 1);
  const char *mode = luaL_optstring(L, 2, "r");
  bool is_read = strcmp(mode, "r") == 0;
  luaL_argcheck(L, is_read || strcmp(mode, "w") == 0, 2, "invalid mode");
  reap_left(L);
  child_stream *own = lua_newuserdatauv(L, sizeof *own, 0);
  *own = (child_stream){.stream = {.closef = NULL}}; /* closed so far */
  luaL_setmetatable(L, LUA_FILEHANDLE);
  (void)fflush(stdout);
  errno = open_stream(own, command, is_read);
  if (errno != 0) {
    return luaL_fileresult(L, 0, command);
  }
  own->stream.closef = close_stream;
  return 1;
}

void lua_use_subprocess(lua_State *L) {
  lua_getglobal(L, LUA_OSLIBNAME);
  lua_pushcfunction(L, execute);
  lua_setfield(L, -2, "execute");
  lua_getglobal(L, LUA_IOLIBNAME);
  lua_pushcfunction(L, open_pipe);
  lua_setfield(L, -2, "popen");
  lua_pop(L, 2);
}
