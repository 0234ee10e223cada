/* Locks an event store for the one process at a time that may write to the database. */
#include "lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* With the permissions and the owner of `like`. */
static int open_beside(const char *path, const char *suffix, const char *like, mode_t mode) {
  char name[PATH_MAX];
  struct stat database, own;
  if (snprintf(name, sizeof name, "%s%s", path, suffix) >= (int)sizeof name) {
    errno = ENAMETOOLONG;
    return -1;
  }
  if (stat(like, &database) != 0) {
    return -1;
  }
  int file = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, database.st_mode & mode);
  if (file >= 0 && geteuid() == 0 && fstat(file, &own) == 0 && own.st_uid != database.st_uid &&
      fchown(file, database.st_uid, database.st_gid) != 0) {
    (void)close(file);
    return -1;
  }
  return file;
}

int event_lock_open_beside(const char *path, const char *suffix, mode_t mode) {
  return open_beside(path, suffix, path, mode);
}

/* What cannot be written is missing in a message. */
static void write_holder(int lock, const char *role) {
  char line[EVENT_LOCK_HOLDER_SIZE];
  int size = snprintf(line, sizeof line, "%ld %s\n", (long)getpid(), role);
  if (size > 0 && size < (int)sizeof line && ftruncate(lock, 0) == 0) {
    ssize_t written = pwrite(lock, line, (size_t)size, 0);
    (void)written;
  }
}

static void fail_held(const char *path, host_error *error) {
  char holder[EVENT_LOCK_HOLDER_SIZE];
  event_lock_holder(path, holder);
  bool is_command = strstr(holder, "palenca events") != NULL ||
                    strstr(holder, "palenca forget") != NULL ||
                    strstr(holder, "palenca reconcile") != NULL;
  (void)host_error_set(error, HOST_HELD, "another process is %s %s%s%s%s",
                       is_command ? "writing to" : "serving from", path,
                       *holder != '\0' ? " (" : "", holder, *holder != '\0' ? ")" : "");
}

/* Whether the file that was locked is still the one of that name: its last holder may have removed
 * it after it was opened here, and another process may lock another one. */
static bool is_in_place(int lock, const char *path) {
  char name[PATH_MAX];
  struct stat own, named;
  return snprintf(name, sizeof name, "%s-lock", path) < (int)sizeof name &&
         fstat(lock, &own) == 0 && stat(name, &named) == 0 && own.st_dev == named.st_dev &&
         own.st_ino == named.st_ino;
}

int event_lock_take(const char *path, const char *role, host_error *error) {
  return event_lock_take_place(path, path, role, error);
}

int event_lock_take_place(const char *path, const char *like, const char *role, host_error *error) {
  int lock = open_beside(path, "-lock", like, 0600);
  if (lock < 0) {
    (void)host_error_set(error, HOST_FAILED, "cannot open %s-lock: %s", path, strerror(errno));
    return -1;
  }
  if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
    if (is_in_place(lock, path)) {
      write_holder(lock, role);
      return lock;
    }
    errno = EWOULDBLOCK;
  }
  if (errno == EWOULDBLOCK) {
    fail_held(path, error);
  } else {
    (void)host_error_set(error, HOST_FAILED, "cannot lock %s: %s", path, strerror(errno));
  }
  (void)close(lock);
  return -1;
}

bool event_lock_is_free(const char *path, host_error *error) {
  char name[PATH_MAX];
  (void)snprintf(name, sizeof name, "%s-lock", path);
  int lock = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  bool is_held = lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (is_held) {
    fail_held(path, error);
  }
  if (lock >= 0) {
    (void)close(lock);
  }
  return !is_held;
}

void event_lock_release(int lock) {
  if (lock >= 0) {
    int emptied = ftruncate(lock, 0);
    (void)emptied; /* a name that stays is one of a process that has ended */
    (void)close(lock);
  }
}

/* An earlier version has other bytes there. */
static bool is_text(const char *text) {
  for (; *text != '\0'; text++) {
    if (*text < ' ' || *text > '~') {
      return false;
    }
  }
  return true;
}

void event_lock_holder(const char *path, char holder[EVENT_LOCK_HOLDER_SIZE]) {
  char name[PATH_MAX], line[EVENT_LOCK_HOLDER_SIZE - 16] = "", *role = NULL;
  *holder = '\0';
  (void)snprintf(name, sizeof name, "%s-lock", path);
  int file = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) {
    return;
  }
  ssize_t size = pread(file, line, sizeof line - 1, 0);
  (void)close(file);
  char *end = size > 0 ? memchr(line, '\n', (size_t)size) : NULL;
  if (end == NULL) {
    return;
  }
  *end = '\0';
  long process = strtol(line, &role, 10);
  if (process > 0 && *role == ' ' && is_text(role)) {
    (void)snprintf(holder, EVENT_LOCK_HOLDER_SIZE, "process %ld,%s", process, role);
  }
}
