/* The recorded responses of events in the database. */
#include "responses.h"

static bool end(sqlite3_stmt *statement, bool ok) {
  ok = ok && sqlite3_step(statement) == SQLITE_DONE;
  return sqlite3_finalize(statement) == SQLITE_OK && ok;
}

static bool run_with(sqlite3 *db, const char *text, const int64_t *parameters, int count) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK;
  for (int i = 0; i < count; i++) {
    (void)sqlite3_bind_int64(statement, 1 + i, parameters[i]);
  }
  return end(statement, ok);
}

bool event_responses_are_there(sqlite3 *db) {
  return sqlite3_table_column_metadata(db, NULL, "event_responses", NULL, NULL, NULL, NULL, NULL,
                                       NULL) == SQLITE_OK;
}

bool event_responses_store(sqlite3 *db, const event_responses_run *run,
                           const event_recording *recording) {
  const recording_parts parts = event_recording_parts(recording);
  const int64_t integers[] = {run->event_id,       run->attempt,     run->replay,
                              parts.started_at,    run->recorded_at, run->decision,
                              (int64_t)parts.size, parts.state};
  sqlite3_stmt *insert = NULL;
  bool ok =
      sqlite3_prepare_v2(db,
                         "INSERT OR REPLACE INTO event_responses(id, attempt, replay, started_at,"
                         " recorded_at, decision, size, omitted, responses)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                         -1, &insert, NULL) == SQLITE_OK;
  for (int i = 0; i < 8; i++) {
    (void)sqlite3_bind_int64(insert, 1 + i, integers[i]);
  }
  const char *packed = parts.packed_size > 0 ? parts.packed : "";
  ok = ok && sqlite3_bind_blob64(insert, 9, packed, parts.packed_size, SQLITE_STATIC) == SQLITE_OK;
  return end(insert, ok);
}

/* In the order of this table, so that it costs nothing where nothing is recorded. */
bool event_responses_remove_range(sqlite3 *db, const event_purge_range *range) {
  const int64_t parameters[] = {range->after, range->last, range->state, range->before,
                                range->received_before};
  return run_with(db,
                  "DELETE FROM event_responses WHERE id > ?1 AND id <= ?2 AND EXISTS"
                  " (SELECT 1 FROM events WHERE events.id = event_responses.id AND state = ?3"
                  " AND finished_at < ?4 AND received_at < ?5)",
                  parameters, 5);
}

bool event_responses_delete_old(sqlite3 *db, int64_t before, int64_t max, int64_t *deleted) {
  const int64_t parameters[] = {before, max};
  bool ok = run_with(db,
                     "DELETE FROM event_responses WHERE id IN (SELECT id FROM event_responses"
                     " INDEXED BY event_responses_recorded WHERE recorded_at < ?1"
                     " ORDER BY recorded_at LIMIT ?2)",
                     parameters, 2);
  *deleted = ok ? sqlite3_changes(db) : 0;
  return ok;
}
