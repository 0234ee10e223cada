/* palenca.host: notices when a script, a module beside it, or one that it has required, changes.
 *
 * Directories are watched, not files: editors write a new file and rename it over the old one.
 * What a path leads to is looked up again each time, since any part of it may be a link that leads
 * elsewhere now, or another directory than before.
 */
#include "module.h"

#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WATCHER_TYPE "palenca.watcher"
/* A file that is found where another one was may still be being written. */
#define STABLE_S 1

typedef struct {
  dev_t device;
  ino_t inode; /* 0: there is none */
} identity;

typedef struct {
  char *path;
  identity directory, target;
} watched_file;

typedef struct {
  int fd; /* -1 when closed */
  watched_file *files;
  size_t count;
  bool is_unstable;
} watcher;

/* ---- what a path leads to ------------------------------------------------------------------ */

static bool directory_of(char directory[PATH_MAX], const char *path) {
  const char *slash = strrchr(path, '/');
  size_t size = slash == NULL ? 0 : (size_t)(slash - path) + 1;
  if (size >= PATH_MAX - 1) {
    return errno = ENAMETOOLONG, false;
  }
  memcpy(directory, path, size);
  strcpy(directory + size, "."); /* what a link leads to, not the link */
  return true;
}

static identity identify(const char *path) {
  struct stat found;
  return stat(path, &found) == 0 ? (identity){found.st_dev, found.st_ino} : (identity){0, 0};
}

static bool is_same(identity a, identity b) {
  return a.device == b.device && a.inode == b.inode;
}

static bool is_link(const char *path) {
  struct stat found;
  return lstat(path, &found) == 0 && S_ISLNK(found.st_mode);
}

static void look_up(watched_file *file) {
  char directory[PATH_MAX];
  file->directory = directory_of(directory, file->path) ? identify(directory) : (identity){0, 0};
  file->target = identify(file->path);
}

/* Whether the path leads to another file than before. What is written or renamed within the same
 * directory is an event of that directory, which comes once it is all there. */
static bool leads_elsewhere(const watched_file *before, const watched_file *now) {
  return !is_same(before->target, now->target) && now->target.inode != 0 &&
         (!is_same(before->directory, now->directory) || is_link(now->path));
}

static bool is_stable(const watched_file *file) {
  struct stat found;
  time_t now = time(NULL);
  return stat(file->path, &found) != 0 || found.st_mtime > now || found.st_mtime < now - STABLE_S;
}

/* ---- directories --------------------------------------------------------------------------- */

/* A file that is only started (IN_CREATE) is of no interest before it is closed. */
static bool watch_directory_of(int fd, const char *path) {
  char directory[PATH_MAX];
  return directory_of(directory, path) &&
         inotify_add_watch(fd, directory, IN_CLOSE_WRITE | IN_MOVED_TO) >= 0;
}

static bool watch_file(int fd, const char *path) {
  char target[PATH_MAX];
  return watch_directory_of(fd, path) &&
         (realpath(path, target) == NULL || watch_directory_of(fd, target));
}

static bool is_lua(const struct inotify_event *event) {
  if (event->mask & IN_Q_OVERFLOW) {
    return true; /* it may have been among what was lost */
  }
  size_t length = event->len > 0 ? strlen(event->name) : 0;
  return length > 4 && strcmp(event->name + length - 4, ".lua") == 0;
}

/* Whether a file whose name ends in .lua was written. `is_gone` becomes true if a directory is not
 * watched any more. */
static bool read_events(int fd, bool *is_gone) {
  _Alignas(struct inotify_event) char buffer[4096];
  bool is_written = false;
  ssize_t got;
  while ((got = read(fd, buffer, sizeof buffer)) > 0) {
    for (char *at = buffer; at < buffer + got;) {
      const struct inotify_event *event = (const struct inotify_event *)(void *)at;
      is_written = is_written || is_lua(event);
      *is_gone = *is_gone || (event->mask & IN_IGNORED) != 0;
      at += sizeof *event + event->len;
    }
  }
  return is_written;
}

/* Watches the directories that the paths lead to now, and no others; what cannot be watched is
 * looked at all the same. Returns whether something was written meanwhile. */
static bool watch_again(watcher *w) {
  bool is_gone = false;
  int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) {
    return false;
  }
  for (size_t i = 0; i < w->count; i++) {
    (void)watch_file(fd, w->files[i].path);
  }
  bool is_written = read_events(w->fd, &is_gone);
  close(w->fd);
  w->fd = fd;
  return is_written;
}

/* ---- the watcher --------------------------------------------------------------------------- */

static void forget_files(watcher *w, size_t left) {
  while (w->count > left) {
    free(w->files[--w->count].path);
  }
}

static int watcher_close(lua_State *L) {
  watcher *w = luaL_checkudata(L, 1, WATCHER_TYPE);
  forget_files(w, 0);
  free(w->files);
  w->files = NULL;
  if (w->fd >= 0) {
    close(w->fd);
  }
  w->fd = -1;
  return 0;
}

/* False, with errno, if it cannot be watched. */
static bool add_file(watcher *w, const char *path, size_t size) {
  watched_file *files = realloc(w->files, (w->count + 1) * sizeof *files);
  if (files == NULL) {
    return false;
  }
  w->files = files;
  files[w->count] = (watched_file){.path = strndup(path, size)};
  if (files[w->count].path == NULL) {
    return false;
  }
  look_up(&files[w->count]);
  return watch_file(w->fd, files[w->count++].path);
}

/* host.watch(path) → watcher | nil, message */
static int watch(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  watcher *w = lua_newuserdatauv(L, sizeof *w, 0);
  *w = (watcher){.fd = -1};
  luaL_setmetatable(L, WATCHER_TYPE);
  w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (w->fd < 0 || !add_file(w, path, strlen(path))) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s cannot be watched: %s", path, strerror(errno));
    return 2;
  }
  return 1;
}

/* watcher:follow(files): these, one a line, are watched beside the first from here on */
static int watcher_follow(lua_State *L) {
  watcher *w = luaL_checkudata(L, 1, WATCHER_TYPE);
  const char *at = luaL_checkstring(L, 2);
  if (w->fd < 0) {
    return 0;
  }
  forget_files(w, 1);
  while (*at != '\0') {
    size_t size = strcspn(at, "\n");
    (void)add_file(w, at, size); /* what cannot be watched is looked at all the same */
    at += size + (at[size] == '\n');
  }
  return 0;
}

/* watcher:changed() → whether one of the files, or one beside them whose name ends in .lua, is
 * another one, or was written, since it was asked last */
static int watcher_changed(lua_State *L) {
  watcher *w = luaL_checkudata(L, 1, WATCHER_TYPE);
  if (w->fd < 0) {
    return 0;
  }
  bool is_gone = false, is_stable_now = true;
  bool is_changed = read_events(w->fd, &is_gone);
  bool is_moved = is_gone;
  for (size_t i = 0; i < w->count; i++) {
    watched_file now = {.path = w->files[i].path};
    look_up(&now);
    /* a directory made anew may have the number of the one that is gone */
    w->is_unstable =
        w->is_unstable || leads_elsewhere(&w->files[i], &now) || (is_gone && now.target.inode != 0);
    is_moved = is_moved || !is_same(now.directory, w->files[i].directory) ||
               !is_same(now.target, w->files[i].target);
    w->files[i] = now;
    is_stable_now = is_stable_now && (!w->is_unstable || is_stable(&now));
  }
  if (is_moved) {
    is_changed = watch_again(w) || is_changed;
  }
  is_changed = is_changed || w->is_unstable;
  w->is_unstable = w->is_unstable && !is_stable_now;
  lua_pushboolean(L, is_changed);
  return 1;
}

static const luaL_Reg methods[] = {{"changed", watcher_changed},
                                   {"follow", watcher_follow},
                                   {"close", watcher_close},
                                   {NULL, NULL}};
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
