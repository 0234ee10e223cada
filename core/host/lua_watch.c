/* palenca.host: notices when a script, or a module beside it, is written anew. */
#include "lua_host.h"

#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define WATCHER_TYPE "palenca.watcher"

typedef struct {
  int fd; /* -1 when closed */
} watcher;

static int watcher_close(lua_State *L) {
  watcher *w = luaL_checkudata(L, 1, WATCHER_TYPE);
  if (w->fd >= 0)
    close(w->fd);
  w->fd = -1;
  return 0;
}

/* The directory is watched, not the file: editors write a new file and rename it over the old
 * one. A file that is only begun (IN_CREATE) is of no interest before it is closed. */
static bool watch_directory_of(int fd, const char *path) {
  char directory[PATH_MAX];
  const char *slash = strrchr(path, '/');
  size_t size = slash == NULL ? 0 : (size_t)(slash - path) + 1;
  if (size >= sizeof directory)
    return errno = ENAMETOOLONG, false;
  memcpy(directory, path, size);
  directory[size] = '\0';
  return inotify_add_watch(fd, size == 0 ? "." : directory, IN_CLOSE_WRITE | IN_MOVED_TO) >= 0;
}

/* host.watch(path) → watcher | nil, message. What a link leads to is watched as well. */
static int watch(lua_State *L) {
  char target[PATH_MAX];
  const char *path = luaL_checkstring(L, 1);
  watcher *w = lua_newuserdatauv(L, sizeof *w, 0);
  w->fd = -1;
  luaL_setmetatable(L, WATCHER_TYPE);
  w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (w->fd < 0 || !watch_directory_of(w->fd, path) ||
      (realpath(path, target) != NULL && !watch_directory_of(w->fd, target))) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s cannot be watched: %s", path, strerror(errno));
    return 2;
  }
  return 1;
}

static bool is_lua(const struct inotify_event *event) {
  if (event->mask & IN_Q_OVERFLOW)
    return true; /* it may have been among what was lost */
  size_t length = event->len > 0 ? strlen(event->name) : 0;
  return length > 4 && strcmp(event->name + length - 4, ".lua") == 0;
}

/* watcher:changed() → whether a file whose name ends in .lua was written since it was asked last */
static int watcher_changed(lua_State *L) {
  _Alignas(struct inotify_event) char buffer[4096];
  watcher *w = luaL_checkudata(L, 1, WATCHER_TYPE);
  bool changed = false;
  ssize_t got;
  while (w->fd >= 0 && (got = read(w->fd, buffer, sizeof buffer)) > 0) {
    for (char *at = buffer; at < buffer + got;) {
      const struct inotify_event *event = (const struct inotify_event *)(void *)at;
      changed = changed || is_lua(event);
      at += sizeof *event + event->len;
    }
  }
  lua_pushboolean(L, changed);
  return 1;
}

static const luaL_Reg methods[] = {
    {"changed", watcher_changed}, {"close", watcher_close}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"watch", watch}, {NULL, NULL}};

void lua_open_watch(lua_State *L) {
  if (luaL_newmetatable(L, WATCHER_TYPE)) {
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, watcher_close);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
