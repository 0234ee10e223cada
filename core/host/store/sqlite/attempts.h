/* The attempts of events in the database: one row for each that has ended. All of these return
 * false on failure, the reason being the connection's last error; what writes does so in the
 * caller's transaction. */
#ifndef PALENCA_HOST_STORE_SQLITE_ATTEMPTS_H
#define PALENCA_HOST_STORE_SQLITE_ATTEMPTS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether the database has the table: none of an earlier version does, which may be read. */
bool event_attempts_are_there(sqlite3 *db);

/* Records that the process died during the attempt that an event counted last; `started_at` is 0 if
 * it is not known. */
bool event_attempts_prepare_interrupted(sqlite3 *db, sqlite3_stmt **put);
bool event_attempts_put_interrupted(sqlite3_stmt *put, int64_t id, int64_t started_at);

#endif
