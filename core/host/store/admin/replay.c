/* Runs finished events again. */
#include "parts.h"
#include "store/sqlite/database_file.h"

#define ROWS 32 /* between two readings of the clock */

/* Of an id, ?2 says how far it must have come: EVENT_DONE or EVENT_DEAD. */
static const char replay_text[] =
    "UPDATE events SET state = 0, attempts = 0, replays = replays + 1, due_at = 0,"
    " finished_at = NULL, error = NULL WHERE id = ?1 AND state >= ?2"
    " AND (?3 IS NULL OR action = ?3) AND (?4 IS NULL OR account_id = ?4) AND received_at >= ?5";

/* Of the index only: what the filter lets through is left to the statement above. */
static const char dead_text[] = "SELECT id FROM events INDEXED BY events_dead"
                                " WHERE state = 4 AND id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";

static bool replay(sqlite3 *db, const event_admin_request *request, const int64_t *ids, int count,
                   event_state min_state, int64_t *replayed) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(db, replay_text, -1, &statement, NULL) == SQLITE_OK;
  (void)sqlite3_bind_int(statement, 2, min_state);
  (void)sqlite3_bind_text(statement, 3, request->action, -1, SQLITE_STATIC);
  (void)sqlite3_bind_text(statement, 4, request->account_id, -1, SQLITE_STATIC);
  (void)sqlite3_bind_int64(statement, 5, request->since);
  for (int i = 0; ok && i < count; i++) {
    (void)sqlite3_bind_int64(statement, 1, ids[i]);
    ok = sqlite3_step(statement) == SQLITE_DONE;
    *replayed += ok ? sqlite3_changes(db) : 0;
    ok = sqlite3_reset(statement) == SQLITE_OK && ok;
  }
  (void)sqlite3_finalize(statement);
  return ok;
}

static bool exists(sqlite3 *db, int64_t id, bool *does) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(db, "SELECT 1 FROM events WHERE id = ?1", -1, &statement, NULL) ==
            SQLITE_OK;
  (void)sqlite3_bind_int64(statement, 1, id);
  int step = ok ? sqlite3_step(statement) : SQLITE_ERROR;
  *does = step == SQLITE_ROW;
  (void)sqlite3_finalize(statement);
  return step == SQLITE_ROW || step == SQLITE_DONE;
}

bool event_admin_replay(sqlite3 *db, const event_admin_request *request, event_admin_place *place,
                        event_admin_report *report) {
  const event_admin_request any = {.since = INT64_MIN};
  int64_t replayed = 0;
  bool is_known = true;
  bool ok = replay(db, &any, &request->id, 1, EVENT_DONE, &replayed) &&
            exists(db, request->id, &is_known);
  report->replay = replayed > 0 ? EVENT_REPLAYED : is_known ? EVENT_UNFINISHED : EVENT_NOT_FOUND;
  report->purge.events = replayed;
  place->is_done = true;
  return ok;
}

static bool find_dead(sqlite3 *db, const event_admin_place *place, int64_t *ids, int *count) {
  sqlite3_stmt *query = NULL;
  *count = 0;
  int code = sqlite3_prepare_v2(db, dead_text, -1, &query, NULL);
  (void)sqlite3_bind_int64(query, 1, place->after);
  (void)sqlite3_bind_int64(query, 2, place->last);
  (void)sqlite3_bind_int(query, 3, ROWS);
  while (code == SQLITE_OK && (code = sqlite3_step(query)) == SQLITE_ROW) {
    ids[(*count)++] = sqlite3_column_int64(query, 0);
    code = SQLITE_OK;
  }
  (void)sqlite3_finalize(query);
  return code == SQLITE_DONE;
}

/* Each id once: what has died anew meanwhile is left, and so is what has come since. */
bool event_admin_replay_dead(sqlite3 *db, const event_admin_request *request,
                             event_admin_place *place, event_admin_report *report) {
  int64_t ids[ROWS], first;
  int count;
  if (!place->has_started && !event_file_ids(db, &first, &place->last)) {
    return false;
  }
  place->has_started = true;
  if (!find_dead(db, place, ids, &count) ||
      !replay(db, request, ids, count, EVENT_DEAD, &report->purge.events)) {
    return false;
  }
  place->after = count > 0 ? ids[count - 1] : place->after;
  place->is_done = count < ROWS;
  return true;
}
