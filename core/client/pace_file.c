/* The pace of one key in a file, for all processes of a user on this machine. */
#include "pace_file.h"

#include "protocol/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Changes with the layout. */
#define MAGIC 0x70616c3100000000ULL

/* No two processes ask at the very same moment. */
#define SKEW_MS 1000

typedef struct {
  uint64_t ready; /* MAGIC and the limit, once the rest is filled in */
  uint64_t next;
  int64_t blocked_until;
  int64_t sent_at[];
} content;

struct pace_file {
  int fd; /* is locked while the content is somebody's; the system unlocks it if they die */
  size_t limit, size;
  content *content;
};

int pace_directory_open(const char *parent, palenca_error *error) {
  char path[256];
  struct stat is;
  snprintf(path, sizeof path, "%s/palenca-%lu", parent, (unsigned long)geteuid());
  if (mkdir(path, 0700) != 0 && errno != EEXIST) {
    palenca_error_set(error, PALENCA_USAGE, "%s: %s", path, strerror(errno));
    return -1;
  }
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0 && fstat(fd, &is) == 0 && is.st_uid == geteuid() && (is.st_mode & 077) == 0)
    return fd;
  palenca_error_set(error, PALENCA_USAGE, "%s: %s", path,
                    fd < 0 ? strerror(errno) : "it is not this user's alone");
  if (fd >= 0)
    close(fd);
  return -1;
}

/* Allocated whole, so that a full disk is an error here and no signal later. */
static bool map(pace_file *file) {
  if (posix_fallocate(file->fd, 0, (off_t)file->size) != 0)
    return false;
  void *memory = mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
  file->content = memory != MAP_FAILED ? memory : NULL;
  return file->content != NULL;
}

pace_file *pace_file_open(int directory, const char *name, size_t limit) {
  pace_file *file = calloc(1, sizeof *file);
  if (file == NULL)
    return NULL;
  file->limit = limit;
  file->size = sizeof(content) + limit * sizeof(int64_t);
  file->fd = openat(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file->fd >= 0 && map(file))
    return file;
  pace_file_close(file);
  return NULL;
}

void pace_file_close(pace_file *file) {
  if (file == NULL)
    return;
  if (file->content != NULL)
    munmap(file->content, file->size);
  if (file->fd >= 0)
    close(file->fd);
  free(file);
}

static void clear(pace_file *file) {
  content *c = file->content;
  c->ready = 0;
  c->next = 0;
  c->blocked_until = INT64_MIN / 2;
  for (size_t i = 0; i < file->limit; i++)
    c->sent_at[i] = INT64_MIN / 2;
  c->ready = MAGIC | file->limit;
}

/* A new file, one whose maker died over it, or one from before the machine's last start. */
static bool is_void(const pace_file *file, int64_t now) {
  const content *c = file->content;
  if (c->ready != (MAGIC | file->limit) || c->next >= file->limit)
    return true;
  int64_t newest = c->sent_at[(c->next + file->limit - 1) % file->limit];
  return newest > now + SKEW_MS || c->blocked_until > now + 2 * PALENCA_RATE_WINDOW_MS;
}

bool pace_file_take(pace_file *file, int64_t now, palenca_pace *pace) {
  if (flock(file->fd, LOCK_EX | LOCK_NB) != 0)
    return false;
  if (is_void(file, now))
    clear(file);
  *pace = (palenca_pace){
      .sent_at = file->content->sent_at,
      .limit = file->limit,
      .next = (size_t)file->content->next,
      .blocked_until = file->content->blocked_until,
  };
  return true;
}

void pace_file_put_back(pace_file *file, const palenca_pace *pace) {
  file->content->next = pace->next;
  file->content->blocked_until = pace->blocked_until;
  flock(file->fd, LOCK_UN);
}
