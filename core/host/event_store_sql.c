/* The SQL of the event store: putting, leasing and finishing inside a transaction. */
#include "event_store_sql.h"

#include "event_store_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The statements below and the indexes name the states by these numbers. */
_Static_assert(EVENT_RECEIVED == 0 && EVENT_RUNNING == 1 && EVENT_RETRY == 2 && EVENT_DONE == 3 &&
                   EVENT_DEAD == 4,
               "the states are stored in databases");

/* SQLite's own limit is a thousand million bytes, for a row. */
#define MAX_BODY_SIZE 900000000

/* Events are stored nearly in the order of receipt: several threads may receive them. */
#define OUT_OF_ORDER_MS 60000

enum {
  BEGIN,
  COMMIT,
  ROLLBACK,
  DATA_VERSION,
  PUT,
  PUT_BODY,
  READ_BODY,
  LEASE_RECEIVED,
  LEASE_RETRIES,
  MARK_RUNNING,
  END,
  ADVANCE,
  RETRY,
  RELEASE,
  NEXT_DUE,
  STATEMENTS
};

/* INDEXED BY: a statement that could not use its index any more fails to be prepared, instead of
 * becoming slow with the number of events. `state < 3` is repeated where it seems to say nothing
 * because it is what tells SQLite that a partial index applies. */
static const char *const texts[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [DATA_VERSION] = "PRAGMA data_version",
    [PUT] = "INSERT INTO events(action, account_id, state, behind, attempts, replays, received_at,"
            " due_at) VALUES (?1, ?2, 0, EXISTS (SELECT 1 FROM events INDEXED BY events_account"
            " WHERE account_id = ?2 AND state < 3), 0, 0, ?3, 0)",
    [PUT_BODY] = "INSERT INTO bodies(id, body) VALUES (?1, ?2)",
    [READ_BODY] = "SELECT body FROM bodies WHERE id = ?1",
    [LEASE_RECEIVED] =
        "SELECT id, attempts, replays, received_at, body"
        " FROM events INDEXED BY events_unfinished CROSS JOIN bodies USING (id)"
        " WHERE state = 0 AND behind = 0 AND due_at = 0 AND state < 3"
        " ORDER BY events.id LIMIT ?2",
    [LEASE_RETRIES] =
        "SELECT id, attempts, replays, received_at, body"
        " FROM events INDEXED BY events_unfinished CROSS JOIN bodies USING (id)"
        " WHERE state = 2 AND behind = 0 AND due_at <= ?1 AND state < 3"
        " ORDER BY due_at, events.id LIMIT ?2",
    [MARK_RUNNING] = "UPDATE events SET state = 1, due_at = 0, attempts = attempts + 1"
                     " WHERE id = ?1",
    [END] = "UPDATE events SET state = ?2, finished_at = ?3, error = coalesce(?4, error)"
            " WHERE id = ?1 AND state = 1",
    /* To follow END: the oldest one left of the account is its next. */
    [ADVANCE] = "UPDATE events SET behind = 0 WHERE id = (SELECT min(id) FROM events"
                " INDEXED BY events_account WHERE state < 3 AND account_id ="
                " (SELECT account_id FROM events WHERE id = ?1))",
    [RETRY] = "UPDATE events SET state = 2, due_at = ?2, error = ?3 WHERE id = ?1 AND state = 1",
    [RELEASE] = "UPDATE events SET state = 0, attempts = attempts - 1"
                " WHERE id = ?1 AND state = 1",
    [NEXT_DUE] = "SELECT due_at FROM events INDEXED BY events_unfinished"
                 " WHERE state = 2 AND behind = 0 AND state < 3 ORDER BY due_at LIMIT 1",
};

struct event_sql {
  event_file file;
  sqlite3_stmt *statements[STATEMENTS];
  char reason[256];
};

static bool note_failure(event_sql *sql) {
  event_file_reason(sql->file.db, sql->reason, sizeof sql->reason);
  return false;
}

/* The reason is noted before the reset, and parameters point into memory of the caller's. */
static bool finish_statement(event_sql *sql, sqlite3_stmt *statement, int step) {
  bool ok = step == SQLITE_DONE || step == SQLITE_ROW || note_failure(sql);
  (void)sqlite3_reset(statement);
  (void)sqlite3_clear_bindings(statement);
  return ok;
}

static bool run(event_sql *sql, sqlite3_stmt *statement) {
  return finish_statement(sql, statement, sqlite3_step(statement));
}

void event_finish_free(event_finish *finish) {
  if (finish != NULL) {
    free(finish->error);
    free(finish);
  }
}

event_sql *event_sql_open(const char *path, char *error, size_t error_size) {
  event_sql *sql = calloc(1, sizeof *sql);
  if (sql == NULL) {
    (void)snprintf(error, error_size, "out of memory");
    return NULL;
  }
  if (!event_file_open(&sql->file, path, error, error_size)) {
    free(sql);
    return NULL;
  }
  int code = sqlite3_exec(sql->file.db,
                          "UPDATE events INDEXED BY events_unfinished SET state = 0"
                          " WHERE state = 1 AND state < 3",
                          NULL, NULL, NULL);
  for (int i = 0; i < STATEMENTS && code == SQLITE_OK; i++) {
    code = sqlite3_prepare_v3(sql->file.db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                              &sql->statements[i], NULL);
  }
  if (code != SQLITE_OK) {
    (void)note_failure(sql);
    (void)snprintf(error, error_size, "cannot use %s: %s", sql->file.path, sql->reason);
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
  free(sql);
}

const char *event_sql_reason(const event_sql *sql) {
  return sql->reason;
}

bool event_sql_begin(event_sql *sql) {
  event_sql_rollback(sql);
  return run(sql, sql->statements[BEGIN]);
}

bool event_sql_commit(event_sql *sql) {
  int has_moved = 0;
  (void)sqlite3_file_control(sql->file.db, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
  if (has_moved) { /* what goes into a file without a name is lost at the end */
    (void)snprintf(sql->reason, sizeof sql->reason, "the file was moved or removed");
    return false;
  }
  return run(sql, sql->statements[COMMIT]);
}

void event_sql_rollback(event_sql *sql) {
  if (!sqlite3_get_autocommit(sql->file.db)) {
    (void)sqlite3_step(sql->statements[ROLLBACK]);
    (void)sqlite3_reset(sql->statements[ROLLBACK]);
  }
}

static int put_row(event_sql *sql, const event_record *record) {
  sqlite3_stmt *put = sql->statements[PUT];
  bool bound = sqlite3_bind_text(put, 1, record->action, -1, SQLITE_STATIC) == SQLITE_OK &&
               sqlite3_bind_text(put, 2, record->account_id, -1, SQLITE_STATIC) == SQLITE_OK &&
               sqlite3_bind_int64(put, 3, record->received_at) == SQLITE_OK;
  int step = bound ? sqlite3_step(put) : sqlite3_errcode(sql->file.db);
  (void)finish_statement(sql, put, step);
  return step;
}

static int put_body(event_sql *sql, const event_record *record, int64_t id) {
  sqlite3_stmt *put = sql->statements[PUT_BODY];
  /* A body of no bytes may have no address, which would be stored as NULL. */
  const char *body = record->body_size > 0 ? record->body : "";
  (void)sqlite3_bind_int64(put, 1, id);
  bool bound =
      sqlite3_bind_blob64(put, 2, body, record->body_size, SQLITE_STATIC) == SQLITE_OK;
  int step = bound ? sqlite3_step(put) : sqlite3_errcode(sql->file.db);
  (void)finish_statement(sql, put, step);
  return step;
}

bool event_sql_put(event_sql *sql, const event_record *record, int64_t *id) {
  *id = 0;
  if (record->body_size > MAX_BODY_SIZE) {
    return true;
  }
  int step = put_row(sql, record);
  if (step != SQLITE_DONE) {
    return step == SQLITE_TOOBIG;
  }
  int64_t row = sqlite3_last_insert_rowid(sql->file.db);
  if (put_body(sql, record, row) != SQLITE_DONE) {
    return false;
  }
  *id = row;
  return true;
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
  return finish_statement(sql, read, step);
}

bool event_sql_finish(event_sql *sql, const event_finish *finish, int64_t now) {
  bool is_end = finish->kind == EVENT_OUTCOME_DONE || finish->kind == EVENT_OUTCOME_DEAD;
  sqlite3_stmt *statement = sql->statements[is_end                                ? END
                                            : finish->kind == EVENT_OUTCOME_RETRY ? RETRY
                                                                                  : RELEASE];
  (void)sqlite3_bind_int64(statement, 1, finish->id);
  if (is_end) {
    (void)sqlite3_bind_int(statement, 2,
                           finish->kind == EVENT_OUTCOME_DONE ? EVENT_DONE : EVENT_DEAD);
    (void)sqlite3_bind_int64(statement, 3, now);
    (void)sqlite3_bind_text(statement, 4, finish->error, -1, SQLITE_STATIC);
  } else if (finish->kind == EVENT_OUTCOME_RETRY) {
    (void)sqlite3_bind_int64(statement, 2, finish->retry_at);
    (void)sqlite3_bind_text(statement, 3, finish->error, -1, SQLITE_STATIC);
  }
  if (!run(sql, statement)) {
    return false;
  }
  if (!is_end) {
    return true;
  }
  (void)sqlite3_bind_int64(sql->statements[ADVANCE], 1, finish->id);
  return run(sql, sql->statements[ADVANCE]);
}

/* NULL: out of memory. */
static event_grant *copy_grant(sqlite3_stmt *row) {
  const void *body = sqlite3_column_blob(row, 4);
  size_t size = (size_t)sqlite3_column_bytes(row, 4);
  event_grant *grant = NULL;
  if (body != NULL || size == 0) {
    grant = malloc(sizeof *grant + size + 1);
  }
  event_finish *finish = calloc(1, sizeof *finish);
  if (grant == NULL || finish == NULL) {
    free(grant);
    free(finish);
    return NULL;
  }
  finish->id = sqlite3_column_int64(row, 0);
  *grant = (event_grant){.finish = finish};
  if (size > 0) {
    memcpy(grant->body, body, size);
  }
  grant->body[size] = '\0';
  grant->lease = (event_lease){.id = finish->id,
                               .attempt = sqlite3_column_int(row, 1) + 1,
                               .replay = sqlite3_column_int(row, 2),
                               .received_at = sqlite3_column_int64(row, 3),
                               .body = grant->body,
                               .body_size = size};
  return grant;
}

static bool collect(event_sql *sql, int query, int64_t now, size_t limit, event_grant ***tail,
                    size_t *count) {
  sqlite3_stmt *statement = sql->statements[query];
  (void)sqlite3_bind_int64(statement, 1, now);
  (void)sqlite3_bind_int64(statement, 2, (int64_t)(limit - *count));
  int step;
  while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
    event_grant *grant = copy_grant(statement);
    if (grant == NULL) {
      (void)finish_statement(sql, statement, SQLITE_ROW);
      (void)snprintf(sql->reason, sizeof sql->reason, "out of memory");
      return false;
    }
    **tail = grant;
    *tail = &grant->next;
    ++*count;
  }
  return finish_statement(sql, statement, step);
}

/* The rows are collected first and marked after: marking moves them in the index that is read. */
bool event_sql_lease(event_sql *sql, int64_t now, size_t limit, bool retries_first,
                     event_grant **grants, size_t *count) {
  event_grant **tail = grants;
  *grants = NULL;
  *count = 0;
  if (!collect(sql, retries_first ? LEASE_RETRIES : LEASE_RECEIVED, now, limit, &tail, count) ||
      !collect(sql, retries_first ? LEASE_RECEIVED : LEASE_RETRIES, now, limit, &tail, count)) {
    return false;
  }
  for (event_grant *grant = *grants; grant != NULL; grant = grant->next) {
    (void)sqlite3_bind_int64(sql->statements[MARK_RUNNING], 1, grant->lease.id);
    if (!run(sql, sql->statements[MARK_RUNNING])) {
      return false;
    }
  }
  return true;
}

bool event_sql_next_due(event_sql *sql, int64_t *due) {
  sqlite3_stmt *statement = sql->statements[NEXT_DUE];
  int step = sqlite3_step(statement);
  *due = step == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : INT64_MAX;
  return finish_statement(sql, statement, step);
}

bool event_sql_data_version(event_sql *sql, int64_t *version) {
  sqlite3_stmt *statement = sql->statements[DATA_VERSION];
  int step = sqlite3_step(statement);
  *version = step == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  return finish_statement(sql, statement, step);
}

/* Without a look at bodies, where the first of them is. */
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
    (void)note_failure(sql);
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
    (void)note_failure(sql);
  }
  (void)sqlite3_finalize(statement);
  return code == SQLITE_DONE;
}

bool event_sql_count_unfinished(event_sql *sql, int64_t *count) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(sql->file.db,
                               "SELECT count(*) FROM events INDEXED BY events_unfinished"
                               " WHERE state < 3",
                               -1, &statement, NULL) == SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_ROW;
  if (ok) {
    *count = sqlite3_column_int64(statement, 0);
  } else {
    (void)note_failure(sql);
  }
  (void)sqlite3_finalize(statement);
  return ok;
}
