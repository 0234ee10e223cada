/* Deduplication: what was received within the window, by the fingerprint of the body.
 *
 * An index of the database would cost each event a write at a random place. This is a table in
 * memory, in the order of receipt, which is read anew from the last rows at each start. It finds
 * the events that may have the same body; their rows show whether they do. It holds a million
 * events, in 28 MB; when more are received within the window, the oldest are removed, so that
 * their duplicates run again, as any event may. Used by one thread. */
#ifndef PALENCA_HOST_STORE_MEMORY_DEDUP_H
#define PALENCA_HOST_STORE_MEMORY_DEDUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_DEDUP_MAX (1u << 20)

typedef struct {
  int64_t id;
  int64_t received_at; /* by the clock as it was when the table was made */
  uint32_t fingerprint;
  uint32_t next; /* an earlier one of the same bucket */
} event_seen;

typedef struct event_dedup event_dedup;

/* `window` in milliseconds. NULL: out of memory. */
event_dedup *event_dedup_new(int64_t window);
void event_dedup_free(event_dedup *table);

/* May be called by any thread. */
uint32_t event_dedup_fingerprint(const event_dedup *table, const char *body, size_t size);

/* The latest event with the fingerprint that a receipt at `received_at` would be a duplicate of,
 * or, after one that this has returned, the one before it; NULL: none. */
const event_seen *event_dedup_find(const event_dedup *table, uint32_t fingerprint,
                                   int64_t received_at, const event_seen *after);

/* Without memory the event is not added: its duplicates run again then. */
void event_dedup_add(event_dedup *table, uint32_t fingerprint, int64_t id, int64_t received_at);

/* What was added since the last commit is stored, or it is not and is forgotten. */
void event_dedup_commit(event_dedup *table);
void event_dedup_rollback(event_dedup *table);

/* The clock was set by so much, and what is received from now on has its time. */
void event_dedup_shift(event_dedup *table, int64_t milliseconds);

/* Forgets what is out of the window. */
void event_dedup_expire(event_dedup *table, int64_t now);

#endif
