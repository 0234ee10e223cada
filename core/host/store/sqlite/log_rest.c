/* Overwrites what is in SQLite's log of before its last restart. */
#include "log_rest.h"

#include <string.h>

/* Of SQLite's file format. */
enum {
  HEADER_SIZE = 32,
  HEADER_SALTS = 16,
  FRAME_HEADER_SIZE = 24,
  FRAME_SALTS = 8
};

/* What is not there is zeros. */
static int read_bytes(sqlite3_file *log, void *bytes, int size, sqlite3_int64 offset) {
  int code = log->pMethods->xRead(log, bytes, size, offset);
  return code == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : code;
}

int log_rest_salts(sqlite3_file *log, unsigned char salts[LOG_SALTS_SIZE]) {
  unsigned char header[HEADER_SIZE];
  int code = read_bytes(log, header, sizeof header, 0);
  memcpy(salts, header + HEADER_SALTS, LOG_SALTS_SIZE);
  return code;
}

/* Behind the frames of this restart; those of a transaction that was rolled back are among them. */
static int find_used(log_rest *rest, sqlite3_file *log, uint32_t page_size, sqlite3_int64 size) {
  unsigned char salts[LOG_SALTS_SIZE], frame[FRAME_HEADER_SIZE];
  int code = log_rest_salts(log, salts);
  if (code != SQLITE_OK) {
    return code;
  }
  if (rest->used == 0 || memcmp(salts, rest->salts, sizeof salts) != 0) {
    memcpy(rest->salts, salts, sizeof salts);
    rest->used = HEADER_SIZE;
  }
  while (rest->used < size) {
    code = read_bytes(log, frame, sizeof frame, rest->used);
    if (code != SQLITE_OK || memcmp(frame + FRAME_SALTS, salts, sizeof salts) != 0) {
      break;
    }
    rest->used += FRAME_HEADER_SIZE + page_size;
  }
  return code;
}

int log_rest_clear(log_rest *rest, sqlite3_file *log, uint32_t page_size, sqlite3_int64 max,
                   bool *is_done) {
  static const char zeros[16384];
  sqlite3_int64 size = 0;
  int code = log->pMethods->xFileSize(log, &size);
  code = code == SQLITE_OK ? find_used(rest, log, page_size, size) : code;
  rest->cleared = rest->cleared > rest->used ? rest->cleared : rest->used;
  sqlite3_int64 end = size - rest->cleared > max ? rest->cleared + max : size;
  while (code == SQLITE_OK && rest->cleared < end) {
    sqlite3_int64 left = end - rest->cleared;
    int part = left < (sqlite3_int64)sizeof zeros ? (int)left : (int)sizeof zeros;
    code = log->pMethods->xWrite(log, zeros, part, rest->cleared);
    rest->cleared += part;
  }
  /* SQLite's log_writer may still have the last of them. */
  code = code == SQLITE_OK ? log->pMethods->xFileSize(log, &size) : code;
  *is_done = rest->cleared >= size;
  return code;
}
