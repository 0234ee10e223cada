/* The recorded responses of events in the database: one row for an event, of its last run that was
 * recorded. All of these return false on failure, the reason being the connection's last error;
 * what writes does so in the caller's transaction. */
#ifndef PALENCA_HOST_STORE_SQLITE_RESPONSES_H
#define PALENCA_HOST_STORE_SQLITE_RESPONSES_H

#include "purge.h"
#include "store/ledger/recording.h"

#include <sqlite3.h>

/* Whether the database has the table: none of an earlier version does, which may be read. */
bool event_responses_are_there(sqlite3 *db);

typedef struct {
  int64_t event_id, attempt, replay;
  int64_t recorded_at; /* Unix milliseconds */
  int64_t decision;    /* the number of the entry in the ledger that ended it; 0: none */
} event_responses_run;

bool event_responses_store(sqlite3 *db, const event_responses_run *run,
                           const event_recording *recording);

/* Removes those of the events of a range. */
bool event_responses_remove_range(sqlite3 *db, const event_purge_range *range);

/* Removes up to `max` of those that were recorded before a time. */
bool event_responses_delete_old(sqlite3 *db, int64_t before, int64_t max, int64_t *deleted);

#endif
