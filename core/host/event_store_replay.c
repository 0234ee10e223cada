/* Runs finished events again, beside whoever serves from the database file. */
#include "event_store.h"

#include "event_store_file.h"


#define STEP 200 /* events in a transaction: bounds how long it holds up others */

static const char replay_text[] =
    "UPDATE events SET state = 0, attempts = 0, replays = replays + 1, due_at = 0,"
    " finished_at = NULL, error = NULL WHERE id = ?1 AND state >= ?2";

static const char dead_text[] =
    "SELECT id FROM events INDEXED BY events_dead WHERE state = 4 AND id > ?1"
    " AND (?2 IS NULL OR action = ?2) AND (?3 IS NULL OR account_id = ?3) AND received_at >= ?4"
    " ORDER BY id LIMIT ?5";

/* One transaction. Of each id, `least` says how far it must have come: EVENT_DONE or EVENT_DEAD. */
static bool replay(const event_file *file, const int64_t *ids, int count, event_state least,
                   int64_t *replayed) {
  sqlite3_stmt *statement = NULL;
  int64_t changed = 0;
  bool ok = sqlite3_prepare_v2(file->db, replay_text, -1, &statement, NULL) == SQLITE_OK &&
            sqlite3_exec(file->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
  for (int i = 0; ok && i < count; i++) {
    (void)sqlite3_bind_int64(statement, 1, ids[i]);
    (void)sqlite3_bind_int(statement, 2, least);
    ok = sqlite3_step(statement) == SQLITE_DONE;
    changed += ok ? sqlite3_changes(file->db) : 0;
    ok = sqlite3_reset(statement) == SQLITE_OK && ok;
  }
  (void)sqlite3_finalize(statement);
  ok = ok && sqlite3_exec(file->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
  *replayed += ok ? changed : 0;
  return ok;
}

static bool exists(const event_file *file, int64_t id, bool *does) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(file->db, "SELECT 1 FROM events WHERE id = ?1", -1, &statement,
                               NULL) == SQLITE_OK;
  (void)sqlite3_bind_int64(statement, 1, id);
  int step = ok ? sqlite3_step(statement) : SQLITE_ERROR;
  *does = step == SQLITE_ROW;
  (void)sqlite3_finalize(statement);
  return step == SQLITE_ROW || step == SQLITE_DONE;
}

bool event_store_replay(const char *path, int64_t id, event_replay_result *result, char *error,
                        size_t error_size) {
  event_file file;
  if (!event_file_open_beside(&file, path, true, error, error_size)) {
    return false;
  }
  int64_t replayed = 0;
  bool is_known = true;
  bool ok = (replay(&file, &id, 1, EVENT_DONE, &replayed) && exists(&file, id, &is_known)) ||
            event_file_fail(&file, "write to", error, error_size);
  *result = replayed > 0 ? EVENT_REPLAYED : is_known ? EVENT_UNFINISHED : EVENT_NOT_FOUND;
  event_file_close(&file);
  return ok;
}

/* Outside of the transaction, since a filter may have to pass over many. */
static bool find_dead(const event_file *file, const event_filter *filter, int64_t after,
                      int64_t *ids, int *count) {
  sqlite3_stmt *query = NULL;
  *count = 0;
  int code = sqlite3_prepare_v2(file->db, dead_text, -1, &query, NULL);
  (void)sqlite3_bind_int64(query, 1, after);
  (void)sqlite3_bind_text(query, 2, filter->action, -1, SQLITE_STATIC);
  (void)sqlite3_bind_text(query, 3, filter->account_id, -1, SQLITE_STATIC);
  (void)sqlite3_bind_int64(query, 4, filter->since);
  (void)sqlite3_bind_int(query, 5, STEP);
  while (code == SQLITE_OK && (code = sqlite3_step(query)) == SQLITE_ROW) {
    ids[(*count)++] = sqlite3_column_int64(query, 0);
    code = SQLITE_OK;
  }
  (void)sqlite3_finalize(query);
  return code == SQLITE_DONE;
}

bool event_store_replay_dead(const char *path, const event_filter *filter, int64_t *count,
                             char *error, size_t error_size) {
  event_file file;
  *count = 0;
  if (!event_file_open_beside(&file, path, true, error, error_size)) {
    return false;
  }
  int64_t ids[STEP], last = INT64_MIN;
  int found = STEP;
  bool ok = true;
  while (ok && found == STEP) {
    /* Each id once: what has died anew meanwhile is left. */
    ok = (find_dead(&file, filter, last, ids, &found) ||
          event_file_fail(&file, "read", error, error_size)) &&
         (found == 0 || replay(&file, ids, found, EVENT_DEAD, count) ||
          event_file_fail(&file, "write to", error, error_size));
    last = found > 0 ? ids[found - 1] : last;
  }
  event_file_close(&file);
  return ok;
}
