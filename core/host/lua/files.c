/* palenca.host: reads the files of the pages inside the program, finds and replaces files of data,
 * makes temporary ones, and locks a file for one process. */
#include "module.h"

#include "common/host_error.h"
#include "worker/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_TYPE "palenca.lock"

/* host.asset(name) → the text of a page's file | nil */
static int asset(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  for (size_t i = 0; i < embedded_asset_count; i++) {
    const embedded_file *found = &embedded_assets[i];
    if (strcmp(found->name, name) == 0) {
      lua_pushlstring(L, found->data, found->size);
      return 1;
    }
  }
  return 0;
}

static int lock_close(lua_State *L) {
  int *fd = luaL_checkudata(L, 1, LOCK_TYPE);
  if (*fd >= 0) {
    close(*fd);
  }
  *fd = -1;
  return 0;
}

/* Pushes nil and the message; for `return`. */
static int push_error_of(lua_State *L, const char *path, const host_error *error) {
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path, error->message); /* of a path of any length */
  return 2;
}

static bool fail(host_error *error, int problem) {
  return host_error_set(error, HOST_FAILED, "%s", strerror(problem));
}

static bool open_lock(int *fd, const char *path, host_error *error) {
  *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (*fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB) == 0) {
    return true;
  }
  return *fd >= 0 && errno == EWOULDBLOCK
             ? host_error_set(error, HOST_HELD, "in use by another process")
             : fail(error, errno);
}

/* host.lock(path) → lock | nil, message. The file is made if there is none; the lock ends with
 * lock:close(), with the lock's collection, or with the process. */
static int lock_file(lua_State *L) {
  host_error error;
  const char *path = luaL_checkstring(L, 1);
  int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
  *fd = -1;
  luaL_setmetatable(L, LOCK_TYPE);
  return open_lock(fd, path, &error) ? 1 : push_error_of(L, path, &error);
}

/* host.temporary_file() → path of a new file, for its owner alone, in $TMPDIR or /tmp | nil,
 * message. os.tmpname knows /tmp only. */
static int temporary_file(lua_State *L) {
  const char *directory = getenv("TMPDIR");
  host_error error;
  char path[4096];
  int length = snprintf(path, sizeof path, "%s/palenca-XXXXXX",
                        directory != NULL && directory[0] != '\0' ? directory : "/tmp");
  if (length < 0 || (size_t)length >= sizeof path) {
    (void)fail(&error, ENAMETOOLONG);
    return push_error_of(L, "TMPDIR", &error);
  }
  int fd = mkostemp(path, O_CLOEXEC);
  if (fd < 0) {
    (void)fail(&error, errno);
    return push_error_of(L, path, &error);
  }
  close(fd);
  lua_pushstring(L, path);
  return 1;
}

/* Its lock goes by the name: with two names it would be two locks for one file. */
static bool check_data_file(int fd, host_error *error) {
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0) {
    return fail(error, errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return host_error_set(error, HOST_FAILED, "not a regular file");
  }
  return status.st_nlink <= 1 ||
         host_error_set(error, HOST_FAILED, "the file has several names (hard links)");
}

/* host.data_file(path) → the name of the file itself, with all links resolved | nil, message.
 * The file is made if there is none. */
static int data_file(lua_State *L) {
  host_error error;
  char name[PATH_MAX];
  const char *path = luaL_checkstring(L, 1);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
  bool ok = check_data_file(fd, &error);
  if (fd >= 0) {
    close(fd);
  }
  ok = ok && (realpath(path, name) != NULL || fail(&error, errno));
  if (!ok) {
    return push_error_of(L, path, &error);
  }
  lua_pushstring(L, name);
  return 1;
}

static bool write_all(int fd, const char *text, size_t size) {
  while (size > 0) {
    ssize_t written = write(fd, text, size);
    if (written < 0) {
      return false;
    }
    text += written;
    size -= (size_t)written;
  }
  return true;
}

/* Writes a file beside the one that it is to replace, with that one's mode; a new one is for its
 * owner alone. False, with errno. */
static bool write_beside(const char *path, const char *beside, const char *text, size_t size) {
  struct stat status = {.st_mode = 0600};
  if (stat(path, &status) != 0 && errno != ENOENT) {
    return false;
  }
  (void)unlink(beside); /* left by a process that was killed */
  int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    return false;
  }
  bool ok = write_all(fd, text, size) && fchmod(fd, status.st_mode & 07777) == 0 && fsync(fd) == 0;
  int error = errno;
  close(fd);
  errno = error;
  return ok;
}

/* A device or a pipe would be gone, and a file in its place. */
static bool is_replaceable(const char *path, host_error *error) {
  struct stat status;
  return stat(path, &status) != 0 || S_ISREG(status.st_mode) ||
         host_error_set(error, HOST_FAILED, "not a regular file");
}

/* host.replace_file(path, text) → true | nil, message: all of the text is in the file then, or it
 * is as it was; there may be none yet */
static int replace_file(lua_State *L) {
  size_t size;
  const char *path = luaL_checkstring(L, 1);
  const char *text = luaL_checklstring(L, 2, &size);
  const char *beside = lua_pushfstring(L, "%s.new", path);
  host_error error;
  if (!is_replaceable(path, &error)) {
    return push_error_of(L, path, &error);
  }
  if (!write_beside(path, beside, text, size) || rename(beside, path) != 0) {
    (void)fail(&error, errno);
    (void)unlink(beside);
    return push_error_of(L, path, &error);
  }
  lua_pushboolean(L, true);
  return 1;
}

/* host.make_directory(path) → true | nil, message: it is there then, for its owner alone if it was
 * made now */
static int make_directory(lua_State *L) {
  host_error error;
  struct stat status;
  const char *path = luaL_checkstring(L, 1);
  int problem = mkdir(path, 0700) == 0 ? 0 : errno;
  if (problem == EEXIST && stat(path, &status) == 0) {
    problem = S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
  }
  if (problem != 0) {
    (void)fail(&error, problem);
    return push_error_of(L, path, &error);
  }
  lua_pushboolean(L, true);
  return 1;
}

/* host.file_mode(path) → its permissions | nil: it is no regular file */
static int file_mode(lua_State *L) {
  struct stat status;
  if (stat(luaL_checkstring(L, 1), &status) != 0 || !S_ISREG(status.st_mode)) {
    return 0;
  }
  lua_pushinteger(L, (lua_Integer)(status.st_mode & 07777));
  return 1;
}

/* host.current_directory() → its name | nil, if it has none any more */
static int current_directory(lua_State *L) {
  char name[PATH_MAX];
  if (getcwd(name, sizeof(name)) == NULL) {
    return 0;
  }
  lua_pushstring(L, name);
  return 1;
}

static const luaL_Reg lock_methods[] = {{"close", lock_close}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"asset", asset},
                                     {"current_directory", current_directory},
                                     {"data_file", data_file},
                                     {"file_mode", file_mode},
                                     {"lock", lock_file},
                                     {"make_directory", make_directory},
                                     {"replace_file", replace_file},
                                     {"temporary_file", temporary_file},
                                     {NULL, NULL}};

void lua_open_files(lua_State *L) {
  if (luaL_newmetatable(L, LOCK_TYPE)) {
    luaL_newlib(L, lock_methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, lock_close);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
