/* Stores events that were queued because no webhook had come, and finds them. */
#include "reconciled.h"

#include "query_step.h"

static bool run(sqlite3 *db, const char *text, const char *account_id, int64_t number,
                const char *body, size_t size) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK;
  (void)sqlite3_bind_text(statement, 1, account_id, -1, SQLITE_STATIC);
  (void)sqlite3_bind_int64(statement, 2, number);
  if (body != NULL) {
    (void)sqlite3_bind_blob64(statement, 3, body, size, SQLITE_STATIC);
  }
  ok = ok && sqlite3_step(statement) == SQLITE_DONE;
  (void)sqlite3_finalize(statement);
  return ok;
}

/* The id is that of the event, which is the last one then. */
bool event_reconciled_put(sqlite3 *db, const char *account_id, const char *body, size_t size,
                          int64_t now) {
  static const char event[] =
      "INSERT INTO events(id, action, account_id, state, attempts, replays, received_at, due_at)"
      " SELECT max(last, coalesce((SELECT max(id) FROM events), 0)) + 1,"
      " '" EVENT_RECONCILED_ACTION "', ?1, 0, 0, 0, ?2, 0 FROM ids";
  return run(db, "DELETE FROM reconciled WHERE until <= ?2 OR account_id = ?1", account_id, now,
             NULL, 0) &&
         run(db, event, account_id, now, NULL, 0) &&
         run(db, "INSERT INTO bodies(id, body) SELECT max(id), ?3 FROM events", account_id, now,
             body, size) &&
         run(db,
             "INSERT INTO reconciled(account_id, event, until) SELECT ?1, max(id), ?2 FROM events",
             account_id, now + EVENT_RECONCILED_MS, NULL, 0);
}

bool event_reconciled_remove(sqlite3 *db, const char *account_id) {
  return run(db, "DELETE FROM reconciled WHERE account_id = ?1", account_id, 0, NULL, 0);
}

bool event_reconciled_delete_old(sqlite3 *db, int64_t now, int max, int64_t *deleted) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(db,
                               "DELETE FROM reconciled WHERE account_id IN (SELECT account_id"
                               " FROM reconciled WHERE until <= ?1 LIMIT ?2)",
                               -1, &statement, NULL) == SQLITE_OK;
  (void)sqlite3_bind_int64(statement, 1, now);
  (void)sqlite3_bind_int(statement, 2, max);
  ok = ok && sqlite3_step(statement) == SQLITE_DONE;
  *deleted = ok ? sqlite3_changes(db) : 0;
  (void)sqlite3_finalize(statement);
  return ok;
}

bool event_reconciled_until(sqlite3 *db, int64_t *until) {
  return event_file_read_integer(db, "SELECT coalesce(max(until), 0) FROM reconciled", until);
}

bool event_reconciled_find(sqlite3 *db, const char *account_id, int64_t now, int64_t *id) {
  sqlite3_stmt *query = NULL;
  bool ok = sqlite3_prepare_v2(db,
                               "SELECT event FROM reconciled WHERE account_id = ?1"
                               " AND until > ?2",
                               -1, &query, NULL) == SQLITE_OK;
  (void)sqlite3_bind_text(query, 1, account_id, -1, SQLITE_STATIC);
  (void)sqlite3_bind_int64(query, 2, now);
  int step = ok ? sqlite3_step(query) : SQLITE_ERROR;
  *id = step == SQLITE_ROW ? sqlite3_column_int64(query, 0) : 0;
  (void)sqlite3_finalize(query);
  return step == SQLITE_ROW || step == SQLITE_DONE;
}
