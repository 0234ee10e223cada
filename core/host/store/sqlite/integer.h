/* A number from a database. */
#ifndef PALENCA_HOST_STORE_SQLITE_INTEGER_H
#define PALENCA_HOST_STORE_SQLITE_INTEGER_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* The first column of a query's first row; 0 and false if there is none. */
bool event_file_read_integer(sqlite3 *db, const char *query, int64_t *value);

#endif
