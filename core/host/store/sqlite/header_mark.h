/* What the header of a database file says of it: whose it is, and whether it is complete without
 * its log.
 *
 * The header names the journal mode. While a process serves, and after it was killed, it is the
 * write-ahead log: events may be in the log only. A clean close moves them into the file and sets
 * the mode to that of a rollback journal. So a copy of the file shows that it was taken without its
 * log. The log is on disk, if empty, before the header asks for it, and until the header does so no
 * longer.
 *
 * A copy that SQLite's backup makes has what was in the log, too, but asks for one as its
 * original does. Its cookie shows it: that of a file in use is set high, in the file itself,
 * before an event is in the log. */
#ifndef PALENCA_HOST_STORE_SQLITE_HEADER_MARK_H
#define PALENCA_HOST_STORE_SQLITE_HEADER_MARK_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum {
  EVENT_MARK_READABLE,
  EVENT_MARK_NOT_A_DATABASE,
  EVENT_MARK_FOREIGN,     /* another program's database */
  EVENT_MARK_LATER,       /* of a later version of this program */
  EVENT_MARK_COPY,        /* asks for a log that is not there */
  EVENT_MARK_FOREIGN_LOG, /* complete, beside the log of another file, which is to be removed before
                           * it is read
                           */
  EVENT_MARK_UNREADABLE   /* the reason is that of the failed call, `code` */
} event_mark;

/* Checks the file before SQLite does, which would create a missing log and take a foreign one
 * for its own. The connection has read nothing yet. `version`: of the schema, if it is a later
 * one. */
event_mark event_mark_read(sqlite3 *db, const char *path, long long *version, int *code);

/* Before the header asks for a log. These are for the holder of the lock; false with errno. */
bool event_mark_create_log(const char *path);
bool event_mark_remove_log(const char *path);

/* Before the header is changed: a journal that came back after a power cut would take it back, when
 * the log has events or is gone. In force until SQLite's `synchronous` is set to less. */
bool event_mark_sync_switches(sqlite3 *db);

/* Moves what is in the log into the file, and closes the log. False if it stays open, because of
 * a reader or a disk error; nothing is lost then. No statement may be left. */
bool event_mark_close_log(sqlite3 *db, const char *path);

#endif
