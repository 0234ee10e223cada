/* Deletes finished events, and returns their pages to the file system. */
#ifndef PALENCA_HOST_STORE_SQLITE_PURGE_H
#define PALENCA_HOST_STORE_SQLITE_PURGE_H

#include "store/event_admin.h"

#include <sqlite3.h>

typedef struct {
  int64_t after, last; /* the ids: those greater than `after`, up to `last` */
  event_state state;   /* EVENT_DONE or EVENT_DEAD */
  int64_t before;      /* finished before this */
  int64_t received_before;
} event_purge_range;

/* All of these return false on failure, the reason being the connection's last error. */

/* Of a range, adds how many events would be deleted, the bytes of what they hold, and how many more
 * it would be if they had been received before. */
bool event_purge_count(sqlite3 *db, const event_purge_range *range, event_purge_report *report);

/* The same of those that a filter matches, whenever they were finished, in the range's state, which
 * is not the filter's; EVENT_STATES: done or dead. */
bool event_purge_count_matching(sqlite3 *db, const event_purge_range *range,
                                const event_filter *filter, event_purge_report *report);

/* The first event of a range, whenever it was received; 0: there is none. */
bool event_purge_seek(sqlite3 *db, const event_purge_range *range, int64_t *id);

/* Deletes them, in the caller's transaction, and remembers when the last login.success of them was
 * received: of logins before that it cannot be said any more whether a webhook has come. */
bool event_purge_delete_range(sqlite3 *db, const event_purge_range *range);

/* The same, in a transaction of its own, which the caller rolls back after a failure. */
bool event_purge_delete(sqlite3 *db, const event_purge_range *range, int64_t *events);

/* Of a database of an earlier version: before its first event that is done, others may have been
 * purged. */
#define EVENT_PURGE_FIRST_DONE                                                                     \
  "SELECT coalesce((SELECT received_at FROM events WHERE state = 3 ORDER BY id LIMIT 1), 0)"

/* When the last login.success was received that a purge or the retention has deleted; 0: there is
 * none. */
bool event_purge_last(sqlite3 *db, int64_t *received_at);

/* Frees up to `pages` pages; the file shrinks at the next checkpoint. `left`: whether there are
 * more. */
bool event_purge_shrink(sqlite3 *db, int pages, bool *left);

#endif
