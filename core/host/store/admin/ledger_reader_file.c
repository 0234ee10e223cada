/* Reads the ledger of decisions from a file for a check. */
#include "ledger_reader.h"

#include "store/sqlite/database_file.h"
#include "store/sqlite/ledger.h"

#include <stdlib.h>

/* The log grows for as long as a transaction is open. */
#define CHUNK 256

typedef struct {
  ledger_reader base; /* first */
  event_file file;
  sqlite3_stmt *query;
} file_reader;

static file_reader *self_of(ledger_reader *reader) {
  return (file_reader *)(void *)reader;
}

static void close_reader(ledger_reader *reader) {
  file_reader *self = self_of(reader);
  (void)sqlite3_finalize(self->query);
  event_file_close(&self->file);
  free(self);
}

static bool begin(ledger_reader *reader) {
  return sqlite3_exec(self_of(reader)->file.db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK;
}

static void end(ledger_reader *reader) {
  (void)sqlite3_exec(self_of(reader)->file.db, "COMMIT", NULL, NULL, NULL);
}

static bool state(ledger_reader *reader, ledger_state *found) {
  return event_ledger_state(self_of(reader)->file.db, found);
}

static bool read_rows(ledger_reader *reader, int64_t from, ledger_row_visit *each, void *context) {
  file_reader *self = self_of(reader);
  sqlite3_stmt *query = self->query;
  (void)sqlite3_bind_int64(query, 1, from);
  (void)sqlite3_bind_int(query, 2, CHUNK);
  int step;
  bool is_wanted = true;
  while (is_wanted && (step = event_file_step(query)) == SQLITE_ROW) {
    ledger_row row;
    event_ledger_read(query, &row);
    is_wanted = each(context, &row);
  }
  (void)sqlite3_reset(query);
  return !is_wanted || step == SQLITE_DONE;
}

static int64_t find(ledger_reader *reader, const char *text, const unsigned char *digest) {
  sqlite3_stmt *query = NULL;
  int64_t number = 0;
  if (sqlite3_prepare_v2(self_of(reader)->file.db, text, -1, &query, NULL) == SQLITE_OK) {
    (void)sqlite3_bind_blob(query, 1, digest, LEDGER_DIGEST_SIZE, SQLITE_STATIC);
    number = sqlite3_step(query) == SQLITE_ROW ? sqlite3_column_int64(query, 0) : 0;
  }
  (void)sqlite3_finalize(query);
  return number;
}

static int64_t find_hash(ledger_reader *reader, const unsigned char hash[LEDGER_DIGEST_SIZE]) {
  return find(reader, "SELECT number FROM decisions WHERE hash = ?1", hash);
}

static int64_t find_previous(ledger_reader *reader, const unsigned char hash[LEDGER_DIGEST_SIZE]) {
  return find(reader, "SELECT number FROM decisions WHERE previous = ?1", hash);
}

static bool find_orphan(ledger_reader *reader, int64_t *number) {
  return event_file_read_integer(self_of(reader)->file.db,
                                 "SELECT number FROM decision_data WHERE number NOT IN"
                                 " (SELECT number FROM decisions) LIMIT 1",
                                 number);
}

static bool fail(ledger_reader *reader, host_error *error) {
  return event_file_fail(&self_of(reader)->file, "read", error);
}

static const ledger_reader_class file_class = {
    .chunk = CHUNK,
    .close = close_reader,
    .begin = begin,
    .end = end,
    .state = state,
    .read = read_rows,
    .find_hash = find_hash,
    .find_previous = find_previous,
    .find_orphan = find_orphan,
    .fail = fail,
};

bool ledger_reader_open_file(const char *path, ledger_reader **reader, host_error *error) {
  *reader = NULL;
  file_reader *self = calloc(1, sizeof *self);
  if (self == NULL || !event_file_open_to_read(&self->file, path, error)) {
    bool has_memory = self != NULL;
    free(self);
    return has_memory ? false : host_error_set(error, HOST_FAILED, "out of memory");
  }
  self->base.class = &file_class;
  bool has_ledger = self->file.version >= LEDGER_SCHEMA_VERSION;
  bool ok = !has_ledger ||
            sqlite3_prepare_v2(self->file.db,
                               "SELECT " LEDGER_COLUMNS " FROM " LEDGER_TABLES
                               " WHERE decisions.number >= ?1 ORDER BY decisions.number LIMIT ?2",
                               -1, &self->query, NULL) == SQLITE_OK ||
            event_file_fail(&self->file, "read", error);
  if (ok && has_ledger) {
    *reader = &self->base;
  } else {
    close_reader(&self->base);
  }
  return ok;
}
