/* The database file of the event store: who may open it, what it must look like. */
#ifndef PALENCA_HOST_STORE_SQLITE_DATABASE_FILE_H
#define PALENCA_HOST_STORE_SQLITE_DATABASE_FILE_H

#include "common/host_error.h"
#include "log_writer.h"
#include "query_step.h"
#include "read_filter.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the store is made of: the database, and the suffixes of SQLite's log, of its index, and of
 * the lock file. */
#define EVENT_FILE_PARTS ((const char *const[]){"", "-wal", "-shm", "-lock"})
#define EVENT_FILE_PART_COUNT 4

#define EVENT_FILE_SERVER "palenca serve" /* who holds the lock */

typedef struct {
  char *path; /* absolute, links resolved */
  sqlite3 *db;
  log_writer *log;                       /* NULL: SQLite writes to it */
  read_filter *filter;                   /* NULL: out of memory, or not for writing */
  int version;                           /* of the schema; 0: there is nothing in it */
  int lock;                              /* descriptor of the lock file; -1: none */
  bool is_writer;                        /* locked, checked and ready for writing */
  uint64_t parts[EVENT_FILE_PART_COUNT]; /* inodes of what a writer has open */
} event_file;

/* Opens the file for writing, creating it if there is none, as the only process that serves from
 * it; one of an earlier version is brought to this one. From then on the connection waits for no
 * other that writes, and nothing is moved out of the log but by a checkpoint that is asked for.
 * False on failure, with the reason in `error`; a file that is not an event store, or is one of a
 * later version, is left as it was. */
bool event_file_open(event_file *file, const char *path, host_error *error);

/* Opens an existing file for writing, as the only process that does, for as long as it is open;
 * `role` is what for. One of an earlier version is brought to this one. False on failure;
 * HOST_HELD: because another process has it open for writing. */
bool event_file_open_alone(event_file *file, const char *path, const char *role, host_error *error);

/* Opens an existing file read-only, whether another process writes to it or not. What is read is
 * read in short transactions: the log grows for as long as one is open. If a process was killed as
 * it opened or closed the file, what it left half written is rolled back first. */
bool event_file_open_to_read(event_file *file, const char *path, host_error *error);

/* The suffix of a part that is no longer where it was when it was opened for writing; NULL: none.
 * What goes into a file without a name is lost at the end, and who opens the database then shares
 * no lock with this process. */
const char *event_file_missing_part(const event_file *file);

/* Closes it. A writer moves what the log holds into the file first, and removes the log, unless
 * there is a long read. */
void event_file_close(event_file *file);

/* Makes the log at least of this size, for a connection that writes. */
void event_file_fill_log(sqlite3 *db, int64_t size);

/* The open log of a connection; NULL: there is none. */
sqlite3_file *event_file_log(sqlite3 *db);

/* Sets the error "cannot read (write to) FILE: reason"; always false. */
bool event_file_fail(const event_file *file, const char *what, host_error *error);

/* Bytes of a file whose name is that of a database with a suffix ("-wal"); 0: there is none. */
int64_t event_file_size(const char *path, const char *suffix);

/* The ids of all events: those greater than `after`, up to `last`; 0 and 0 if there are none. */
bool event_file_ids(sqlite3 *db, int64_t *after, int64_t *last);

/* Ids that none of the stored events has may be many: after a restore, or a purge. Moves `after` to
 * just before the next id that is in use, but not beyond `last`; or `last` down to one, or to
 * `after`. */
bool event_file_skip_up(sqlite3 *db, int64_t *after, int64_t last);
bool event_file_skip_down(sqlite3 *db, int64_t after, int64_t *last);

/* Sets the last failure on `db`, with the system's own reason where there is one; always false. */
bool event_file_reason(sqlite3 *db, host_error *error);

#endif
