/* Models a power cut: preloaded into a program, it notes which pages of a directory's files were
 * written, and copies them to a second directory, the "disk", only when the program syncs them.
 *
 * After a kill the second directory holds what a disk is bound to hold, the first one what it may
 * hold as well; spec/support/power_cut.lua mixes them. Names are durable once their directory was
 * synced, contents once their file was. What goes through mmap is not seen.
 *
 * POWER_CUT_DIRECTORY: the directory whose files are watched, without its subdirectories.
 * POWER_CUT_DISK: an empty directory. It gets a file INODE.GENERATION for each file, and `names`,
 * with a line "INODE.GENERATION NAME" for each durable name. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096
#define EXPORT __attribute__((visibility("default")))

typedef struct watched {
  struct watched *next;
  ino_t inode;
  int generation;
  int disk_fd;
  unsigned char *dirty; /* one byte a page */
  size_t pages;
} watched;

static struct {
  pthread_mutex_t mutex;
  bool is_on;
  char *directory;
  dev_t device;
  ino_t inode;
  int disk; /* the descriptor of the disk's directory */
  int generations;
  watched *files;
} cut = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* The model is of no use once something here fails. */
static void must(bool ok, const char *what) {
  if (!ok) {
    fprintf(stderr, "power_cut: %s: %s\n", what, strerror(errno));
    _exit(70);
  }
}

/* ---- the watched files, all under the mutex ------------------------------------------- */

static watched *find(ino_t inode) {
  for (watched *file = cut.files; file != NULL; file = file->next) {
    if (file->inode == inode) {
      return file;
    }
  }
  return NULL;
}

/* A new life of an inode: nothing of it is on the disk. */
static watched *watch(ino_t inode) {
  watched *file = calloc(1, sizeof *file);
  must(file != NULL, "calloc");
  file->inode = inode;
  file->generation = ++cut.generations;
  char name[64];
  snprintf(name, sizeof name, "%lu.%d", (unsigned long)inode, file->generation);
  file->disk_fd = openat(cut.disk, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  must(file->disk_fd >= 0, name);
  file->next = cut.files;
  cut.files = file;
  return file;
}

static void forget(ino_t inode) {
  for (watched **link = &cut.files; *link != NULL; link = &(*link)->next) {
    watched *file = *link;
    if (file->inode == inode) {
      *link = file->next;
      close(file->disk_fd);
      free(file->dirty);
      free(file);
      return;
    }
  }
}

static bool is_here(const char *path) {
  size_t size = strlen(cut.directory);
  return strncmp(path, cut.directory, size) == 0 && path[size] == '/' &&
         strchr(path + size + 1, '/') == NULL;
}

/* The watched file of a descriptor; NULL if it is another one's, or has lost its name. */
static watched *of_descriptor(int fd) {
  struct stat status;
  if (!cut.is_on || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
      status.st_dev != cut.device || status.st_nlink == 0) {
    return NULL;
  }
  watched *file = find(status.st_ino);
  if (file != NULL) {
    return file;
  }
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) {
    return NULL;
  }
  path[size] = '\0';
  return is_here(path) ? watch(status.st_ino) : NULL;
}

static void make_room(watched *file, size_t pages) {
  if (pages <= file->pages) {
    return;
  }
  size_t wanted = pages < 1024 ? 1024 : 2 * pages;
  file->dirty = realloc(file->dirty, wanted);
  must(file->dirty != NULL, "realloc");
  memset(file->dirty + file->pages, 0, wanted - file->pages);
  file->pages = wanted;
}

static void note_written(int fd, off_t offset, ssize_t size) {
  if (size <= 0 || offset < 0 || !cut.is_on) {
    return;
  }
  pthread_mutex_lock(&cut.mutex);
  watched *file = of_descriptor(fd);
  if (file != NULL) {
    size_t first = (size_t)offset / PAGE, last = (size_t)(offset + size - 1) / PAGE;
    make_room(file, last + 1);
    memset(file->dirty + first, 1, last - first + 1);
  }
  pthread_mutex_unlock(&cut.mutex);
}

static void copy_page(int from, int to, size_t page) {
  unsigned char bytes[PAGE];
  ssize_t size = pread(from, bytes, sizeof bytes, (off_t)page * PAGE);
  must(size >= 0, "pread");
  must(syscall(SYS_pwrite64, to, bytes, (size_t)size, (off_t)page * PAGE) == size,
       "cannot write to the disk");
}

/* ---- syncing --------------------------------------------------------------------------- */

/* The directory's names are replaced at once, as a journal does it. */
static void write_names(void) {
  char text[32768];
  size_t size = 0;
  DIR *directory = opendir(cut.directory);
  must(directory != NULL, cut.directory);
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    struct stat status;
    if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(status.st_mode)) {
      continue;
    }
    watched *file = find(status.st_ino);
    if (file == NULL) {
      file = watch(status.st_ino);
    }
    size += (size_t)snprintf(text + size, sizeof text - size, "%lu.%d %s\n",
                             (unsigned long)file->inode, file->generation, entry->d_name);
    must(size < sizeof text, "too many files");
  }
  closedir(directory);
  int fd = openat(cut.disk, "names.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  must(fd >= 0, "names");
  must(syscall(SYS_write, fd, text, size) == (ssize_t)size, "names");
  close(fd);
  must(syscall(SYS_renameat2, cut.disk, "names.new", cut.disk, "names", 0) == 0, "names");
}

static bool is_directory(int fd) {
  struct stat status;
  return cut.is_on && fstat(fd, &status) == 0 && status.st_dev == cut.device &&
         status.st_ino == cut.inode;
}

/* What is written while the real sync is under way is not part of it. One that fails has kept
 * nothing: the kernel takes its pages for clean. */
static int sync_file(long call, int fd) {
  pthread_mutex_lock(&cut.mutex);
  watched *file = of_descriptor(fd);
  ino_t inode = file != NULL ? file->inode : 0;
  unsigned char *dirty = file != NULL ? file->dirty : NULL;
  size_t pages = file != NULL ? file->pages : 0;
  if (file != NULL) {
    file->dirty = NULL;
    file->pages = 0;
  }
  pthread_mutex_unlock(&cut.mutex);
  int result = (int)syscall(call, fd);
  int reason = errno;
  pthread_mutex_lock(&cut.mutex);
  struct stat status;
  file = inode != 0 ? find(inode) : NULL;
  if (result == 0 && is_directory(fd)) {
    write_names();
  }
  if (result == 0 && file != NULL && fstat(fd, &status) == 0) {
    for (size_t page = 0; page < pages; page++) {
      if (dirty[page]) {
        copy_page(fd, file->disk_fd, page);
      }
    }
    must(syscall(SYS_ftruncate, file->disk_fd, status.st_size) == 0, "ftruncate");
  }
  pthread_mutex_unlock(&cut.mutex);
  free(dirty);
  errno = reason;
  return result;
}

EXPORT int fsync(int fd) {
  return sync_file(SYS_fsync, fd);
}

EXPORT int fdatasync(int fd) {
  return sync_file(SYS_fdatasync, fd);
}

/* ---- writing --------------------------------------------------------------------------- */

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t offset) {
  ssize_t written = syscall(SYS_pwrite64, fd, bytes, size, offset);
  int reason = errno;
  note_written(fd, offset, written);
  errno = reason;
  return written;
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) {
  return pwrite64(fd, bytes, size, offset);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t size) {
  ssize_t written = syscall(SYS_write, fd, bytes, size);
  int reason = errno;
  if (cut.is_on && written > 0) {
    note_written(fd, lseek(fd, 0, SEEK_CUR) - written, written);
  }
  errno = reason;
  return written;
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count) {
  ssize_t written = syscall(SYS_writev, fd, parts, count);
  int reason = errno;
  if (cut.is_on && written > 0) {
    note_written(fd, lseek(fd, 0, SEEK_CUR) - written, written);
  }
  errno = reason;
  return written;
}

/* ---- names ----------------------------------------------------------------------------- */

/* A later file may get the inode of one that has lost its last name: that file begins empty. */
static void end_life(const struct stat *status) {
  pthread_mutex_lock(&cut.mutex);
  if (find(status->st_ino) != NULL) {
    forget(status->st_ino);
    watch(status->st_ino);
  }
  pthread_mutex_unlock(&cut.mutex);
}

static bool loses_last_name(const char *path, struct stat *status) {
  return cut.is_on && lstat(path, status) == 0 && S_ISREG(status->st_mode) &&
         status->st_dev == cut.device && status->st_nlink == 1;
}

EXPORT int unlink(const char *path) {
  struct stat status;
  bool is_last = loses_last_name(path, &status);
  int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  int reason = errno;
  if (result == 0 && is_last) {
    end_life(&status);
  }
  errno = reason;
  return result;
}

EXPORT int rename(const char *from, const char *to) {
  struct stat status;
  bool is_last = loses_last_name(to, &status);
  int result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  int reason = errno;
  if (result == 0 && is_last) {
    end_life(&status);
  }
  errno = reason;
  return result;
}

/* ---- the beginning --------------------------------------------------------------------- */

/* What is there at the start is on the disk; a socket has nothing in it. */
static void copy_whole(const char *name) {
  struct stat status;
  must(lstat(name, &status) == 0, name);
  if (!S_ISREG(status.st_mode)) {
    return;
  }
  int fd = openat(AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
  must(fd >= 0, name);
  watched *file = watch(status.st_ino);
  for (off_t page = 0; page * PAGE < status.st_size; page++) {
    copy_page(fd, file->disk_fd, (size_t)page);
  }
  close(fd);
}

__attribute__((constructor)) static void begin(void) {
  const char *directory = getenv("POWER_CUT_DIRECTORY");
  const char *disk = getenv("POWER_CUT_DISK");
  if (directory == NULL || disk == NULL) {
    return;
  }
  unsetenv("LD_PRELOAD"); /* what the program starts is another program */
  struct stat status;
  cut.directory = realpath(directory, NULL);
  must(cut.directory != NULL && stat(cut.directory, &status) == 0, directory);
  cut.device = status.st_dev;
  cut.inode = status.st_ino;
  cut.disk = open(disk, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  must(cut.disk >= 0, disk);
  DIR *listing = opendir(cut.directory);
  must(listing != NULL, cut.directory);
  for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", cut.directory, entry->d_name);
    copy_whole(path);
  }
  closedir(listing);
  write_names();
  cut.is_on = true;
}
