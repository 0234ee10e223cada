/* Fills the ready queue from the tables after a start: in slices, while events are put and
 * finished. */
#include "clock.h"
#include "internal.h"

#include <stdio.h>

/* The clock is read once in this many rows. */
#define ROWS_PER_LOOK 64

/* Each begins after what was read before. Received events are in the order of their ids, and new
 * ones have greater ids: what is put meanwhile is read in its turn. */
static const char *const texts[] = {
    [LEARN_RUNNING] = "SELECT id, account_id, due_at FROM events INDEXED BY events_unfinished"
                      " WHERE state = 1 AND due_at = ?2 AND id > ?1 AND state < 3 ORDER BY id",
    [LEARN_RETRIES] = "SELECT id, account_id, due_at FROM events INDEXED BY events_unfinished"
                      " WHERE state = 2 AND due_at > ?2 AND state < 3 ORDER BY due_at, id",
    [LEARN_RECEIVED] = "SELECT id, account_id, due_at FROM events INDEXED BY events_unfinished"
                       " WHERE state = 0 AND due_at = ?2 AND id > ?1 AND state < 3 ORDER BY id",
};

/* Before the other retries: in one statement, SQLite would go by the time alone, and through all
 * that are due at the same one. */
static const char same_time[] =
    "SELECT id, account_id, due_at FROM events INDEXED BY events_unfinished"
    " WHERE state = 2 AND due_at = ?2 AND id > ?1 AND state < 3 ORDER BY id";

bool event_sql_has_waiting(const event_sql *sql) {
  return sql->learned != LEARN_ALL || ready_queue_ready(sql->order) > 0 ||
         ready_queue_waiting(sql->order) > 0;
}

static void begin_phase(event_sql *sql, learn_phase phase) {
  sql->learned = phase;
  sql->learned_id = INT64_MIN;
  sql->learned_due = phase == LEARN_RETRIES ? INT64_MIN : 0;
}

static bool learn_row(event_sql *sql, sqlite3_stmt *row) {
  uint64_t account = ready_queue_key(sql->order, (const char *)sqlite3_column_text(row, 1));
  sql->learned_id = sqlite3_column_int64(row, 0);
  sql->learned_due = sqlite3_column_int64(row, 2);
  sql->learned_count++;
  sql->retries += sql->learned == LEARN_RETRIES;
  return sql->learned == LEARN_RECEIVED ? ready_queue_add(sql->order, account, sql->learned_id)
                                        : ready_queue_add_busy(sql->order, account);
}

/* `*end` is SQLITE_DONE at the end of the rows, SQLITE_ROW at that of the time. */
static bool learn_rows(event_sql *sql, const char *text, int64_t until, int *end) {
  sqlite3_stmt *statement = NULL;
  bool has_memory = true;
  int rows = 0;
  int code = sqlite3_prepare_v2(sql->file.db, text, -1, &statement, NULL);
  (void)sqlite3_bind_int64(statement, 1, sql->learned_id);
  (void)sqlite3_bind_int64(statement, 2, sql->learned_due);
  while (has_memory && code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
    has_memory = learn_row(sql, statement);
    if (++rows % ROWS_PER_LOOK != 0 || clock_steady_ms() < until) {
      code = SQLITE_OK;
    }
  }
  if (!has_memory) {
    (void)event_sql_fail_memory(sql);
  } else if (code != SQLITE_DONE && code != SQLITE_ROW) {
    has_memory = event_sql_record_failure(sql);
  }
  (void)sqlite3_finalize(statement);
  *end = code;
  return has_memory;
}

/* Up to the end of the phase, or of the time. */
static bool learn_slice(event_sql *sql, int64_t until) {
  int end = SQLITE_DONE;
  bool ok = sql->learned != LEARN_RETRIES || learn_rows(sql, same_time, until, &end);
  if (ok && end == SQLITE_DONE) {
    ok = learn_rows(sql, texts[sql->learned], until, &end);
  }
  if (ok && end == SQLITE_DONE) {
    begin_phase(sql, (learn_phase)(sql->learned + 1));
  }
  return ok;
}

bool event_sql_learn_order(event_sql *sql, int64_t milliseconds) {
  int64_t until = clock_steady_ms() + milliseconds;
  if (sql->learned == LEARN_NOTHING) {
    ready_queue_clear(sql->order);
    sql->learned_count = sql->retries = 0;
    begin_phase(sql, LEARN_RUNNING);
  }
  bool ok = true;
  do {
    ok = sql->learned == LEARN_ALL || learn_slice(sql, until);
  } while (ok && sql->learned != LEARN_ALL && clock_steady_ms() < until);
  if (!ok) {
    event_sql_forget_order(sql);
  }
  return ok;
}

int64_t event_sql_count_retries(const event_sql *sql) {
  return sql->retries;
}

int64_t event_sql_count_learned(const event_sql *sql) {
  return sql->learned_count;
}

/* Whether a running event, which becomes another one, is still to be read as that. */
static bool is_read_again(const event_sql *sql, const event_finish *finish, int64_t due) {
  bool is_retry = finish->kind == EVENT_OUTCOME_RETRY;
  learn_phase phase = is_retry ? LEARN_RETRIES : LEARN_RECEIVED;
  if (sql->learned != phase) {
    return sql->learned < phase;
  }
  return is_retry && due != sql->learned_due ? due > sql->learned_due
                                             : finish->id > sql->learned_id;
}

void event_sql_count_retry(event_sql *sql, int64_t id, int64_t due) {
  const event_finish as_finish = {.id = id, .kind = EVENT_OUTCOME_RETRY};
  if (!is_read_again(sql, &as_finish, due)) {
    sql->learned_count++;
    sql->retries++;
  }
}

void event_sql_count_finish(event_sql *sql, const event_finish *finish, int64_t due) {
  bool is_read = sql->learned > LEARN_RUNNING ||
                 (sql->learned == LEARN_RUNNING && finish->id <= sql->learned_id);
  bool is_end = finish->kind == EVENT_OUTCOME_DONE || finish->kind == EVENT_OUTCOME_DEAD;
  bool is_again = !is_end && is_read_again(sql, finish, due);
  if (is_read && (is_end || is_again)) {
    sql->learned_count--;
  }
  sql->retries += finish->kind == EVENT_OUTCOME_RETRY && !is_again;
}
