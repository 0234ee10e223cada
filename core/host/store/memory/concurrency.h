/* Concurrency limits: how many events that match a pattern may run at once, in all workers of the
 * process.
 *
 * Used by one thread. An event takes a place under each limit that matches its action when it is
 * leased, and frees them with its end; a transaction that fails changes nothing. */
#ifndef PALENCA_HOST_STORE_MEMORY_CONCURRENCY_H
#define PALENCA_HOST_STORE_MEMORY_CONCURRENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_LIMITS_MAX 64

typedef struct {
  char *pattern; /* NULL: free */
  size_t limit;  /* 0: none any more */
  size_t used, saved;
} concurrency_limit;

typedef struct {
  concurrency_limit list[EVENT_LIMITS_MAX];
  int count; /* up to the last that was ever in use */
} concurrency_limits;

/* A set of limits, by their places in the list. */
typedef uint64_t concurrency_limit_set;

/* Has a place for "*" from the beginning. False: out of memory. */
bool concurrency_init(concurrency_limits *limits);
void concurrency_free(concurrency_limits *limits);

/* Lifts all limits, before those that hold now are set. */
void concurrency_remove_limit(concurrency_limits *limits);
/* The pattern is an action, a family such as "login.*", or "*". Of several limits the least one
 * holds. False without memory or room for the pattern: all events keep to the limit then. */
bool concurrency_add_limit(concurrency_limits *limits, const char *pattern, size_t limit);
/* Drops a limit that is unused; `is_awaited`: an event waits for it. */
void concurrency_drop_unused(concurrency_limits *limits, int index, bool is_awaited);

concurrency_limit_set concurrency_of(const concurrency_limits *limits, const char *action);
/* The first of a set that has no place left, or -1. */
int concurrency_find_exhausted(const concurrency_limits *limits, concurrency_limit_set set);
void concurrency_take(concurrency_limits *limits, concurrency_limit_set set);
void concurrency_release(concurrency_limits *limits, concurrency_limit_set set);

/* Around a transaction. */
void concurrency_begin(concurrency_limits *limits);
void concurrency_rollback(concurrency_limits *limits);

#endif
