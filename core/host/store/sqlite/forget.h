/* Removes what the store has of an event, or of a decision, when a person is forgotten. */
#ifndef PALENCA_HOST_STORE_SQLITE_FORGET_H
#define PALENCA_HOST_STORE_SQLITE_FORGET_H

#include "store/event_admin.h"

#include <sqlite3.h>

/* These work in the caller's transaction, and add to the report. False on failure, the reason being
 * the connection's last error. */

/* Removes an event in any state, with all that belongs to it; not one that is running, unless no
 * process serves. `*was_unfinished` is set if it was one that would have run. */
bool event_forget_event(sqlite3 *db, int64_t id, bool is_alone, event_forget_report *report,
                        bool *was_unfinished);

/* Remembers the ids of an account and of a user, each of which may be NULL, by their digests: their
 * logins that began before are not reconciled. Removes what says that an event of the account was
 * queued. */
bool event_forget_ids(sqlite3 *db, const char *account_id, const char *user_id, int64_t now);

/* Whether one of these ids was forgotten at this time or after it. */
bool event_forget_is_after(sqlite3 *db, const char *account_id, const char *user_id, int64_t since,
                           bool *is);

/* Removes up to `max` of those that were forgotten before the last purged event was received: what
 * began before that is not reconciled anyway. */
bool event_forget_delete_old(sqlite3 *db, int max, int64_t *deleted);

/* Removes what is removable of a decision, and records that in the ledger. */
bool event_forget_decision(sqlite3 *db, int64_t number, int64_t now, event_forget_report *report);

#endif
