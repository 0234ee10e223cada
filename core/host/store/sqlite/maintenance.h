/* Retention, vacuum and checkpoints, run between transactions in short steps: expired events are
 * deleted, their pages freed, and the log is moved into the database. */
#ifndef PALENCA_HOST_STORE_SQLITE_MAINTENANCE_H
#define PALENCA_HOST_STORE_SQLITE_MAINTENANCE_H

#include "store/backend/backend.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* Pages in the log at which they are moved into the database, which takes two more syncs, and what
 * comes meanwhile waits for it: with 100 the rate is lower, with 1000 the slowest responses are
 * slower. */
#define EVENT_CHECKPOINT_PAGES 400

/* Of what is deleted beside events. */
typedef struct {
  int64_t retention; /* milliseconds; 0: for ever */
  int64_t next;      /* on the monotonic clock */
} event_expiry;

typedef struct {
  int64_t events, decisions, responses; /* milliseconds; 0: for ever */
} event_retention;

typedef struct {
  int64_t retention;      /* done events are deleted after this many milliseconds; 0: never */
  event_expiry decisions; /* the ledger's entries */
  event_expiry responses; /* those that were recorded */
  event_expiry marks;     /* of reconciled accounts, and of forgotten ids */
  bool in_round;          /* from the oldest event to the first that is young */
  int64_t after;          /* where the round is */
  int64_t next_round, next_step; /* on the monotonic clock */
  bool may_shrink;
  int range;                  /* ids in a step, as many as it has time for */
  int pages;                  /* in the log */
  int seen;                   /* of them, when they were last moved into the database */
  bool is_checkpoint_partial; /* a reader has prevented a complete one */
} event_maintenance;

/* The maintenance stays where it is as long as the connection is open. */
void event_maintenance_init(event_maintenance *maintenance, sqlite3 *db,
                            const event_retention *retention);

/* In how many milliseconds a step is due; `is_idle`: no request waits for the store. INT64_MAX:
 * when it is idle. */
int64_t event_maintenance_due(const event_maintenance *maintenance, bool is_idle);

/* Makes a step of a task, outside of a transaction. False if what is old could not be deleted, the
 * reason being the connection's last error, with a transaction to roll back; it is tried again
 * later. */
bool event_maintenance_step(event_maintenance *maintenance, sqlite3 *db, bool is_idle,
                            event_maintenance_task *task);

/* Moves the log into the database if there is enough in it, or, with `is_retry`, if a reader
 * prevented it the last time. */
void event_maintenance_checkpoint(event_maintenance *maintenance, sqlite3 *db, bool is_retry);

#endif
