/* Overwrites what no row uses in the pages that a connection reads from its database's file, in
 * memory: so it does not write back copies of rows that were removed before. */
#ifndef PALENCA_HOST_STORE_SQLITE_READ_FILTER_H
#define PALENCA_HOST_STORE_SQLITE_READ_FILTER_H

#include "unused_bytes.h"

#include <sqlite3.h>
#include <stdbool.h>

typedef struct read_filter read_filter;

/* Stands between SQLite and an open database file, and passes all on until it is started. NULL:
 * out of memory; nothing has changed. */
read_filter *read_filter_attach(sqlite3_file *file);

/* Once SQLite has closed the file. NULL is allowed. */
void read_filter_free(read_filter *filter);

/* The one that is attached to a file; NULL: there is none. */
read_filter *read_filter_of(const sqlite3_file *file);

/* From now on pages are cleared as they are read. What SQLite has in its cache is not. */
void read_filter_start(read_filter *filter, const page_format *format);
void read_filter_stop(read_filter *filter);

/* Reads what is in the file. Returns SQLite's codes. */
int read_filter_read(const read_filter *filter, sqlite3_file *file, void *bytes, int size,
                     sqlite3_int64 offset);

#endif
