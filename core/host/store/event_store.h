/* The durable event store: put, lease, finish and list, on SQLite or PostgreSQL.
 *
 * A store lives on a libuv loop, whose thread is the only one that writes to the database. What a
 * turn of the loop has put and what workers have finished is committed in one transaction at the
 * turn's end, and callbacks are called only after the commit. Times are Unix milliseconds.
 *
 * "On the loop": only on the thread of its loop, or, while that does not run, on any one. All
 * functions of consumers, event_store_counts and event_store_heartbeat may be called on any thread.
 */
#ifndef PALENCA_HOST_STORE_EVENT_STORE_H
#define PALENCA_HOST_STORE_EVENT_STORE_H

#include "common/host_error.h"
#include "common/host_loop.h"
#include "event.h"
#include "rate_shares.h"

struct sqlite3;

typedef struct event_store event_store;
typedef struct event_consumer event_consumer;

typedef struct {
  const char *path; /* of a file, or the URL of a database at PostgreSQL */
  host_loop *loop;  /* outlives the store */
  /* Called on the loop with a line about a failure of the database (and once more when it has
   * ended); may be NULL; must not block. A failure is reported when it begins, not for each
   * event it affects: puts fail with the reason, outcomes are queued and retried. */
  void (*log)(void *context, bool is_error, const char *message);
  void *log_context;
  /* The deduplication window in milliseconds: a body received again within it is not stored
   * again; 0 disables it. */
  int64_t dedup_window;
  /* Done events are deleted after this many milliseconds; 0: never. A duplicate of one that was
   * deleted within the window is a new event. */
  int64_t retention;
  /* Decisions are deleted after this many milliseconds; 0: never. */
  int64_t decision_retention;
  /* Recorded responses are deleted after this many milliseconds, if their event is not before
   * that; 0: with their event. */
  int64_t recording_retention;
  /* An event EVENT_ALERT is stored for the dead letters of so many milliseconds; 0: none is. */
  int64_t alert_window;
  /* At PostgreSQL: a lease that was not renewed for this many milliseconds, as each is once a
   * second, is another process's. */
  int64_t lease_timeout;
  /* At PostgreSQL: whoever sends requests under rate limits that all processes share; NULL: nobody
   * does. */
  const rate_share_user *rate_shares;
} event_store_options;

typedef struct {
  int64_t unfinished;      /* received, running or waiting for a retry, puts under way included */
  int64_t done;            /* finished so since open */
  int64_t dead;            /* finished so since open */
  int64_t failed_attempts; /* finishes with RETRY or DEAD since open */
  int64_t duplicates;      /* duplicates since open */
} event_counts;

/* On the loop: opens (and creates) the database. Events that were running when the last process
 * ended are received again, their attempt counted if they had been started. One process at a time
 * may have a database open for this: a second one is rejected. NULL on failure, with the reason in
 * `error`. */
event_store *event_store_open(const event_store_options *options, host_error *error);

/* From any thread but the loop's: carries out what is queued, releases every lease, frees the
 * remaining consumers, closes the database. No consumer may be used after it, and nothing may be
 * put. An outcome that cannot be written in a few tries is abandoned: its event runs again after
 * the next open. False if that has not come to its end within `timeout_ms`, as with a disk that
 * hangs: it continues, and may be called again. `counts` (or NULL) gets what is left, if true. A
 * NULL store is allowed. */
bool event_store_close(event_store *store, int64_t timeout_ms, event_counts *counts);

/* Without a bound. NULL is allowed. */
void event_store_close_and_wait(event_store *store);

/* The milliseconds for which the loop has stood still in one turn, as on a disk that hangs; 0:
 * it continues. */
int64_t event_store_stalled_ms(const event_store *store);

/* On the loop: queues an event for the commit at the end of the turn; the record is copied. Only
 * without memory for the copy `done` is called at once, with id 0. If another process writes to
 * the database, it waits for that for at most two seconds. */
void event_store_put(event_store *store, const event_record *record, event_put_done done,
                     void *context);

/* On the loop: ends a turn, in which what was ready has been read: what was put, and what
 * workers have finished, is committed, and up to their prefetch is leased to them. Calls `done`
 * of what was put when it is on disk: before it returns with a database that completes at once,
 * else in a later turn. */
void event_store_end_turn(event_store *store);

/* On the loop: whether the store ends each turn of its loop by itself, as from its beginning on,
 * or its caller does, which knows when all that is ready has been read. */
void event_store_end_turns_itself(event_store *store, bool does);

/* ---- Work of others on the store's connection, between the transactions ---- */

typedef enum {
  EVENT_ADMIN_MORE,  /* to be called again, when what waits has had its turn */
  EVENT_ADMIN_LATER, /* the same, but only in 10 ms: another process writes to the database, or a
                      * slice was long */
  EVENT_ADMIN_DONE,
} event_admin_result;

/* A slice of some work, of at most 5 ms; with transactions of its own, which it ends. `db` is
 * the store's connection, which has no busy handler: SQLITE_BUSY comes at once. Statements must
 * not be kept open from one slice to the next. `*changes_unfinished`, which is false, is to be
 * set if events that are received, running or waiting for a retry have come, gone or changed by
 * it: which of them may run is read again then. NULL for `db`: the store closes, and this is the
 * last call. */
typedef event_admin_result event_admin_slice(void *context, struct sqlite3 *db,
                                             bool *changes_unfinished);

/* On the loop: has slices called on the loop until one returns EVENT_ADMIN_DONE, one after each
 * commit; several such works take turns. False: out of memory, or the store closes; it is not
 * called then. */
bool event_store_run_admin(event_store *store, event_admin_slice *slice, void *context);

/* A consumer is one worker. `notify_fd` (an eventfd of the caller's, kept open as long as the
 * consumer) is written to when leased events have arrived. All consumers take from one queue;
 * idle ones are notified, and all with room if an event is not taken soon. NULL: out of memory. */
event_consumer *event_consumer_new(event_store *store, int notify_fd);

#define EVENT_CONSUMER_LIMITS_MAX 32

/* Of the events whose action a pattern fits (an action, a family such as "login.*", or "*"), at
 * most `limit` (from 1) are leased at a time to all consumers, for as long as this consumer
 * exists; other events are not affected. To be called before the first prefetch. False without
 * memory, or for the 33rd pattern. */
bool event_consumer_limit(event_consumer *consumer, const char *pattern, size_t limit);

/* Adds a timer: leased to one of the consumers at this interval in milliseconds, counted from
 * the first consumer with a timer of this name, also across restarts. Missed leases are made up
 * for by one. A lease of it is finished by RELEASED; the next one follows after that. To be
 * called before the first prefetch; a timer that no consumer has any more is deleted. False: out
 * of memory. */
bool event_consumer_every(event_consumer *consumer, const char *name, int64_t interval);

/* Sets how many more events the consumer can take, beyond those it has taken. As many events as
 * all consumers can take are leased. Each take lowers it by one. 0 stops leasing; leased events
 * beyond the total are released. */
void event_consumer_prefetch(event_consumer *consumer, size_t count);

/* The next leased event, or NULL, also if the consumer's prefetch is 0: to be run at once, since
 * other consumers could take it until now, and from now on its attempt counts if the process
 * dies. The caller frees it with event_lease_free. At most one event of an account is leased at
 * a time, the oldest first; an event that waits for its retry holds back the later ones of its
 * account. */
event_lease *event_consumer_take(event_consumer *consumer);
void event_lease_free(event_lease *lease);

/* Ends a lease. Ignored if no event of this id is leased to the consumer. The outcome's decision
 * and recording belong to the store from here on. */
void event_consumer_finish(event_consumer *consumer, int64_t id, const event_outcome *outcome);

/* On the loop: says that events are likely to come soon whose handlers wait for an API. All
 * consumers are notified, once in a second at most. */
void event_store_announce(event_store *store);
/* Whether that was said since the last call. */
bool event_consumer_take_announcement(event_consumer *consumer);

/* Releases what is leased to the consumer and not finished, and frees it. */
void event_consumer_free(event_consumer *consumer);

void event_store_counts(event_store *store, event_counts *counts);

#endif
