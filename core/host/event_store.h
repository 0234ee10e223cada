/* The durable event store: put, lease, finish and list, with SQLite behind them.
 *
 * One thread owns the database connection. Every request that waits for it is
 * carried out in one transaction (group commit), and only after the commit is
 * anybody told. Times are Unix milliseconds. All functions but open and close
 * may be called from any thread, unless they say otherwise.
 */
#ifndef PALENCA_HOST_EVENT_STORE_H
#define PALENCA_HOST_EVENT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct event_store event_store;
typedef struct event_consumer event_consumer;

/* The values are stored in databases: they never change. */
typedef enum {
  EVENT_RECEIVED, /* on disk, not yet handed to a worker */
  EVENT_RUNNING,  /* leased by a worker of the running process */
  EVENT_RETRY,    /* its handler failed; waits for its next attempt */
  EVENT_DONE,     /* handled */
  EVENT_DEAD,     /* failed too often; kept aside with its error */
} event_state;

/* "received", "running", "retry", "done" or "dead". */
const char *event_state_name(event_state state);

typedef struct {
  const char *path;
  /* Called on the store's thread with a line about trouble with the database
   * (and once more when it has healed); may be NULL. Trouble is reported when it begins, not for
   * each event it hits: puts fail with the reason, outcomes are kept and tried again. */
  void (*log)(void *context, bool is_error, const char *message);
  void *log_context;
} event_store_options;

/* Opens (and creates) the database and starts the store's thread. Events that
 * were running when the last process ended are received again, their attempt
 * counted. One process at a time may have a database open for this: a second
 * one is refused. NULL on failure, with the reason in `error`. */
event_store *event_store_open(const event_store_options *options, char *error, size_t error_size);

/* Carries out what is queued, releases every lease, frees the consumers that are left, closes the
 * database. No other thread may be in a function of the store, and no consumer may be used
 * after it. An outcome that cannot be written in a few tries is given up: its event runs again
 * after the next open. NULL is allowed. */
void event_store_close(event_store *store);

typedef struct {
  const char *action;     /* required */
  const char *account_id; /* NULL: not ordered behind any other event */
  const char *body;       /* the bytes that were received */
  size_t body_size;
  int64_t received_at;
} event_record;

/* `id` > 0: the event is on disk under this id. `id` 0: it is not stored, and
 * `reason`, valid during the call, says why. Called once, on the store's thread, which holds no
 * lock meanwhile (the functions of the store may be called, but for close); only for want of
 * memory for the copy it is called with id 0 by event_store_put itself. */
typedef void (*event_put_done)(void *context, int64_t id, const char *reason);

/* Queues an event for the next commit; the record is copied. */
void event_store_put(event_store *store, const event_record *record, event_put_done done,
                     void *context);

typedef struct {
  int64_t id;
  int attempt; /* 1 at the first run */
  int64_t received_at;
  char *body; /* NUL-terminated for convenience; may hold NUL bytes */
  size_t body_size;
} event_lease;

/* A consumer is one worker. `notify_fd` (an eventfd of the caller's, kept open
 * as long as the consumer) is written to whenever leased events arrive. Several
 * consumers share the events evenly, and one that has nothing to do takes over what another
 * does not come for. NULL: out of memory. */
event_consumer *event_consumer_new(event_store *store, int notify_fd);

/* Says how many more events the consumer can take, beyond those it has taken;
 * what is leased to it and not taken yet counts against it, so that saying it again
 * never leases too much. Each take lowers it by one. 0 stops leasing. */
void event_consumer_want(event_consumer *consumer, size_t count);

/* The next leased event, or NULL. The caller frees it with event_lease_free.
 * At most one event of an account is leased at a time, the oldest first; an
 * event that waits for its retry holds back the later ones of its account. */
event_lease *event_consumer_take(event_consumer *consumer);
void event_lease_free(event_lease *lease);

typedef enum {
  EVENT_OUTCOME_DONE,
  EVENT_OUTCOME_RETRY, /* again at `retry_at` */
  EVENT_OUTCOME_DEAD,
  EVENT_OUTCOME_RELEASED, /* not run to its end: received again, the attempt not counted */
} event_outcome_kind;

typedef struct {
  event_outcome_kind kind;
  int64_t retry_at;  /* for EVENT_OUTCOME_RETRY */
  const char *error; /* for RETRY and DEAD; copied; may be NULL */
} event_outcome;

/* Ends a lease. Ignored if no event of this id is leased to the consumer. */
void event_consumer_finish(event_consumer *consumer, int64_t id, const event_outcome *outcome);

/* Releases what is leased to the consumer and not finished, and frees it. */
void event_consumer_free(event_consumer *consumer);

typedef struct {
  int64_t unfinished;      /* received, running or waiting for a retry, puts under way included */
  int64_t done;            /* finished so since open */
  int64_t dead;            /* finished so since open */
  int64_t failed_attempts; /* finishes with RETRY or DEAD since open */
} event_counts;

void event_store_counts(event_store *store, event_counts *counts);

typedef struct {
  int64_t id;
  const char *action;
  const char *account_id; /* or NULL */
  const char *state;
  int attempts;
  int64_t received_at;
  const char *error; /* of the last failed attempt, or NULL */
} event_summary;     /* valid during the call it is given to */

typedef struct {
  const char *state; /* a state's name, or NULL for all */
  int64_t limit;     /* at most so many, the oldest first; 0: all */
} event_filter;

/* Calls `each` for the stored events, oldest first, until it returns false.
 * Opens the file read-only, whether another process serves from it or not, and holds nothing up
 * while `each` runs: an event that changes during the listing is shown as it was when its page of
 * a few hundred was read. False without a call if the file is missing or not an event store's.
 * False on failure, with the reason in `error`. */
bool event_store_list(const char *path, const event_filter *filter,
                      bool (*each)(void *context, const event_summary *event), void *context,
                      char *error, size_t error_size);

#endif
