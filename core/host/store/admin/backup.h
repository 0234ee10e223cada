/* Copies a database to a file in steps, by SQLite's online backup, on the connection that writes to
 * it: what that one commits meanwhile is in the copy as well, so that it never has to begin again.
 * The file is not synced: that is left to whoever waits for it, since it takes its time. */
#ifndef PALENCA_HOST_STORE_ADMIN_BACKUP_H
#define PALENCA_HOST_STORE_ADMIN_BACKUP_H

#include "store/event_admin.h"
#include "store/event_store.h"

#include <sqlite3.h>

typedef struct event_backup event_backup;

/* To a file that exists. NULL: out of memory. */
event_backup *event_backup_new(const char *file);

/* Copies until this time, on a connection without a transaction. EVENT_ADMIN_DONE: the copy is
 * closed and has all, or `error` is set. */
event_admin_result event_backup_step(event_backup *backup, sqlite3 *db, int64_t until,
                                     event_backup_report *report, host_error *error);

/* Ends it, complete or not; before the connection is closed. Removes the file of a process that has
 * died meanwhile. */
void event_backup_leave(event_backup *backup);
void event_backup_free(event_backup *backup); /* NULL is allowed */

#endif
