/* Events that were queued because the API knows of a login of which no webhook had come. For a day,
 * the webhook that comes late is a duplicate of such an event. */
#ifndef PALENCA_HOST_STORE_SQLITE_RECONCILED_H
#define PALENCA_HOST_STORE_SQLITE_RECONCILED_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_RECONCILED_ACTION "login.success"
#define EVENT_RECONCILED_MS INT64_C(86400000)

/* Stores an event, in a transaction. False on failure, the reason being the connection's last
 * error. */
bool event_reconciled_put(sqlite3 *db, const char *account_id, const char *body, size_t size,
                          int64_t now);

/* Until when the last of them counts; 0: none does. */
bool event_reconciled_until(sqlite3 *db, int64_t *until);

/* The event that was queued for an account, and counts at this time; 0: there is none. */
bool event_reconciled_find(sqlite3 *db, const char *account_id, int64_t now, int64_t *id);

/* Removes what says that an event of an account was queued. False on failure, as above. */
bool event_reconciled_remove(sqlite3 *db, const char *account_id);

/* Removes up to `max` of what counts no more at this time, in a transaction. */
bool event_reconciled_delete_old(sqlite3 *db, int64_t now, int max, int64_t *deleted);

#endif
