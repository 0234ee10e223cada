/* Removes what the store has of an event, or of a decision. */
#include "forget.h"

#include "ledger.h"
#include "reconciled.h"
#include "store/ledger/id_digest.h"

/* What was queued for an account may have been purged since. */
#define WITHOUT_EVENT " AND NOT EXISTS (SELECT 1 FROM events WHERE id = reconciled.event)"

/* Of an event; itself is the last. A table that has more of an event has its statement here. */
static const char *const removals[] = {
    "DELETE FROM event_responses WHERE id = ?1",
    "DELETE FROM event_traces WHERE id = ?1",
    "DELETE FROM reconciled WHERE event = ?1",
    "DELETE FROM attempts WHERE id = ?1",
    "DELETE FROM reconciled WHERE account_id = (SELECT account_id FROM events WHERE id = "
    "?1)" WITHOUT_EVENT,
    "DELETE FROM bodies WHERE id = ?1",
    "DELETE FROM events WHERE id = ?1",
};

static bool run(sqlite3 *db, const char *text, int64_t id) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK &&
            sqlite3_bind_int64(statement, 1, id) == SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_DONE;
  (void)sqlite3_finalize(statement);
  return ok;
}

static bool remove_rows(sqlite3 *db, int64_t id) {
  bool ok = true;
  for (size_t i = 0; ok && i < sizeof removals / sizeof *removals; i++) {
    ok = run(db, removals[i], id);
  }
  return ok;
}

typedef struct {
  bool is_there;
  int state;
  int64_t attempts;
} found_event;

static bool find(sqlite3 *db, int64_t id, found_event *found) {
  sqlite3_stmt *query = NULL;
  int step = sqlite3_prepare_v2(db, "SELECT state, attempts FROM events WHERE id = ?1", -1, &query,
                                NULL) == SQLITE_OK &&
                     sqlite3_bind_int64(query, 1, id) == SQLITE_OK
                 ? sqlite3_step(query)
                 : SQLITE_ERROR;
  found->is_there = step == SQLITE_ROW;
  found->state = step == SQLITE_ROW ? sqlite3_column_int(query, 0) : EVENT_DONE;
  found->attempts = step == SQLITE_ROW ? sqlite3_column_int64(query, 1) : 0;
  (void)sqlite3_finalize(query);
  return step == SQLITE_ROW || step == SQLITE_DONE;
}

bool event_forget_event(sqlite3 *db, int64_t id, bool is_alone, event_forget_report *report,
                        bool *was_unfinished) {
  found_event found;
  if (!find(db, id, &found)) {
    return false;
  }
  if (found.is_there && found.state == EVENT_RUNNING && !is_alone) {
    report->running++;
    return true;
  }
  bool ok = !found.is_there || remove_rows(db, id);
  report->events += found.is_there;
  report->attempts += found.attempts;
  *was_unfinished = *was_unfinished || (found.is_there && found.state < EVENT_DONE);
  return ok;
}

/* ---- Who was forgotten ---- */

static bool remember(sqlite3 *db, const char *id, int64_t now) {
  int64_t digest;
  sqlite3_stmt *statement = NULL;
  bool ok = id_digest(id, &digest) &&
            sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO forgotten(id, at) VALUES (?1, ?2)", -1,
                               &statement, NULL) == SQLITE_OK &&
            sqlite3_bind_int64(statement, 1, digest) == SQLITE_OK &&
            sqlite3_bind_int64(statement, 2, now) == SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_DONE;
  (void)sqlite3_finalize(statement);
  return ok;
}

bool event_forget_ids(sqlite3 *db, const char *account_id, const char *user_id, int64_t now) {
  return (account_id == NULL ||
          (remember(db, account_id, now) && event_reconciled_remove(db, account_id))) &&
         (user_id == NULL || remember(db, user_id, now));
}

bool event_forget_is_after(sqlite3 *db, const char *account_id, const char *user_id, int64_t since,
                           bool *is) {
  int64_t account, user;
  sqlite3_stmt *query = NULL;
  int step =
      id_digest(account_id, &account) && id_digest(user_id, &user) &&
              sqlite3_prepare_v2(db, "SELECT 1 FROM forgotten WHERE id IN (?1, ?2) AND at >= ?3",
                                 -1, &query, NULL) == SQLITE_OK &&
              sqlite3_bind_int64(query, 1, account) == SQLITE_OK &&
              sqlite3_bind_int64(query, 2, user) == SQLITE_OK &&
              sqlite3_bind_int64(query, 3, since) == SQLITE_OK
          ? sqlite3_step(query)
          : SQLITE_ERROR;
  *is = step == SQLITE_ROW;
  (void)sqlite3_finalize(query);
  return step == SQLITE_ROW || step == SQLITE_DONE;
}

bool event_forget_delete_old(sqlite3 *db, int max, int64_t *deleted) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(db,
                               "DELETE FROM forgotten WHERE id IN (SELECT id FROM forgotten"
                               " WHERE at <= (SELECT received_at FROM purged) LIMIT ?1)",
                               -1, &statement, NULL) == SQLITE_OK &&
            sqlite3_bind_int(statement, 1, max) == SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_DONE;
  *deleted = ok ? sqlite3_changes(db) : 0;
  (void)sqlite3_finalize(statement);
  return ok;
}

bool event_forget_decision(sqlite3 *db, int64_t number, int64_t now, event_forget_report *report) {
  bool was_there;
  bool ok = run(db,
                "DELETE FROM reconciled WHERE account_id = (SELECT account_id FROM decision_data"
                " WHERE number = ?1)" WITHOUT_EVENT,
                number) &&
            event_ledger_remove_data(db, number, now, &was_there);
  report->decisions += ok && was_there;
  return ok;
}
