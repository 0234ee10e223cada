/* A hash for tables in memory, seeded so that no sender can choose keys that collide. */
#ifndef PALENCA_HOST_COMMON_HASH_H
#define PALENCA_HOST_COMMON_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

/* Without randomness it is the same each time: keys that meet cost time then. */
static inline uint64_t hash_seed(void) {
  uint64_t seed = 0;
  ssize_t ignored = getrandom(&seed, sizeof seed, GRND_NONBLOCK);
  (void)ignored;
  return seed;
}

static inline uint64_t hash_mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

static inline uint64_t hash_bytes(uint64_t seed, const char *data, size_t size) {
  uint64_t hash = hash_mix(seed, size), word = 0;
  size_t done = 0;
  for (; size - done >= sizeof word; done += sizeof word) {
    memcpy(&word, data + done, sizeof word);
    hash = hash_mix(hash, word);
  }
  if (done < size) {
    word = 0;
    memcpy(&word, data + done, size - done);
    hash = hash_mix(hash, word);
  }
  return hash_mix(hash, hash >> 32);
}

#endif
