/* Makes a directory's disk fail on demand: preloaded into a program, it lets what writes to the
 * files of one directory fail as long as another file, the switch, exists.
 *
 * FAILING_DISK_DIRECTORY: the directory. FAILING_DISK_SWITCH: the other file, outside of it; "write
 * ERRNO" in it is a disk that takes nothing any more, and "sync ERRNO" one that takes everything
 * and keeps it for itself. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static const char *directory, *switch_path;

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("FAILING_DISK_DIRECTORY");
  directory = name != NULL ? realpath(name, NULL) : NULL;
  switch_path = getenv("FAILING_DISK_SWITCH");
  unsetenv("LD_PRELOAD"); /* what the program starts is another program */
}

/* The error that an operation ("write" or "sync") has now; 0: none. */
static int failure(const char *operation) {
  char text[32] = "", failing[8];
  int reason = 0;
  if (directory == NULL || switch_path == NULL) {
    return 0;
  }
  int fd = (int)syscall(SYS_openat, AT_FDCWD, switch_path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return 0;
  }
  ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  if (size > 0 && sscanf(text, "%7s %d", failing, &reason) == 2 &&
      strcmp(failing, operation) == 0) {
    return reason;
  }
  return 0;
}

static bool is_path_here(const char *path) {
  size_t size = directory != NULL ? strlen(directory) : 0;
  return size > 0 && strncmp(path, directory, size) == 0 && path[size] == '/';
}

static bool is_here(int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) {
    return false;
  }
  path[size] = '\0';
  return is_path_here(path);
}

/* Whether the operation fails, with errno set. */
static bool fails(const char *operation, int fd) {
  int before = errno;
  int reason = failure(operation);
  bool is_failing = reason != 0 && is_here(fd);
  errno = is_failing ? reason : before;
  return is_failing;
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t offset) {
  return fails("write", fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, size, offset);
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) {
  return pwrite64(fd, bytes, size, offset);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t size) {
  return fails("write", fd) ? -1 : syscall(SYS_write, fd, bytes, size);
}

EXPORT int ftruncate64(int fd, off_t size) {
  return fails("write", fd) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

EXPORT int ftruncate(int fd, off_t size) {
  return ftruncate64(fd, size);
}

EXPORT int fdatasync(int fd) {
  return fails("write", fd) || fails("sync", fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

EXPORT int fsync(int fd) {
  return fails("write", fd) || fails("sync", fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

EXPORT int unlink(const char *path) {
  int reason = is_path_here(path) ? failure("write") : 0;
  if (reason == 0) {
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  }
  errno = reason;
  return -1;
}

EXPORT int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  int mode = (flags & O_CREAT) != 0 ? va_arg(rest, int) : 0;
  va_end(rest);
  bool writes = (flags & O_ACCMODE) != O_RDONLY;
  int reason = writes && is_path_here(path) ? failure("write") : 0;
  if (reason == 0) {
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  }
  errno = reason;
  return -1;
}

EXPORT int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  int mode = (flags & O_CREAT) != 0 ? va_arg(rest, int) : 0;
  va_end(rest);
  return open64(path, flags, mode);
}
