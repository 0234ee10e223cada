/* Puts events into the database of the event store, in its transactions. */
#include "internal.h"
#include "reconciled.h"

#include <string.h>

/* SQLite's own limit is a thousand million bytes, for a row. */
#define MAX_BODY_SIZE 900000000

/* Ids are assigned here, which saves SQLite the bookkeeping for each of them. */
bool event_sql_next_id(event_sql *sql, int64_t *id) {
  if (sql->last_id == 0 &&
      !event_file_read_integer(sql->file.db,
                               "SELECT max(last, coalesce((SELECT max(id) FROM events), 0))"
                               " FROM ids",
                               &sql->last_id)) {
    return event_sql_record_failure(sql);
  }
  *id = ++sql->last_id;
  return true;
}

static int put_row(event_sql *sql, const event_record *record, int64_t id) {
  sqlite3_stmt *put = sql->statements[PUT];
  bool bound = sqlite3_bind_int64(put, 1, id) == SQLITE_OK &&
               sqlite3_bind_text(put, 2, record->action, -1, SQLITE_STATIC) == SQLITE_OK &&
               sqlite3_bind_text(put, 3, record->account_id, -1, SQLITE_STATIC) == SQLITE_OK &&
               sqlite3_bind_int64(put, 4, record->received_at) == SQLITE_OK;
  int step = bound ? sqlite3_step(put) : sqlite3_errcode(sql->file.db);
  (void)event_sql_end_use(sql, put, step);
  return step;
}

static int put_body(event_sql *sql, const event_record *record, int64_t id) {
  sqlite3_stmt *put = sql->statements[PUT_BODY];
  /* A body of no bytes may have no address, which would be stored as NULL. */
  const char *body = record->body_size > 0 ? record->body : "";
  (void)sqlite3_bind_int64(put, 1, id);
  bool bound = sqlite3_bind_blob64(put, 2, body, record->body_size, SQLITE_STATIC) == SQLITE_OK;
  int step = bound ? sqlite3_step(put) : sqlite3_errcode(sql->file.db);
  (void)event_sql_end_use(sql, put, step);
  return step;
}

static int put_trace(event_sql *sql, const event_trace *trace, int64_t id) {
  if (trace->traceparent == NULL && trace->request_id == NULL) {
    return SQLITE_DONE;
  }
  sqlite3_stmt *put = sql->statements[PUT_TRACE];
  (void)sqlite3_bind_int64(put, 1, id);
  (void)sqlite3_bind_text(put, 2, trace->traceparent, -1, SQLITE_STATIC);
  (void)sqlite3_bind_text(put, 3, trace->request_id, -1, SQLITE_STATIC);
  int step = sqlite3_step(put);
  (void)event_sql_end_use(sql, put, step);
  return step;
}

bool event_sql_put(event_sql *sql, const event_record *record, int64_t *id) {
  *id = 0;
  if (record->body_size > MAX_BODY_SIZE) {
    return true;
  }
  int64_t row = 0;
  if (!event_sql_next_id(sql, &row)) {
    return false;
  }
  int step = put_row(sql, record, row);
  if (step != SQLITE_DONE) {
    return step == SQLITE_TOOBIG;
  }
  if (put_body(sql, record, row) != SQLITE_DONE ||
      put_trace(sql, &record->trace, row) != SQLITE_DONE) {
    return false;
  }
  if (sql->learned == LEARN_ALL) { /* else it is still to be read */
    uint64_t account = ready_queue_key(sql->order, record->account_id);
    event_sql_changed_order(sql, ready_queue_add(sql->order, account, row));
  }
  *id = row;
  return true;
}

bool event_sql_find_reconciled(event_sql *sql, const event_record *record, int64_t *id) {
  *id = 0;
  if (record->account_id == NULL || strcmp(record->action, EVENT_RECONCILED_ACTION) != 0) {
    return true;
  }
  bool ok =
      sql->reconciled_until >= 0 || event_reconciled_until(sql->file.db, &sql->reconciled_until);
  if (ok && record->received_at < sql->reconciled_until) {
    ok = event_reconciled_find(sql->file.db, record->account_id, record->received_at, id);
  }
  return ok || event_sql_record_failure(sql);
}

bool event_sql_has_body(event_sql *sql, int64_t id, const event_record *record, bool *has_it) {
  sqlite3_stmt *read = sql->statements[READ_BODY];
  (void)sqlite3_bind_int64(read, 1, id);
  int step = sqlite3_step(read);
  *has_it = false;
  if (step == SQLITE_ROW && (size_t)sqlite3_column_bytes(read, 0) == record->body_size) {
    *has_it = record->body_size == 0 ||
              memcmp(sqlite3_column_blob(read, 0), record->body, record->body_size) == 0;
  }
  return event_sql_end_use(sql, read, step);
}
