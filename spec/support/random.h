/* Numbers that are the same for the same seed (xorshift), for tests that draw their cases. */
#ifndef SPEC_SUPPORT_RANDOM_H
#define SPEC_SUPPORT_RANDOM_H

#include <stdint.h>

static inline uint64_t next_random(uint64_t *seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

#endif
