/* Stores the alerts about dead letters. */
#include "alerts.h"

#include "internal.h"

#include <stdio.h>
#include <string.h>

#define BODY_MAX 1024

/* One that was sent, or may have been, says what it said then. */
static bool is_open(event_sql *sql, bool *is) {
  sqlite3_stmt *query = NULL;
  *is = false;
  if (sql->alerts.id == 0) {
    return true;
  }
  bool ok = sqlite3_prepare_v2(sql->file.db,
                               "SELECT 1 FROM events WHERE id = ?1 AND state = 2 AND attempts = 0",
                               -1, &query, NULL) == SQLITE_OK;
  (void)sqlite3_bind_int64(query, 1, sql->alerts.id);
  int step = ok ? sqlite3_step(query) : SQLITE_ERROR;
  *is = step == SQLITE_ROW;
  ok = step == SQLITE_ROW || step == SQLITE_DONE || event_sql_record_failure(sql);
  (void)sqlite3_finalize(query);
  return ok;
}

static int write_body(const event_alerts *alerts, int64_t now, char body[BODY_MAX]) {
  int size = snprintf(body, BODY_MAX,
                      "{\"alert\":{\"since\":%lld,\"until\":%lld,\"count\":%lld,"
                      "\"events\":[",
                      (long long)alerts->since, (long long)now, (long long)alerts->count);
  for (int64_t i = 0; i < alerts->count && i < EVENT_ALERT_IDS; i++) {
    size += snprintf(body + size, BODY_MAX - (size_t)size, "%s%lld", i > 0 ? "," : "",
                     (long long)alerts->ids[i]);
  }
  return size + snprintf(body + size, BODY_MAX - (size_t)size, "]}}");
}

static bool run(event_sql *sql, const char *text, const int64_t numbers[3], const char *body,
                int size) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(sql->file.db, text, -1, &statement, NULL) == SQLITE_OK;
  for (int i = 0; ok && i < sqlite3_bind_parameter_count(statement) && i < 3; i++) {
    (void)sqlite3_bind_int64(statement, i + 1, numbers[i]);
  }
  if (body != NULL) {
    (void)sqlite3_bind_blob(statement, 2, body, size, SQLITE_STATIC);
  }
  ok = ok && sqlite3_step(statement) == SQLITE_DONE;
  ok = ok || event_sql_record_failure(sql);
  (void)sqlite3_finalize(statement);
  return ok;
}

/* It waits as a retry does, of an account of its own. */
static bool open_alert(event_sql *sql, int64_t now) {
  event_alerts *alerts = &sql->alerts;
  if (!event_sql_next_id(sql, &alerts->id)) {
    return false;
  }
  alerts->since = now;
  alerts->count = 0;
  sql->added++;
  int64_t due = event_sql_stored_due(sql, alerts->id, now + alerts->window);
  bool ok = run(sql,
                "INSERT INTO events(id, action, account_id, state, attempts, replays, received_at,"
                " due_at) VALUES (?1, '" EVENT_ALERT "', NULL, 2, 0, 0, ?2, ?3)",
                (const int64_t[]){alerts->id, now, due}, NULL, 0);
  if (ok) {
    event_sql_count_retry(sql, alerts->id, due);
  }
  return ok;
}

bool event_sql_add_to_alert(event_sql *sql, int64_t dead_id, int64_t now) {
  event_alerts *alerts = &sql->alerts;
  bool is = false;
  if (alerts->window == 0) {
    return true;
  }
  if (!is_open(sql, &is) || (!is && !open_alert(sql, now))) {
    return false;
  }
  if (alerts->count < EVENT_ALERT_IDS) {
    alerts->ids[alerts->count] = dead_id;
  }
  alerts->count++;
  char body[BODY_MAX];
  int size = write_body(alerts, now, body);
  return run(sql, "INSERT OR REPLACE INTO bodies(id, body) VALUES (?1, ?2)",
             (const int64_t[]){alerts->id, 0, 0}, body, size);
}
