/* Random numbers that spread retries; nothing secret. */
#ifndef PALENCA_CLIENT_RETRY_JITTER_H
#define PALENCA_CLIENT_RETRY_JITTER_H

#include "clock.h"

#include <stdint.h>
#include <sys/random.h>

static inline void retry_jitter_seed(uint64_t *state) {
  if (getrandom(state, sizeof *state, 0) != sizeof *state || *state == 0) {
    *state = (uint64_t)clock_steady_ms() | 1;
  }
}

/* xorshift64* */
static inline uint64_t retry_jitter_next(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * 2685821657736338717ULL;
}

#endif
