/* When the event store commits, what it takes along, and how many events it leases: a pure function
 * of numbers. Times are milliseconds of the monotonic clock. */
#ifndef PALENCA_HOST_STORE_COMMIT_POLICY_H
#define PALENCA_HOST_STORE_COMMIT_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bounds the bodies held in memory on their way, and how long a transaction takes. */
#define COMMIT_MAX_LEASES 256
/* A finish costs a sync, like any commit. One that no event waits for is written with the next
 * put, or with what else has finished within this time: then the syncs of finishes alone take a
 * small part of a disk's time, and a process that is killed has few of them to repeat. */
#define COMMIT_FINISH_WAIT_MS 5
/* This many events within this time are a burst, which is assumed to last for as long again:
 * then receiving has priority, because what is stored can be handled later. An idle worker waits
 * at most that long for the end of one. */
#define COMMIT_BURST_PUTS 16
#define COMMIT_BURST_MS 20
/* In a burst that does not end there are leases so often nevertheless. */
#define COMMIT_BURST_LEASE_MS 50

typedef struct {
  bool has_puts;          /* events wait for a commit */
  bool has_finishes;      /* of workers, not written yet */
  int64_t finish_age;     /* since the first of them came */
  bool is_finish_awaited; /* an event waits for one that runs, and a worker for an event */
  size_t prefetch;        /* how many events workers can take, beyond those leased to them */
  bool is_any_ready;      /* some may be leased now */
  int64_t due_in;         /* the first retry or timer; INT64_MAX: there is none */
  int64_t burst_left;     /* of a burst; 0: there is none */
  int64_t lease_age;      /* since events were last leased */
  bool is_failing;        /* the last transaction failed */
  int64_t rest;           /* after that only events that were put are tried, for this time */
  int64_t locked;         /* another process writes: nothing is tried for this time */
  bool is_closing;
} commit_inputs;

typedef struct {
  bool commits;    /* all puts and finishes, now */
  size_t leases;   /* and up to this many leases with them */
  int64_t timeout; /* without a commit: decide again after this time; INT64_MAX: when the inputs
                      change */
} commit_decision;

commit_decision commit_decide(const commit_inputs *in);

/* Counts events to notice a burst. Zeroed at the beginning. */
typedef struct {
  int64_t span_end, until;
  size_t puts; /* in the span */
} commit_burst;

void commit_burst_add(commit_burst *burst, size_t puts, int64_t now);
int64_t commit_burst_left(const commit_burst *burst, int64_t now);

#endif
