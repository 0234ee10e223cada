/* Writes a file beside its place, and puts it there as a whole. */
#include "backup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MAX_TRIES 10
#define FORMAT_VERSIONS 18 /* in the header of a database: to write and to read it */

static bool fail(host_error *error, const char *what, const char *name) {
  return host_error_set(error, HOST_FAILED, "cannot %s %s: %s", what, name, strerror(errno));
}

/* Links of the folder are resolved, since another process opens it by this name. */
static bool resolve(event_backup_file *file, const char *name, host_error *error) {
  char copy[PATH_MAX], folder[PATH_MAX], full[2 * PATH_MAX + sizeof EVENT_BACKUP_PARTIAL];
  if (snprintf(copy, sizeof copy, "%s", name) >= (int)sizeof copy) {
    errno = ENAMETOOLONG;
    return fail(error, "create", name);
  }
  char *slash = strrchr(copy, '/');
  const char *last = slash != NULL ? slash + 1 : copy;
  if (*last == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0) {
    errno = EISDIR;
    return fail(error, "create", name);
  }
  if (slash != NULL) {
    *slash = '\0';
  }
  if (realpath(slash == NULL ? "." : slash == copy ? "/" : copy, folder) == NULL) {
    return fail(error, "create", name);
  }
  (void)snprintf(full, sizeof full, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, last);
  file->name = strdup(full);
  (void)strcat(full, EVENT_BACKUP_PARTIAL);
  file->partial = strdup(full);
  return (file->name != NULL && file->partial != NULL) ||
         host_error_set(error, HOST_FAILED, "out of memory");
}

static bool is_free(const event_backup_file *file, host_error *error) {
  struct stat status;
  if (lstat(file->name, &status) != 0) {
    return errno == ENOENT || fail(error, "create", file->name);
  }
  if (!file->overwrites) {
    return host_error_set(error, HOST_FAILED, "%s exists already; it was left as it is",
                          file->name);
  }
  errno = EEXIST;
  return S_ISREG(status.st_mode) || fail(error, "replace", file->name);
}

/* One that another process removed, as left over, before it was locked, does not count. */
static bool is_at(int fd, const char *name) {
  struct stat own, there;
  return fstat(fd, &own) == 0 && lstat(name, &there) == 0 && own.st_ino == there.st_ino &&
         own.st_dev == there.st_dev;
}

void event_backup_file_remove_orphan(const char *partial) {
  int fd = open(partial, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0) {
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_at(fd, partial)) {
      (void)unlink(partial);
    }
    (void)close(fd);
  }
}

/* With errno; EWOULDBLOCK: another process writes it. */
static int create(const char *partial) {
  for (int tries = 0; tries < MAX_TRIES; tries++) {
    int fd = open(partial, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && is_at(fd, partial)) {
      return fd;
    }
    if (fd >= 0) {
      (void)close(fd);
    } else if (errno != EEXIST) {
      return -1;
    }
    event_backup_file_remove_orphan(partial);
  }
  errno = EWOULDBLOCK;
  return -1;
}

static bool create_partial(event_backup_file *file, const struct stat *like, host_error *error) {
  file->fd = create(file->partial);
  if (file->fd < 0 && errno == EWOULDBLOCK) {
    return host_error_set(error, HOST_FAILED, "another command is writing %s", file->partial);
  }
  bool ok = file->fd >= 0 && (geteuid() != 0 || like == NULL || like->st_uid == 0 ||
                              fchown(file->fd, like->st_uid, like->st_gid) == 0);
  return ok || fail(error, "create", file->partial);
}

bool event_backup_file_open(event_backup_file *file, const char *name, bool overwrites,
                            const struct stat *like, host_error *error) {
  *file = (event_backup_file){.fd = -1, .overwrites = overwrites};
  bool ok = resolve(file, name, error) && is_free(file, error) && create_partial(file, like, error);
  if (!ok) {
    event_backup_file_close(file);
  }
  return ok;
}

bool event_backup_file_complete(event_backup_file *file, host_error *error) {
  static const char without_log[] = {1, 1};
  return pwrite(file->fd, without_log, sizeof without_log, FORMAT_VERSIONS) ==
             (ssize_t)sizeof without_log ||
         fail(error, "write to", file->partial);
}

static int rename_to_nothing(const char *from, const char *to) {
#ifdef RENAME_NOREPLACE
  int result = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
  if (result == 0 || (errno != ENOSYS && errno != EINVAL)) {
    return result;
  }
#endif /* nor in every file system */
  struct stat status;
  if (lstat(to, &status) == 0) {
    errno = EEXIST;
    return -1;
  }
  return rename(from, to);
}

static bool sync_folder(const char *name) {
  char copy[PATH_MAX];
  (void)snprintf(copy, sizeof copy, "%s", name);
  int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  /* Some file systems cannot, and have nothing to sync then. */
  bool ok = folder >= 0 && (fsync(folder) == 0 || errno == EINVAL || errno == ENOTSUP);
  if (folder >= 0) {
    (void)close(folder);
  }
  return ok;
}

bool event_backup_file_keep(event_backup_file *file, host_error *error) {
  if (fsync(file->fd) != 0) {
    return fail(error, "write to", file->partial);
  }
  int result = file->overwrites ? rename(file->partial, file->name)
                                : rename_to_nothing(file->partial, file->name);
  if (result != 0) {
    return errno == EEXIST ? is_free(file, error) && fail(error, "create", file->name)
                           : fail(error, "create", file->name);
  }
  (void)close(file->fd);
  file->fd = -1;
  return sync_folder(file->name) || fail(error, "sync the folder of", file->name);
}

void event_backup_file_close(event_backup_file *file) {
  if (file->fd >= 0) {
    (void)unlink(file->partial);
    (void)close(file->fd);
  }
  free(file->name);
  free(file->partial);
  *file = (event_backup_file){.fd = -1};
}
