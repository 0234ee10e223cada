/* Writes what SQLite writes to its log for a commit in one piece: SQLite itself writes each page of
 * a transaction in two. */
#ifndef PALENCA_HOST_STORE_SQLITE_LOG_WRITER_H
#define PALENCA_HOST_STORE_SQLITE_LOG_WRITER_H

#include <sqlite3.h>

#define LOG_WRITER_SIZE 65536 /* bytes in a piece at most: as many as SQLite itself writes */

typedef struct log_writer log_writer;

/* Puts itself between SQLite and the log, until that is closed. NULL: out of memory; the log is as
 * it was. A failure to write is that of the commit's last write, or of what else was to come after
 * it. */
log_writer *log_writer_attach(sqlite3_file *log);

/* Once the log is closed. NULL is allowed. */
void log_writer_free(log_writer *writer);

#endif
