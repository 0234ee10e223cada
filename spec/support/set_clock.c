/* A clock that somebody sets: preloaded into a program, it moves what the program takes for the
 * time of day by as many seconds as stand in the file SET_CLOCK_SWITCH, if there is such a file. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static const char *switch_path;

__attribute__((constructor)) static void begin(void) {
  switch_path = getenv("SET_CLOCK_SWITCH");
  unsetenv("LD_PRELOAD"); /* what the program starts is another program */
}

static long offset(void) {
  char text[16] = "";
  int fd = switch_path != NULL ? open(switch_path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) {
    return 0;
  }
  ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  return size > 0 ? strtol(text, NULL, 10) : 0;
}

EXPORT int clock_gettime(clockid_t which, struct timespec *now) {
  int result = (int)syscall(SYS_clock_gettime, which, now);
  if (result == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
    now->tv_sec += offset();
  }
  return result;
}

EXPORT int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec time;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &time) != 0) {
    return -1;
  }
  *now = (struct timeval){.tv_sec = time.tv_sec, .tv_usec = time.tv_nsec / 1000};
  return 0;
}

EXPORT time_t time(time_t *out) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
    return (time_t)-1;
  }
  if (out != NULL) {
    *out = now.tv_sec;
  }
  return now.tv_sec;
}
