/* Overwrites all that is left in a database's files of rows that were removed or moved: in short
 * steps, between the transactions of the connection that writes.
 *
 * SQLite has no call for it but VACUUM, which holds the database until it has written all of it
 * anew. So free pages are cut off the file; the log is moved into it and restarted, and what it
 * has of before is overwritten; and in the pages of rows, in the file itself, the bytes that no row
 * uses are overwritten. Meanwhile SQLite gets to read no such bytes, and so it writes none back.
 * What was written is on disk once the file is synced, which is left to the caller. */
#ifndef PALENCA_HOST_STORE_SQLITE_OVERWRITE_H
#define PALENCA_HOST_STORE_SQLITE_OVERWRITE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
  EVENT_OVERWRITE_MORE,
  EVENT_OVERWRITE_PAUSE, /* more after some milliseconds: this step was longer than others */
  EVENT_OVERWRITE_LATER, /* another process reads or writes: nothing was done */
  EVENT_OVERWRITE_DONE,
  EVENT_OVERWRITE_FAILED
} event_overwrite_result;

typedef struct event_overwrite event_overwrite;

/* NULL: out of memory. */
event_overwrite *event_overwrite_new(void);
void event_overwrite_free(event_overwrite *overwrite); /* NULL is allowed */

/* Does some of it on a connection of event_file_open(_alone), outside of a transaction, until about
 * this time of the monotonic clock. */
event_overwrite_result event_overwrite_step(event_overwrite *overwrite, sqlite3 *db, int64_t until);

/* Why it has failed, and there may be a transaction to roll back. */
const char *event_overwrite_reason(const event_overwrite *overwrite);

#endif
