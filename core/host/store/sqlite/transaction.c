/* Opens the database of the event store, begins and ends its transactions, and finishes events in
 * them. */
#include "internal.h"
#include "ledger.h"
#include "reconciled.h"
#include "responses.h"
#include "started_events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The statements below and the indexes name the states by these numbers. */
_Static_assert(EVENT_RECEIVED == 0 && EVENT_RUNNING == 1 && EVENT_RETRY == 2 && EVENT_DONE == 3 &&
                   EVENT_DEAD == 4,
               "the states are stored in databases");

/* Events are stored nearly in the order of receipt: earlier versions had several threads. */
#define OUT_OF_ORDER_MS 60000

/* INDEXED BY: a statement that could not use its index any more fails to be prepared, instead of
 * becoming slow with the number of events. `state < 3` is repeated where it seems redundant,
 * since SQLite needs it to use a partial index. */
static const char *const texts[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [DATA_VERSION] = "PRAGMA data_version",
    [PUT] = "INSERT INTO events(id, action, account_id, state, attempts, replays, received_at,"
            " due_at) VALUES (?1, ?2, ?3, 0, 0, 0, ?4, 0)",
    [PUT_BODY] = "INSERT INTO bodies(id, body) VALUES (?1, ?2)",
    [PUT_TRACE] = "INSERT INTO event_traces(id, traceparent, request_id) VALUES (?1, ?2, ?3)",
    [READ_BODY] = "SELECT body FROM bodies WHERE id = ?1",
    [LEASE_RECEIVED] = "SELECT id, attempts, replays, received_at, body, action, account_id,"
                       " traceparent, request_id FROM events LEFT JOIN bodies USING (id)"
                       " LEFT JOIN event_traces USING (id) WHERE id = ?1 AND state = 0",
    [LEASE_RETRIES] =
        "SELECT id, attempts, replays, received_at, body, action, account_id, traceparent,"
        " request_id FROM events INDEXED BY events_unfinished LEFT JOIN bodies USING (id)"
        " LEFT JOIN event_traces USING (id)"
        " WHERE state = 2 AND due_at <= ?1 AND state < 3 ORDER BY due_at, events.id LIMIT ?2",
    [CUT_WAITS] = "UPDATE events SET due_at = ?1 WHERE id IN"
                  " (SELECT id FROM events INDEXED BY events_unfinished"
                  " WHERE state = 2 AND due_at > ?1 + ?2 AND state < 3 LIMIT ?3)",
    [END_WAIT] = "UPDATE events SET state = 0, due_at = 0 WHERE id = ?1 AND state = 2",
    [MARK_RUNNING] = "UPDATE events SET state = 1, due_at = 0, attempts = attempts + 1"
                     " WHERE id = ?1",
    [END_DONE] = "UPDATE events SET state = 3, finished_at = ?2 WHERE id = ?1 AND state = 1",
    [END_DEAD] = "UPDATE events SET state = 4, finished_at = ?2, error = coalesce(?3, error)"
                 " WHERE id = ?1 AND state = 1",
    [RETRY] = "UPDATE events SET state = 2, due_at = ?2, error = ?3 WHERE id = ?1 AND state = 1",
    [RELEASE] = "UPDATE events SET state = 0, attempts = attempts - 1"
                " WHERE id = ?1 AND state = 1",
    [PUT_ATTEMPT] = "INSERT OR REPLACE INTO attempts(id, replay, attempt, started_at, duration,"
                    " outcome, error, lines, lines_left_out)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [NEXT_DUE] = "SELECT due_at FROM events INDEXED BY events_unfinished"
                 " WHERE state = 2 AND state < 3 ORDER BY due_at LIMIT 1",
    [OLDEST] = "SELECT min(received_at) FROM ("
               "SELECT * FROM (SELECT received_at FROM events INDEXED BY events_unfinished"
               " WHERE state = 0 AND due_at = 0 AND state < 3 ORDER BY id LIMIT 1)"
               " UNION ALL "
               "SELECT * FROM (SELECT received_at FROM events INDEXED BY events_unfinished"
               " WHERE state = 1 AND due_at = 0 AND state < 3 ORDER BY id LIMIT 1)"
               " UNION ALL "
               "SELECT * FROM (SELECT received_at FROM events INDEXED BY events_unfinished"
               " WHERE state = 2 AND state < 3 ORDER BY due_at LIMIT 200))",
};

static event_failure kind_of(sqlite3 *db) {
  switch (sqlite3_errcode(db) & 0xff) {
  case SQLITE_FULL:
    return EVENT_FAILURE_FULL;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    return EVENT_FAILURE_DAMAGED;
  default:
    return sqlite3_system_errno(db) == ENOSPC ? EVENT_FAILURE_FULL : EVENT_FAILURE_OTHER;
  }
}

bool event_sql_record_failure(event_sql *sql) {
  sql->failure = kind_of(sql->file.db);
  return event_file_reason(sql->file.db, &sql->error);
}

bool event_sql_fail_memory(event_sql *sql) {
  sql->failure = EVENT_FAILURE_OTHER;
  return host_error_set(&sql->error, HOST_FAILED, "out of memory");
}

bool event_sql_end_use(event_sql *sql, sqlite3_stmt *statement, int step) {
  bool ok = step == SQLITE_DONE || step == SQLITE_ROW || event_sql_record_failure(sql);
  (void)sqlite3_reset(statement);
  (void)sqlite3_clear_bindings(statement);
  return ok;
}

static bool run(event_sql *sql, sqlite3_stmt *statement) {
  return event_sql_end_use(sql, statement, sqlite3_step(statement));
}

event_sql *event_sql_open(const char *path, host_error *error) {
  event_sql *sql = calloc(1, sizeof *sql);
  if (sql == NULL) {
    (void)host_error_set(error, HOST_FAILED, "out of memory");
    return NULL;
  }
  sql->reconciled_until = -1;
  sql->order = ready_queue_new();
  bool has_memory = sql->order != NULL && concurrency_init(&sql->limits);
  if (!has_memory) {
    (void)host_error_set(error, HOST_FAILED, "out of memory");
  }
  if (!has_memory || !event_file_open(&sql->file, path, error)) {
    ready_queue_free(sql->order);
    concurrency_free(&sql->limits);
    free(sql);
    return NULL;
  }
  int code = started_events_recover(sql->file.db, sql->file.path) ? SQLITE_OK : SQLITE_ERROR;
  for (int i = 0; i < STATEMENTS && code == SQLITE_OK; i++) {
    code = sqlite3_prepare_v3(sql->file.db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                              &sql->statements[i], NULL);
  }
  if (code != SQLITE_OK) {
    (void)event_sql_record_failure(sql);
    (void)host_error_set(error, HOST_FAILED, "cannot use %s: %s", sql->file.path,
                         sql->error.message);
    event_sql_close(sql);
    return NULL;
  }
  return sql;
}

void event_sql_close(event_sql *sql) {
  for (int i = 0; i < STATEMENTS; i++) {
    (void)sqlite3_finalize(sql->statements[i]);
  }
  event_file_close(&sql->file);
  ready_queue_free(sql->order);
  concurrency_free(&sql->limits);
  event_timers_free(&sql->timers);
  free(sql);
}

const char *event_sql_reason(const event_sql *sql) {
  return sql->error.message;
}

event_failure event_sql_failure(const event_sql *sql) {
  return sql->failure;
}

bool event_sql_is_removed(const event_sql *sql) {
  return event_file_missing_part(&sql->file) != NULL;
}

void event_sql_set_alert_window(event_sql *sql, int64_t window) {
  sql->alerts.window = window;
}

int64_t event_sql_added(const event_sql *sql) {
  return sql->added;
}

sqlite3 *event_sql_connection(event_sql *sql) {
  return sql->file.db;
}

const char *event_sql_path(const event_sql *sql) {
  return sql->file.path;
}

void event_sql_forget_order(event_sql *sql) {
  sql->learned = LEARN_NOTHING;
  sql->last_id = 0; /* events may have been added */
  sql->reconciled_until = -1;
}

void event_sql_changed_order(event_sql *sql, bool has_memory) {
  if (!has_memory) {
    event_sql_forget_order(sql);
  }
}

bool event_sql_knows_order(const event_sql *sql) {
  return sql->learned == LEARN_ALL;
}

/* After some failures SQLite has done so by itself. */
static void roll_back(event_sql *sql) {
  if (!sqlite3_get_autocommit(sql->file.db)) {
    (void)sqlite3_step(sql->statements[ROLLBACK]);
    (void)sqlite3_reset(sql->statements[ROLLBACK]);
  }
}

bool event_sql_begin(event_sql *sql, bool *is_locked) {
  roll_back(sql);
  sql->added = 0;
  concurrency_begin(&sql->limits);
  event_timers_begin(&sql->timers);
  int step = sqlite3_step(sql->statements[BEGIN]);
  *is_locked = (step & 0xff) == SQLITE_BUSY;
  return event_sql_end_use(sql, sql->statements[BEGIN], step);
}

bool event_sql_commit(event_sql *sql) {
  const char *missing = event_file_missing_part(&sql->file);
  if (missing != NULL) {
    sql->failure = EVENT_FAILURE_REMOVED;
    return host_error_set(&sql->error, HOST_FAILED,
                          "%s%s file was moved or removed; move it back or start again",
                          missing[0] != '\0' ? "its " : "the", missing);
  }
  return run(sql, sql->statements[COMMIT]);
}

bool event_sql_probe(event_sql *sql) {
  bool is_locked;
  bool ok = event_sql_begin(sql, &is_locked) &&
            (sqlite3_exec(sql->file.db, "UPDATE serving SET redelivery_window = redelivery_window",
                          NULL, NULL, NULL) == SQLITE_OK ||
             event_sql_record_failure(sql)) &&
            event_sql_commit(sql);
  if (!ok) {
    roll_back(sql);
  }
  return ok;
}

void event_sql_rollback(event_sql *sql) {
  roll_back(sql);
  concurrency_rollback(&sql->limits);
  event_timers_rollback(&sql->timers);
  sql->last_id = 0;
  sql->alerts.id = 0;
  event_sql_forget_order(sql);
}

/* The number of the decision's entry; 0: there is none. */
static bool record_decision(event_sql *sql, const event_finish *finish, int64_t now,
                            int64_t *number) {
  *number = 0;
  if (finish->kind != EVENT_OUTCOME_DONE || finish->decision == NULL) {
    return true;
  }
  ledger_entry entry = {.subject = finish->id,
                        .attempt = finish->attempt,
                        .replay = finish->replay,
                        .recorded_at = now};
  event_decision_entry(finish->decision, &entry);
  bool ok = event_ledger_append(sql->file.db, &entry, event_decision_data(finish->decision));
  *number = entry.number;
  return ok || event_sql_record_failure(sql);
}

/* What comes with the end of an event, unless somebody has deleted that meanwhile. */
static bool record_end(event_sql *sql, const event_finish *finish, int64_t now) {
  if ((finish->decision == NULL && finish->recording == NULL) ||
      sqlite3_changes(sql->file.db) == 0) {
    return true;
  }
  event_responses_run recorded = {.event_id = finish->id,
                                  .attempt = finish->attempt,
                                  .replay = finish->replay,
                                  .recorded_at = now};
  return record_decision(sql, finish, now, &recorded.decision) &&
         (finish->recording == NULL ||
          event_responses_store(sql->file.db, &recorded, finish->recording) ||
          event_sql_record_failure(sql));
}

/* Of an account of its own, so that it holds up no other event. */
static bool put_notice(event_sql *sql, const event_finish *finish, int64_t now) {
  const event_record record = {.action = EVENT_NOTICE,
                               .body = finish->notice,
                               .body_size = finish->notice_size,
                               .received_at = now};
  int64_t id;
  sql->added += finish->notice != NULL;
  return finish->notice == NULL || event_sql_put(sql, &record, &id);
}

static bool record_death(event_sql *sql, const event_finish *finish, int64_t now) {
  return finish->kind != EVENT_OUTCOME_DEAD ||
         (put_notice(sql, finish, now) && event_sql_add_to_alert(sql, finish->id, now));
}

bool event_sql_finish(event_sql *sql, const event_finish *finish, int64_t now) {
  if (finish->id < 0) {
    return event_timers_end(&sql->timers, sql->file.db, -finish->id, finish->has_started, now) ||
           event_sql_record_failure(sql);
  }
  static const int ends[] = {[EVENT_OUTCOME_DONE] = END_DONE,
                             [EVENT_OUTCOME_RETRY] = RETRY,
                             [EVENT_OUTCOME_DEAD] = END_DEAD,
                             [EVENT_OUTCOME_RELEASED] = RELEASE};
  bool is_end = finish->kind == EVENT_OUTCOME_DONE || finish->kind == EVENT_OUTCOME_DEAD;
  int64_t due = event_sql_stored_due(sql, finish->id, finish->retry_at);
  sqlite3_stmt *statement = sql->statements[ends[finish->kind]];
  (void)sqlite3_bind_int64(statement, 1, finish->id);
  if (finish->kind != EVENT_OUTCOME_RELEASED) {
    (void)sqlite3_bind_int64(statement, 2, is_end ? now : due);
  }
  if (finish->error != NULL) {
    (void)sqlite3_bind_text(statement, 3, finish->error, -1, SQLITE_STATIC);
  }
  if (!run(sql, statement)) {
    return false;
  }
  bool is_there = sqlite3_changes(sql->file.db) > 0;
  if (!record_end(sql, finish, now) ||
      (is_there && !(event_sql_put_attempt(sql, finish) && record_death(sql, finish, now)))) {
    return false;
  }
  concurrency_release(&sql->limits, finish->limits);
  event_sql_count_finish(sql, finish, due);
  if (sql->learned != LEARN_NOTHING && finish->kind != EVENT_OUTCOME_RETRY) {
    /* What is received again and not yet read from the table is read there. */
    bool is_read = sql->learned == LEARN_ALL ||
                   (sql->learned == LEARN_RECEIVED && finish->id <= sql->learned_id);
    event_sql_changed_order(
        sql, is_end || !is_read ? ready_queue_end(sql->order, finish->account)
                                : ready_queue_requeue(sql->order, finish->account, finish->id));
  }
  return true;
}

bool event_sql_next_due(event_sql *sql, int64_t now, int64_t *due) {
  sqlite3_stmt *statement = sql->statements[NEXT_DUE];
  int step = sqlite3_step(statement);
  *due = step == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : INT64_MAX;
  if (*due != INT64_MAX && *due > now + EVENT_LONGEST_WAIT_MS) {
    *due = now; /* as the next lease makes it, or a slice that moves it */
  }
  int64_t timer = event_timers_next(&sql->timers);
  *due = timer < *due ? timer : *due;
  return event_sql_end_use(sql, statement, step);
}

bool event_sql_store_window(event_sql *sql, int64_t window) {
  char text[128];
  (void)snprintf(text, sizeof text,
                 "UPDATE serving SET redelivery_window = %lld WHERE redelivery_window <> %lld",
                 (long long)window, (long long)window);
  return sqlite3_exec(sql->file.db, text, NULL, NULL, NULL) == SQLITE_OK ||
         event_sql_record_failure(sql);
}

bool event_sql_data_version(event_sql *sql, int64_t *version) {
  sqlite3_stmt *statement = sql->statements[DATA_VERSION];
  int step = sqlite3_step(statement);
  *version = step == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  return event_sql_end_use(sql, statement, step);
}

/* Without reading the first of the bodies. */
static int find_recent(event_sql *sql, int64_t since, int64_t limit, int64_t *first) {
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v2(sql->file.db,
                                "SELECT id, received_at FROM events ORDER BY id DESC LIMIT ?1", -1,
                                &statement, NULL);
  *first = INT64_MAX;
  (void)sqlite3_bind_int64(statement, 1, limit);
  while (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW &&
         sqlite3_column_int64(statement, 1) > since - OUT_OF_ORDER_MS) {
    *first = sqlite3_column_int64(statement, 0);
    code = SQLITE_OK;
  }
  if (code != SQLITE_ROW && code != SQLITE_DONE) {
    (void)event_sql_record_failure(sql);
  }
  (void)sqlite3_finalize(statement);
  return code;
}

bool event_sql_recent(event_sql *sql, int64_t since, int64_t limit,
                      void (*each)(void *context, int64_t id, const event_record *record),
                      void *context) {
  int64_t first;
  int code = find_recent(sql, since, limit, &first);
  if (code != SQLITE_ROW && code != SQLITE_DONE) {
    return false;
  }
  sqlite3_stmt *statement = NULL;
  code = sqlite3_prepare_v2(sql->file.db,
                            "SELECT id, received_at, body FROM events CROSS JOIN bodies USING (id)"
                            " WHERE events.id >= ?1 AND received_at > ?2 ORDER BY events.id",
                            -1, &statement, NULL);
  (void)sqlite3_bind_int64(statement, 1, first);
  (void)sqlite3_bind_int64(statement, 2, since);
  while (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
    const event_record record = {.received_at = sqlite3_column_int64(statement, 1),
                                 .body = sqlite3_column_blob(statement, 2),
                                 .body_size = (size_t)sqlite3_column_bytes(statement, 2)};
    each(context, sqlite3_column_int64(statement, 0), &record);
    code = SQLITE_OK;
  }
  if (code != SQLITE_DONE) {
    (void)event_sql_record_failure(sql);
  }
  (void)sqlite3_finalize(statement);
  return code == SQLITE_DONE;
}

bool event_sql_count_unfinished(event_sql *sql, int64_t *count) {
  return event_file_read_integer(sql->file.db,
                                 "SELECT count(*) FROM events INDEXED BY events_unfinished"
                                 " WHERE state < 3",
                                 count) ||
         event_sql_record_failure(sql);
}

bool event_sql_count_dead(event_sql *sql, int64_t *count) {
  return event_file_read_integer(sql->file.db,
                                 "SELECT count(*) FROM events INDEXED BY events_dead"
                                 " WHERE state = 4",
                                 count) ||
         event_sql_record_failure(sql);
}

bool event_sql_oldest(event_sql *sql, int64_t *received_at) {
  sqlite3_stmt *statement = sql->statements[OLDEST];
  int step = sqlite3_step(statement);
  *received_at = step == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  return event_sql_end_use(sql, statement, step);
}
