/* Fuzzes the HTTP/1 parser: however the bytes are split, it makes the same of them, reads no other,
 * and what it makes of a request does not depend on the requests before it. */
#include "fuzz.h"
#include "transcript.h"

/* The first bytes of an input choose limits and splits. */
#define CHOICES sizeof(uint32_t)

static const http_parser_limits all_limits[] = {
    {.max_head = 1024, .max_headers = 20, .max_body = 1000},
    {.max_head = 64, .max_headers = 3, .max_body = 10},
    {.max_head = 200, .max_headers = 1, .max_body = 0},
    {.max_head = 300, .max_headers = 5, .max_body = UINT64_MAX},
};

static uint32_t next_random(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

/* Pieces of one byte up to many, and empty ones. */
static void feed_split(transcript *t, const char *data, size_t size, uint32_t seed) {
  uint32_t random = seed != 0 ? seed : 1;
  size_t max = (size_t)1 << next_random(&random) % 8;
  for (size_t at = 0; at < size;) {
    size_t piece = next_random(&random) % (max + 1);
    if (piece > size - at) {
      piece = size - at;
    }
    transcript_feed(t, data + at, piece);
    at += piece;
  }
  transcript_end(t);
}

static void compare_end(const transcript *unsplit, transcript *other) {
  MUST(other->size <= unsplit->size);
  MUST(memcmp(unsplit->text + unsplit->size - other->size, other->text, other->size) == 0);
  transcript_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  transcript unsplit, split, later;
  uint32_t seed;
  if (size < CHOICES) {
    return 0;
  }
  memcpy(&seed, bytes, sizeof seed);
  const http_parser_limits *limits = &all_limits[bytes[0] % 4];
  const char *data = (const char *)bytes + CHOICES;
  size -= CHOICES;
  transcript_start(&unsplit, limits);
  transcript_feed(&unsplit, data, size);
  transcript_end(&unsplit);
  transcript_start(&split, limits);
  feed_split(&split, data, size, seed);
  MUST(split.size == unsplit.size);
  compare_end(&unsplit, &split);
  if (unsplit.end_count > 0) {
    transcript_start(&later, limits);
    later.consumed = unsplit.ends[0];
    feed_split(&later, data + unsplit.ends[0], size - unsplit.ends[0], seed);
    compare_end(&unsplit, &later);
  }
  transcript_free(&unsplit);
  return 0;
}
