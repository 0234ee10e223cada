/* Collects the writes to SQLite's log until the end of a commit. */
#include "log_writer.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Of SQLite's file format: the header of a frame, which is written by itself, before the page. In
 * that of a commit's last frame the second number, the size of the database, is not 0. */
enum {
  FRAME_HEADER_SIZE = 24,
  COMMIT_SIZE = 4 /* the place of that number */
};

struct log_writer {
  sqlite3_io_methods methods; /* first: the file's pointer to them leads here */
  const sqlite3_io_methods *original;
  sqlite3_int64 offset; /* of what is collected */
  int size;
  bool is_last; /* the page that follows is a commit's last */
  char bytes[LOG_WRITER_SIZE];
};

static log_writer *writer_of(const sqlite3_file *log) {
  return (log_writer *)(uintptr_t)log->pMethods;
}

/* What could not be written is discarded: SQLite begins again with the transaction then. */
static int write_out(sqlite3_file *log) {
  log_writer *writer = writer_of(log);
  int size = writer->size;
  writer->size = 0;
  return size > 0 ? writer->original->xWrite(log, writer->bytes, size, writer->offset) : SQLITE_OK;
}

static bool is_last_header(const char *bytes, int size) {
  static const char zero[4];
  return size == FRAME_HEADER_SIZE && memcmp(bytes + COMMIT_SIZE, zero, sizeof zero) != 0;
}

static int write_log(sqlite3_file *log, const void *bytes, int size, sqlite3_int64 offset) {
  log_writer *writer = writer_of(log);
  bool follows = offset == writer->offset + writer->size && size <= LOG_WRITER_SIZE - writer->size;
  int code = follows ? SQLITE_OK : write_out(log);
  if (code != SQLITE_OK) {
    return code;
  }
  if (size > LOG_WRITER_SIZE) {
    return writer->original->xWrite(log, bytes, size, offset);
  }
  if (writer->size == 0) {
    writer->offset = offset;
  }
  memcpy(writer->bytes + writer->size, bytes, (size_t)size);
  writer->size += size;
  bool is_end = writer->is_last;
  writer->is_last = is_last_header(bytes, size);
  return is_end ? write_out(log) : SQLITE_OK;
}

static int read_log(sqlite3_file *log, void *bytes, int size, sqlite3_int64 offset) {
  int code = write_out(log);
  return code == SQLITE_OK ? writer_of(log)->original->xRead(log, bytes, size, offset) : code;
}

static int sync_log(sqlite3_file *log, int flags) {
  int code = write_out(log);
  return code == SQLITE_OK ? writer_of(log)->original->xSync(log, flags) : code;
}

static int truncate_log(sqlite3_file *log, sqlite3_int64 size) {
  int code = write_out(log);
  return code == SQLITE_OK ? writer_of(log)->original->xTruncate(log, size) : code;
}

static int log_size(sqlite3_file *log, sqlite3_int64 *size) {
  int code = write_out(log);
  return code == SQLITE_OK ? writer_of(log)->original->xFileSize(log, size) : code;
}

static int close_log(sqlite3_file *log) {
  int code = write_out(log);
  int closed = writer_of(log)->original->xClose(log);
  return code == SQLITE_OK ? closed : code;
}

log_writer *log_writer_attach(sqlite3_file *log) {
  log_writer *writer = malloc(sizeof *writer);
  if (writer == NULL) {
    return NULL;
  }
  writer->original = log->pMethods;
  writer->size = 0;
  writer->offset = 0;
  writer->is_last = false;
  writer->methods = *log->pMethods;
  writer->methods.xWrite = write_log;
  writer->methods.xRead = read_log;
  writer->methods.xSync = sync_log;
  writer->methods.xTruncate = truncate_log;
  writer->methods.xFileSize = log_size;
  writer->methods.xClose = close_log;
  log->pMethods = &writer->methods;
  return writer;
}

void log_writer_free(log_writer *writer) {
  free(writer);
}
