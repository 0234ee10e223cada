/* What is in SQLite's log after the frames that it uses: those of before its last restart, which
 * the next commits write over. */
#ifndef PALENCA_HOST_STORE_SQLITE_LOG_REST_H
#define PALENCA_HOST_STORE_SQLITE_LOG_REST_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#define LOG_SALTS_SIZE 8

typedef struct {
  unsigned char salts[LOG_SALTS_SIZE]; /* of the log since its last restart */
  sqlite3_int64 used;                  /* bytes at its beginning */
  sqlite3_int64 cleared;               /* up to here what was not in use has been overwritten */
} log_rest;

/* What says, in each frame, since which restart it is there; zeros: the log is empty. Returns
 * SQLite's codes. */
int log_rest_salts(sqlite3_file *log, unsigned char salts[LOG_SALTS_SIZE]);

/* Overwrites up to `max` bytes with zeros, which SQLite ignores; outside of transactions of this
 * process, which is the only one that writes. `rest` begins as zeros. Returns SQLite's codes. */
int log_rest_clear(log_rest *rest, sqlite3_file *log, uint32_t page_size, sqlite3_int64 max,
                   bool *is_done);

#endif
