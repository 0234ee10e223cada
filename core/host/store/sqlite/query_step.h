/* Steps a query, trying again for a short time, and reads a number from a database. */
#ifndef PALENCA_HOST_STORE_SQLITE_QUERY_STEP_H
#define PALENCA_HOST_STORE_SQLITE_QUERY_STEP_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* The first column of a query's first row; 0 and false if there is none. */
bool event_file_read_integer(sqlite3 *db, const char *query, int64_t *value);

/* sqlite3_step, for a query outside a transaction that writes. A store that is opened or closed
 * changes its header by way of a rollback journal. SQLite takes one that is deleted as it looks for
 * that of a process that has died, and a read-only connection cannot roll it back: such a step is
 * tried again for a short time. */
int event_file_step(sqlite3_stmt *query);

#endif
