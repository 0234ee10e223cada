/* Keeps the rate limit of one key in a file, for all processes of a user on this machine. */
#include "rate_limit_file.h"

#include "clock.h"
#include "protocol/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Changes with the layout. */
#define MAGIC 0x70616c3100000000ULL

/* No two processes ask at exactly the same time. */
#define SKEW_MS 1000

typedef struct {
  uint64_t ready; /* MAGIC and the limit, once the rest is filled in */
  uint64_t next;
  int64_t blocked_until;
  int64_t sent_at[];
} content;

/* Of its two locks, which know nothing of each other, the one of fcntl is shared by all who have
 * it open, and the one of flock is held while a process uses the content. The system releases
 * both if it dies. */
struct rate_limit_file {
  int fd;
  size_t limit, size;
  content *content;
};

/* ---- the directory ---- */

static bool lock_open(int fd, short kind) {
  struct flock lock = {.l_type = kind, .l_whence = SEEK_SET};
  return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* Whether what it says still matters to anybody. */
static bool is_current(int fd, int64_t now) {
  content head;
  int64_t newest;
  if (pread(fd, &head, sizeof head, 0) != sizeof head) {
    return false;
  }
  uint64_t limit = head.ready & UINT32_MAX;
  if (head.ready != (MAGIC | limit) || head.next >= limit) {
    return false;
  }
  off_t at = (off_t)(sizeof head + (head.next + limit - 1) % limit * sizeof newest);
  if (pread(fd, &newest, sizeof newest, at) != sizeof newest) {
    return false;
  }
  return newest > now - 2 * PALENCA_RATE_WINDOW_MS || head.blocked_until > now;
}

/* Keys come and go. Whoever opens a file just then notices that it is none any more. */
void rate_limit_directory_clean(int directory) {
  int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *files = fd >= 0 ? fdopendir(fd) : NULL;
  for (struct dirent *one; files != NULL && (one = readdir(files)) != NULL;) {
    int file = openat(directory, one->d_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) {
      continue;
    }
    if (lock_open(file, F_WRLCK) && !is_current(file, clock_steady_ms())) {
      unlinkat(directory, one->d_name, 0);
    }
    close(file);
  }
  if (files != NULL) {
    closedir(files);
  } else if (fd >= 0) {
    close(fd);
  }
}

int rate_limit_directory_open(const char *parent, palenca_error *error) {
  char path[256];
  struct stat is;
  int size = snprintf(path, sizeof path, "%s/palenca-%lu", parent, (unsigned long)geteuid());
  if (size < 0 || (size_t)size >= sizeof path) {
    palenca_error_set(error, PALENCA_USAGE, "the directory's path is too long");
    return -1;
  }
  if (mkdir(path, 0700) != 0 && errno != EEXIST) {
    palenca_error_set(error, PALENCA_USAGE, "%s: %s", path, strerror(errno));
    return -1;
  }
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0 && fstat(fd, &is) == 0 && is.st_uid == geteuid() && (is.st_mode & 077) == 0) {
    rate_limit_directory_clean(fd);
    return fd;
  }
  palenca_error_set(error, PALENCA_USAGE, "%s: %s", path,
                    fd < 0 ? strerror(errno) : "it is not this user's alone");
  if (fd >= 0) {
    close(fd);
  }
  return -1;
}

/* ---- a file ---- */

/* Allocated completely, so that a full disk is an error here and not a signal later. */
static bool map(rate_limit_file *file) {
  int problem;
  do { /* a signal ends it on some file systems */
    problem = posix_fallocate(file->fd, 0, (off_t)file->size);
  } while (problem == EINTR);
  if (problem != 0) {
    return false;
  }
  void *memory = mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
  file->content = memory != MAP_FAILED ? memory : NULL;
  return file->content != NULL;
}

/* Another process may be about to remove it. */
#define OPEN_TIMEOUT_MS 1000

static int open_shared(int directory, const char *name) {
  static const struct timespec pause = {.tv_nsec = 1000000};
  int64_t end = clock_steady_ms() + OPEN_TIMEOUT_MS;
  do {
    struct stat is;
    int fd = openat(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
      return -1;
    }
    if (lock_open(fd, F_RDLCK) && fstat(fd, &is) == 0 && is.st_nlink > 0) {
      return fd;
    }
    close(fd);
    nanosleep(&pause, NULL);
  } while (clock_steady_ms() < end);
  return -1;
}

rate_limit_file *rate_limit_file_open(int directory, const char *name, size_t limit) {
  rate_limit_file *file = calloc(1, sizeof *file);
  if (file == NULL) {
    return NULL;
  }
  file->limit = limit;
  file->size = sizeof(content) + limit * sizeof(int64_t);
  file->fd = open_shared(directory, name);
  if (file->fd >= 0 && map(file)) {
    return file;
  }
  rate_limit_file_close(file);
  return NULL;
}

void rate_limit_file_close(rate_limit_file *file) {
  if (file == NULL) {
    return;
  }
  if (file->content != NULL) {
    munmap(file->content, file->size);
  }
  if (file->fd >= 0) {
    close(file->fd);
  }
  free(file);
}

static void clear(rate_limit_file *file) {
  content *c = file->content;
  c->ready = 0;
  c->next = 0;
  c->blocked_until = INT64_MIN / 2;
  for (size_t i = 0; i < file->limit; i++) {
    c->sent_at[i] = INT64_MIN / 2;
  }
  c->ready = MAGIC | file->limit;
}

/* A new file, one whose maker died over it, or one from before the machine's last start. The clock
 * is looked at with the content in hand: who has waited for a processor has an older time than who
 * was here meanwhile, and is not to take that for the future. */
static bool is_void(const rate_limit_file *file) {
  int64_t now = clock_steady_ms();
  const content *c = file->content;
  if (c->ready != (MAGIC | file->limit) || c->next >= file->limit) {
    return true;
  }
  int64_t newest = c->sent_at[(c->next + file->limit - 1) % file->limit];
  return newest > now + SKEW_MS || c->blocked_until > now + 2 * PALENCA_RATE_WINDOW_MS;
}

/* Whoever is killed right after noting a request leaves the newest where the oldest should be, and
 * that would be waited for. */
static void mend(rate_limit_file *file) {
  content *c = file->content;
  int64_t noted = c->sent_at[c->next];
  size_t after = (size_t)(c->next + 1) % file->limit;
  if (noted >= c->sent_at[(c->next + file->limit - 1) % file->limit] && c->sent_at[after] < noted) {
    c->next = after;
  }
}

bool rate_limit_file_take(rate_limit_file *file, palenca_rate_limit *state) {
  if (flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
    return false;
  }
  if (is_void(file)) {
    clear(file);
  }
  mend(file);
  *state = (palenca_rate_limit){
      .sent_at = file->content->sent_at,
      .limit = file->limit,
      .next = (size_t)file->content->next,
      .blocked_until = file->content->blocked_until,
  };
  return true;
}

void rate_limit_file_put_back(rate_limit_file *file, const palenca_rate_limit *state) {
  file->content->next = state->next;
  file->content->blocked_until = state->blocked_until;
  flock(file->fd, LOCK_UN);
}
