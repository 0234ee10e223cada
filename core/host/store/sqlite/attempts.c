/* Records the attempts of events. */
#include "attempts.h"

#include "internal.h"

_Static_assert((int)EVENT_ATTEMPT_DONE == EVENT_OUTCOME_DONE &&
                   (int)EVENT_ATTEMPT_RETRY == EVENT_OUTCOME_RETRY &&
                   (int)EVENT_ATTEMPT_DEAD == EVENT_OUTCOME_DEAD && EVENT_ATTEMPT_INTERRUPTED == 3,
               "the outcomes are stored in databases");

bool event_attempts_are_there(sqlite3 *db) {
  return sqlite3_table_column_metadata(db, NULL, "attempts", NULL, NULL, NULL, NULL, NULL, NULL) ==
         SQLITE_OK;
}

/* What is not bound is NULL. */
bool event_sql_put_attempt(event_sql *sql, const event_finish *finish) {
  if (finish->kind == EVENT_OUTCOME_RELEASED) {
    return true;
  }
  sqlite3_stmt *put = sql->statements[PUT_ATTEMPT];
  (void)sqlite3_bind_int64(put, 1, finish->id);
  (void)sqlite3_bind_int(put, 2, finish->replay);
  (void)sqlite3_bind_int(put, 3, finish->attempt);
  if (finish->started_at > 0) {
    (void)sqlite3_bind_int64(put, 4, finish->started_at);
    (void)sqlite3_bind_int64(put, 5, finish->duration);
  }
  (void)sqlite3_bind_int(put, 6, (int)finish->kind);
  if (finish->error != NULL) {
    (void)sqlite3_bind_text(put, 7, finish->error, -1, SQLITE_STATIC);
  }
  if (finish->lines != NULL) {
    (void)sqlite3_bind_text(put, 8, finish->lines, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(put, 9, finish->lines_left_out);
  }
  return event_sql_end_use(sql, put, sqlite3_step(put));
}

bool event_attempts_prepare_interrupted(sqlite3 *db, sqlite3_stmt **put) {
  return sqlite3_prepare_v2(
             db,
             "INSERT OR REPLACE INTO attempts(id, replay, attempt, started_at, outcome,"
             " error) SELECT id, replays, attempts, nullif(?2, 0), 3, error"
             " FROM events WHERE id = ?1",
             -1, put, NULL) == SQLITE_OK;
}

bool event_attempts_put_interrupted(sqlite3_stmt *put, int64_t id, int64_t started_at) {
  (void)sqlite3_bind_int64(put, 1, id);
  (void)sqlite3_bind_int64(put, 2, started_at);
  bool ok = sqlite3_step(put) == SQLITE_DONE;
  return sqlite3_reset(put) == SQLITE_OK && ok;
}
