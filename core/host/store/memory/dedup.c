/* Finds duplicates of what was received within the dedup window, by the fingerprint of the body. */
#include "dedup.h"

#include "common/hash.h"

#include <stdlib.h>

#define FIRST_CAPACITY 1024u

/* A ring of entries, numbered from 1 in the order of receipt, and buckets of their numbers. A
 * number that is no longer, or not yet, in the ring ends a chain: entries leave the ring at its
 * beginning without being taken out of their chains, whose last they are. */
struct event_dedup {
  int64_t window;
  uint64_t seed;
  uint32_t capacity; /* of the ring and of the buckets; a power of two, or 0 */
  uint32_t first, end, committed;
  int64_t shifted; /* the clock, since the table was made: entries have the time it had then */
  event_seen *ring;
  uint32_t *buckets;
};

static event_seen *at(const event_dedup *table, uint32_t number) {
  return &table->ring[number & (table->capacity - 1)];
}

static uint32_t *bucket(const event_dedup *table, uint32_t fingerprint) {
  return &table->buckets[fingerprint & (table->capacity - 1)];
}

static bool is_held(const event_dedup *table, uint32_t number) {
  return number - table->first < table->end - table->first;
}

event_dedup *event_dedup_new(int64_t window) {
  event_dedup *table = calloc(1, sizeof *table);
  if (table != NULL) {
    table->window = window;
    table->first = table->end = table->committed = 1;
    table->seed = hash_seed();
  }
  return table;
}

static void drop_memory(event_dedup *table) {
  free(table->ring);
  free(table->buckets);
  table->ring = NULL;
  table->buckets = NULL;
  table->capacity = 0;
}

void event_dedup_free(event_dedup *table) {
  if (table != NULL) {
    drop_memory(table);
    free(table);
  }
}

uint32_t event_dedup_fingerprint(const event_dedup *table, const char *body, size_t size) {
  return (uint32_t)(hash_bytes(table->seed, body, size) >> 16);
}

const event_seen *event_dedup_find(const event_dedup *table, uint32_t fingerprint,
                                   int64_t received_at, const event_seen *after) {
  if (table->capacity == 0) {
    return NULL;
  }
  uint32_t number = after != NULL ? after->next : *bucket(table, fingerprint);
  while (is_held(table, number)) {
    const event_seen *seen = at(table, number);
    int64_t age = received_at - table->shifted - seen->received_at;
    /* The clock may have been set back, and then nothing would come in again for as long. */
    if (seen->fingerprint == fingerprint && age < table->window && age > -table->window) {
      return seen;
    }
    number = seen->next;
  }
  return NULL;
}

static void link_in(event_dedup *table, uint32_t number) {
  event_seen *seen = at(table, number);
  uint32_t *head = bucket(table, seen->fingerprint);
  seen->next = *head;
  *head = number;
}

static bool grow(event_dedup *table) {
  event_dedup grown = *table;
  grown.capacity = table->capacity == 0 ? FIRST_CAPACITY : table->capacity * 2;
  grown.ring = calloc(grown.capacity, sizeof *grown.ring);
  grown.buckets = calloc(grown.capacity, sizeof *grown.buckets);
  if (grown.ring == NULL || grown.buckets == NULL) {
    drop_memory(&grown);
    return false;
  }
  for (uint32_t number = table->first; number != table->end; number++) {
    *at(&grown, number) = *at(table, number);
    link_in(&grown, number);
  }
  drop_memory(table);
  /* Not all of it: other threads read the seed. */
  table->ring = grown.ring;
  table->buckets = grown.buckets;
  table->capacity = grown.capacity;
  return true;
}

void event_dedup_add(event_dedup *table, uint32_t fingerprint, int64_t id, int64_t received_at) {
  if (table->end - table->first == table->capacity) {
    bool has_grown = table->capacity < EVENT_DEDUP_MAX && grow(table);
    if (!has_grown && table->first == table->committed) {
      return;
    }
    table->first += !has_grown;
  }
  *at(table, table->end) = (event_seen){
      .id = id, .received_at = received_at - table->shifted, .fingerprint = fingerprint};
  table->end++;
  link_in(table, table->end - 1);
}

void event_dedup_commit(event_dedup *table) {
  table->committed = table->end;
}

/* The latest first: each is the head of its bucket then. */
void event_dedup_rollback(event_dedup *table) {
  while (table->end != table->committed) {
    const event_seen *seen = at(table, --table->end);
    *bucket(table, seen->fingerprint) = seen->next;
  }
}

void event_dedup_expire(event_dedup *table, int64_t now) {
  while (table->first != table->committed &&
         at(table, table->first)->received_at <= now - table->shifted - table->window) {
    table->first++;
  }
  if (table->first == table->end && table->capacity > FIRST_CAPACITY) {
    drop_memory(table); /* after a burst */
  }
}

void event_dedup_shift(event_dedup *table, int64_t milliseconds) {
  table->shifted += milliseconds;
}
