/* Overwrites all that is left in a database's files of rows that were removed or moved: in short
 * steps, between the transactions of the connection that writes.
 *
 * SQLite has no call for it but VACUUM, which holds the database until it has written all of it
 * anew. So free pages are cut off the file; the log is moved into it and emptied; and in the pages
 * of rows, in the file itself, the bytes that no row uses are overwritten. What changes meanwhile
 * is in the log, and the pages are looked at once more. */
#ifndef PALENCA_HOST_STORE_SQLITE_OVERWRITE_H
#define PALENCA_HOST_STORE_SQLITE_OVERWRITE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
  EVENT_OVERWRITE_MORE,
  EVENT_OVERWRITE_LATER, /* another process reads or writes: nothing was done */
  EVENT_OVERWRITE_DONE,
  EVENT_OVERWRITE_FAILED
} event_overwrite_result;

typedef struct event_overwrite event_overwrite;

/* `path` is the database's. NULL: out of memory. */
event_overwrite *event_overwrite_new(const char *path);
void event_overwrite_free(event_overwrite *overwrite); /* NULL is allowed */

/* Does some of it, outside of a transaction, until about this time of the monotonic clock. */
event_overwrite_result event_overwrite_step(event_overwrite *overwrite, sqlite3 *db, int64_t until);

/* Why it has failed, and there may be a transaction to roll back. */
const char *event_overwrite_reason(const event_overwrite *overwrite);

#endif
