/* The ledger of decisions in the database. */
#include "ledger.h"

#include <string.h>

static bool end(sqlite3_stmt *statement, bool ok) {
  ok = ok && sqlite3_step(statement) == SQLITE_DONE;
  return sqlite3_finalize(statement) == SQLITE_OK && ok;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *text) {
  sqlite3_stmt *statement = NULL;
  (void)sqlite3_prepare_v2(db, text, -1, &statement, NULL);
  return statement;
}

static bool bind_digest(sqlite3_stmt *statement, int at, const unsigned char *digest) {
  return sqlite3_bind_blob(statement, at, digest, LEDGER_DIGEST_SIZE, SQLITE_STATIC) == SQLITE_OK;
}

static bool read_digest(sqlite3_stmt *row, int column, unsigned char *digest) {
  bool is_blob = sqlite3_column_type(row, column) == SQLITE_BLOB;
  return ledger_copy_digest(sqlite3_column_blob(row, column),
                            is_blob ? (size_t)sqlite3_column_bytes(row, column) : 0, digest);
}

/* SQLite converts what is of another type: two rows would read the same, and queries tell them
 * apart. */
static bool has_types(sqlite3_stmt *row, int column, const int *types, int count) {
  bool has = true;
  for (int i = 0; i < count; i++) {
    has = has && sqlite3_column_type(row, column + i) == types[i];
  }
  return has;
}

static ledger_text read_text(sqlite3_stmt *row, int column) {
  const char *data = sqlite3_column_blob(row, column);
  return (ledger_text){.data = data != NULL ? data : "",
                       .size = (size_t)sqlite3_column_bytes(row, column)};
}

/* ---- Reading ---- */

bool event_ledger_state(sqlite3 *db, ledger_state *state) {
  *state = (ledger_state){.first = 1};
  sqlite3_stmt *query = prepare(db, "SELECT first, last, before, head FROM ledger WHERE id = 1");
  int step = query != NULL ? sqlite3_step(query) : SQLITE_ERROR;
  if (step == SQLITE_ROW) {
    state->first = sqlite3_column_int64(query, 0);
    state->last = sqlite3_column_int64(query, 1);
    bool has_before = read_digest(query, 2, state->before);
    ledger_check_state(state,
                       read_digest(query, 3, state->head) && has_before &&
                           has_types(query, 0, (const int[]){SQLITE_INTEGER, SQLITE_INTEGER}, 2));
  }
  (void)sqlite3_finalize(query);
  return step == SQLITE_ROW || step == SQLITE_DONE;
}

static bool has_sound_types(sqlite3_stmt *query, bool has_data) {
  static const int types[] = {SQLITE_INTEGER, SQLITE_INTEGER, SQLITE_INTEGER, SQLITE_INTEGER,
                              SQLITE_INTEGER, SQLITE_INTEGER, SQLITE_TEXT};
  static const int data_types[] = {SQLITE_TEXT, SQLITE_TEXT, SQLITE_BLOB, SQLITE_BLOB};
  bool is_read = sqlite3_column_type(query, 14) != SQLITE_NULL;
  return has_types(query, 0, types, 7) &&
         (!has_data || has_types(query, 12, data_types, is_read ? 4 : 2));
}

void event_ledger_read(sqlite3_stmt *query, ledger_row *row) {
  ledger_entry *entry = &row->entry;
  *row = (ledger_row){.has_data = sqlite3_column_type(query, 11) != SQLITE_NULL};
  row->is_damaged = !has_sound_types(query, row->has_data); /* before they are converted */
  entry->number = sqlite3_column_int64(query, 0);
  entry->kind = sqlite3_column_int64(query, 1);
  entry->subject = sqlite3_column_int64(query, 2);
  entry->attempt = sqlite3_column_int64(query, 3);
  entry->replay = sqlite3_column_int64(query, 4);
  entry->recorded_at = sqlite3_column_int64(query, 5);
  entry->facts = read_text(query, 6);
  unsigned char *const digests[] = {entry->rows_digest, entry->data_digest, entry->previous,
                                    entry->hash};
  for (int i = 0; i < 4; i++) {
    row->is_damaged = !read_digest(query, 7 + i, digests[i]) || row->is_damaged;
  }
  row->data.account_id = read_text(query, 12);
  row->data.user_id = read_text(query, 13);
  row->data.rows = read_text(query, 14);
  row->data.details = read_text(query, 15);
}

/* ---- Appending ---- */

static bool insert_entry(sqlite3 *db, const ledger_entry *entry) {
  sqlite3_stmt *insert = prepare(
      db, "INSERT INTO decisions(number, kind, subject, attempt, replay, recorded_at, facts,"
          " rows_digest, data_digest, previous, hash)"
          " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
  const int64_t integers[] = {entry->number,  entry->kind,   entry->subject,
                              entry->attempt, entry->replay, entry->recorded_at};
  for (int i = 0; i < 6; i++) {
    (void)sqlite3_bind_int64(insert, 1 + i, integers[i]);
  }
  bool ok = sqlite3_bind_text64(insert, 7, entry->facts.size > 0 ? entry->facts.data : "",
                                entry->facts.size, SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK &&
            bind_digest(insert, 8, entry->rows_digest) &&
            bind_digest(insert, 9, entry->data_digest) &&
            bind_digest(insert, 10, entry->previous) && bind_digest(insert, 11, entry->hash);
  return end(insert, ok);
}

static bool insert_data(sqlite3 *db, int64_t number, const ledger_data *data) {
  sqlite3_stmt *insert =
      prepare(db, "INSERT OR REPLACE INTO decision_data(number, account_id, user_id, rows, details)"
                  " VALUES (?1, ?2, ?3, ?4, ?5)");
  const ledger_text *const texts[] = {&data->account_id, &data->user_id, &data->rows,
                                      &data->details};
  bool ok = sqlite3_bind_int64(insert, 1, number) == SQLITE_OK;
  for (int i = 0; i < 4 && ok; i++) {
    const char *text = texts[i]->size > 0 ? texts[i]->data : "";
    ok = i < 2
             ? sqlite3_bind_text64(insert, 2 + i, text, texts[i]->size, SQLITE_STATIC,
                                   SQLITE_UTF8) == SQLITE_OK
             : sqlite3_bind_blob64(insert, 2 + i, text, texts[i]->size, SQLITE_STATIC) == SQLITE_OK;
  }
  return end(insert, ok);
}

static bool store_state(sqlite3 *db, const ledger_state *state) {
  sqlite3_stmt *replace = prepare(db, "INSERT OR REPLACE INTO ledger(id, first, before, last, head)"
                                      " VALUES (1, ?1, ?2, ?3, ?4)");
  bool ok = sqlite3_bind_int64(replace, 1, state->first) == SQLITE_OK &&
            bind_digest(replace, 2, state->before) &&
            sqlite3_bind_int64(replace, 3, state->last) == SQLITE_OK &&
            bind_digest(replace, 4, state->head);
  return end(replace, ok);
}

/* The first column of a query of up to three parameters; 0: there is no row, or it is NULL. */
static bool read_number(sqlite3 *db, const char *text, const int64_t parameters[3],
                        int64_t *number) {
  sqlite3_stmt *query = prepare(db, text);
  int count = sqlite3_bind_parameter_count(query);
  for (int i = 0; i < count; i++) {
    (void)sqlite3_bind_int64(query, 1 + i, parameters[i]);
  }
  int step = query != NULL ? sqlite3_step(query) : SQLITE_ERROR;
  *number = step == SQLITE_ROW ? sqlite3_column_int64(query, 0) : 0;
  (void)sqlite3_finalize(query);
  return step == SQLITE_ROW || step == SQLITE_DONE;
}

bool event_ledger_append(sqlite3 *db, ledger_entry *entry, const ledger_data *data) {
  ledger_state state;
  if (!event_ledger_state(db, &state)) {
    return false;
  }
  const int64_t numbers[3] = {ledger_is_number(state.last) ? state.last : 0, LEDGER_NUMBER_MAX};
  if (!read_number(db,
                   "SELECT max(?1, coalesce((SELECT max(number) FROM decisions WHERE number <= ?2),"
                   " 0))",
                   numbers, &entry->number)) {
    return false;
  }
  entry->number++;
  memcpy(entry->previous, state.head, LEDGER_DIGEST_SIZE);
  if (!ledger_entry_hash(entry, entry->hash)) {
    return false;
  }
  state.last = entry->number;
  memcpy(state.head, entry->hash, LEDGER_DIGEST_SIZE);
  return insert_entry(db, entry) && (data == NULL || insert_data(db, entry->number, data)) &&
         store_state(db, &state);
}

/* ---- Removing ---- */

static bool run_with(sqlite3 *db, const char *text, int64_t number) {
  sqlite3_stmt *statement = prepare(db, text);
  return end(statement, sqlite3_bind_int64(statement, 1, number) == SQLITE_OK);
}

bool event_ledger_remove_data(sqlite3 *db, int64_t number, int64_t now, bool *was_there) {
  *was_there = false;
  if (!run_with(db, "DELETE FROM decision_data WHERE number = ?1", number)) {
    return false;
  }
  *was_there = sqlite3_changes(db) > 0;
  ledger_entry entry = {.kind = LEDGER_DATA_REMOVED, .subject = number, .recorded_at = now};
  return !*was_there || event_ledger_append(db, &entry, NULL);
}

/* The number up to which the first entries are to go; 0: none is. Entries are in the order of time,
 * but for those recorded while the clock was wrong: nothing is read beyond the first young one. */
static bool find_old(sqlite3 *db, int64_t before, int64_t max, int64_t *last) {
  int64_t range[3] = {before, 0, 0}; /* from the first decision to the first that is young */
  *last = 0;
  if (!read_number(db, "SELECT min(number) FROM decisions WHERE kind = 1 AND number <= ?1",
                   (const int64_t[3]){LEDGER_NUMBER_MAX}, &range[1])) {
    return false;
  }
  range[2] = range[1] + max;
  return range[1] == 0 ||
         (read_number(db,
                      "SELECT coalesce(min(number), ?3) FROM decisions"
                      " WHERE kind = 1 AND recorded_at >= ?1 AND number >= ?2 AND number < ?3",
                      range, &range[2]) &&
          read_number(db,
                      "SELECT max(number) FROM decisions"
                      " WHERE kind = 1 AND recorded_at < ?1 AND number >= ?2 AND number < ?3",
                      range, last));
}

static bool delete_up_to(sqlite3 *db, int64_t last, int64_t now, int64_t *deleted) {
  ledger_state state;
  ledger_entry entry = {.kind = LEDGER_ENTRIES_DELETED, .subject = last, .recorded_at = now};
  sqlite3_stmt *query = prepare(db, "SELECT hash FROM decisions WHERE number = ?1");
  (void)sqlite3_bind_int64(query, 1, last);
  bool ok = query != NULL && sqlite3_step(query) == SQLITE_ROW;
  if (ok) { /* a damaged hash is one of zeros, which verify finds */
    (void)read_digest(query, 0, entry.rows_digest);
  }
  (void)sqlite3_finalize(query);
  if (!ok || !event_ledger_append(db, &entry, NULL) || !event_ledger_state(db, &state)) {
    return false;
  }
  state.first = last + 1;
  memcpy(state.before, entry.rows_digest, LEDGER_DIGEST_SIZE);
  ok = run_with(db, "DELETE FROM decision_data WHERE number <= ?1", last) &&
       run_with(db, "DELETE FROM decisions WHERE number <= ?1", last);
  *deleted = ok ? sqlite3_changes(db) : 0;
  return ok && store_state(db, &state);
}

bool event_ledger_delete_old(sqlite3 *db, int64_t before, int64_t max, int64_t now,
                             int64_t *deleted) {
  int64_t last;
  *deleted = 0;
  return find_old(db, before, max, &last) && (last == 0 || delete_up_to(db, last, now, deleted));
}
