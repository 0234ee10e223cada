/* The two clocks, in milliseconds. */
#ifndef PALENCA_COMMON_CLOCK_H
#define PALENCA_COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline struct timespec clock_read(clockid_t which) {
  struct timespec now;
  clock_gettime(which, &now);
  return now;
}

static inline int64_t clock_read_ms(clockid_t which) {
  struct timespec now = clock_read(which);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Since 1970; jumps when the machine's time is set. */
static inline int64_t clock_unix_ms(void) {
  return clock_read_ms(CLOCK_REALTIME);
}

/* Never jumps; for waits and durations. */
static inline int64_t clock_steady_ms(void) {
  return clock_read_ms(CLOCK_MONOTONIC);
}

#endif
