/* How many events may run at once of those that a pattern fits, over all workers of the process.
 *
 * Used by one thread. An event takes a place under each cap that fits its action when it is leased,
 * and gives them back with its end; a transaction that fails changes nothing. */
#ifndef PALENCA_HOST_STORE_MEMORY_CONCURRENCY_H
#define PALENCA_HOST_STORE_MEMORY_CONCURRENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_CAPS_MAX 64

typedef struct {
  char *pattern; /* NULL: free */
  size_t limit;  /* 0: none any more */
  size_t used, saved;
} event_cap;

typedef struct {
  event_cap list[EVENT_CAPS_MAX];
  int count; /* up to the last that was ever in use */
} event_caps;

/* A set of caps, by their places in the list. */
typedef uint64_t event_cap_set;

/* Has a place for "*" from the beginning. False: out of memory. */
bool event_caps_init(event_caps *caps);
void event_caps_free(event_caps *caps);

/* Lifts all limits, before those that hold now are set. */
void event_caps_lift(event_caps *caps);
/* The pattern is an action, a family such as "login.*", or "*". Of several limits the least one
 * holds. False without memory or room for the pattern: all events keep to the limit then. */
bool event_caps_limit(event_caps *caps, const char *pattern, size_t limit);
/* Frees the place of a cap that nobody needs any more; `is_awaited`: an event waits for it. */
void event_caps_tidy(event_caps *caps, int index, bool is_awaited);

event_cap_set event_caps_of(const event_caps *caps, const char *action);
/* The first of a set that has no place left, or -1. */
int event_caps_full(const event_caps *caps, event_cap_set set);
void event_caps_take(event_caps *caps, event_cap_set set);
void event_caps_give_back(event_caps *caps, event_cap_set set);

/* Around a transaction. */
void event_caps_begin(event_caps *caps);
void event_caps_rollback(event_caps *caps);

#endif
