/* Reads what the system knows of this process. */
#include "process_stats.h"

#include "clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static bool read_text(const char *path, char *text, size_t room) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t size = fd >= 0 ? read(fd, text, room - 1) : -1;
  if (fd >= 0) {
    (void)close(fd);
  }
  text[size > 0 ? size : 0] = '\0';
  return size > 0;
}

static int64_t count_descriptors(void) {
  DIR *directory = opendir("/proc/self/fd");
  int64_t count = -3; /* ".", ".." and the directory's own */
  if (directory == NULL) {
    return 0;
  }
  while (readdir(directory) != NULL) {
    count++;
  }
  (void)closedir(directory);
  return count;
}

/* The number in a field of a line whose fields blanks divide; the first is 1. */
static bool read_field(const char *line, int field, int64_t *number) {
  for (int at = 1; at < field; at++) {
    line += strspn(line, " ");
    line += strcspn(line, " ");
  }
  char *end;
  *number = strtoll(line, &end, 10);
  return end != line;
}

/* Fields are counted from behind the name, which may hold anything; the third is the first there.
 */
static bool read_start(int64_t *start_ms) {
  char text[1024];
  int64_t ticks;
  if (!read_text("/proc/self/stat", text, sizeof text)) {
    return false;
  }
  const char *name_end = strrchr(text, ')');
  if (name_end == NULL || !read_field(name_end + 1, 20, &ticks)) {
    return false;
  }
  int64_t since_boot = ticks * 1000 / sysconf(_SC_CLK_TCK);
  *start_ms = clock_unix_ms() - (clock_read_ms(CLOCK_BOOTTIME) - since_boot);
  return true;
}

bool process_stats_read(process_stats *stats) {
  char text[256];
  int64_t pages;
  struct rlimit limit = {0};
  if (!read_start(&stats->start_ms) || !read_text("/proc/self/statm", text, sizeof text) ||
      !read_field(text, 2, &pages)) {
    return false;
  }
  (void)getrlimit(RLIMIT_NOFILE, &limit);
  stats->cpu_ms = clock_read_ms(CLOCK_PROCESS_CPUTIME_ID);
  stats->resident_bytes = pages * sysconf(_SC_PAGESIZE);
  stats->open_fds = count_descriptors();
  stats->max_fds = limit.rlim_cur == RLIM_INFINITY ? -1 : (int64_t)limit.rlim_cur;
  return true;
}
