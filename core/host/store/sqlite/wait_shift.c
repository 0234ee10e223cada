/* The waits of retries and timers when the Unix clock is set back: they are moved with it, those of
 * retries in slices.
 *
 * Retries are moved in the order of the index, the first to be due first, each to an earlier place:
 * so what is moved is never met again. A retry that is written meanwhile is written as it would
 * have been before the clock was set, if it is to be moved as well. */
#include "clock.h"
#include "internal.h"

#include <stdio.h>

/* The clock is read once in this many rows. */
#define ROWS_PER_LOOK 64

typedef struct {
  int64_t id, due;
} waiting_event;

/* Two statements: in one, SQLite would go by the time alone, and through all that are due at the
 * same one. */
static const char same_time[] =
    "SELECT id, due_at FROM events INDEXED BY events_unfinished"
    " WHERE state = 2 AND due_at = ?1 AND id > ?2 AND state < 3 ORDER BY id LIMIT ?3";
static const char later_time[] =
    "SELECT id, due_at FROM events INDEXED BY events_unfinished"
    " WHERE state = 2 AND due_at > ?1 AND state < 3 ORDER BY due_at, id LIMIT ?3";
static const char move_text[] = "UPDATE events SET due_at = due_at + ?2 WHERE id = ?1";

static void begin_step(wait_shift *shift, int64_t step) {
  *shift = (wait_shift){.step = step, .due = INT64_MIN, .id = INT64_MIN};
}

bool event_sql_is_shifting(const event_sql *sql) {
  return sql->shift.step != 0;
}

/* What moves may be met twice or never by who reads the order. */
bool event_sql_begin_shift(event_sql *sql, int64_t milliseconds) {
  char text[128];
  (void)snprintf(text, sizeof text, "UPDATE timers SET due_at = due_at + %lld",
                 (long long)milliseconds);
  if (sqlite3_exec(sql->file.db, text, NULL, NULL, NULL) != SQLITE_OK) {
    return event_sql_record_failure(sql);
  }
  event_timers_shift(&sql->timers, milliseconds);
  if (sql->learned == LEARN_RETRIES) {
    event_sql_forget_order(sql);
  }
  if (event_sql_is_shifting(sql)) {
    sql->shift.next_step += milliseconds;
  } else {
    begin_step(&sql->shift, milliseconds);
  }
  return true;
}

void event_sql_abandon_shift(event_sql *sql) {
  begin_step(&sql->shift, 0);
}

int64_t event_sql_stored_due(const event_sql *sql, int64_t id, int64_t due) {
  const wait_shift *shift = &sql->shift;
  int64_t moved = due - shift->next_step;
  int64_t unmoved = moved - shift->step;
  bool is_ahead = unmoved > shift->due || (unmoved == shift->due && id > shift->id);
  return event_sql_is_shifting(sql) && is_ahead ? unmoved : moved;
}

/* ---- Slices ---- */

static bool read_with(event_sql *sql, const char *text, waiting_event *events, int *count) {
  sqlite3_stmt *query = NULL;
  int code = sqlite3_prepare_v2(sql->file.db, text, -1, &query, NULL);
  (void)sqlite3_bind_int64(query, 1, sql->shift.due);
  (void)sqlite3_bind_int64(query, 2, sql->shift.id);
  (void)sqlite3_bind_int(query, 3, ROWS_PER_LOOK - *count);
  while (code == SQLITE_OK && (code = sqlite3_step(query)) == SQLITE_ROW) {
    events[(*count)++] = (waiting_event){.id = sqlite3_column_int64(query, 0),
                                         .due = sqlite3_column_int64(query, 1)};
    code = SQLITE_OK;
  }
  (void)sqlite3_finalize(query);
  return code == SQLITE_DONE;
}

static bool move_one(event_sql *sql, sqlite3_stmt *move, const waiting_event *event) {
  (void)sqlite3_bind_int64(move, 1, event->id);
  (void)sqlite3_bind_int64(move, 2, sql->shift.step);
  bool ok = sqlite3_step(move) == SQLITE_DONE;
  (void)sqlite3_reset(move);
  sql->shift.due = event->due;
  sql->shift.id = event->id;
  return ok;
}

/* Up to the end, or the time. */
static bool move_some(event_sql *sql, sqlite3_stmt *move, int64_t until, bool *is_end) {
  bool ok;
  do {
    waiting_event events[ROWS_PER_LOOK];
    int count = 0;
    ok = read_with(sql, same_time, events, &count) &&
         (count == ROWS_PER_LOOK || read_with(sql, later_time, events, &count));
    for (int i = 0; ok && i < count; i++) {
      ok = move_one(sql, move, &events[i]);
    }
    *is_end = count < ROWS_PER_LOOK;
  } while (ok && !*is_end && clock_steady_ms() < until);
  return ok;
}

static bool run_slice(event_sql *sql, int64_t until, bool *is_end) {
  sqlite3_stmt *move = NULL;
  bool ok = sqlite3_prepare_v2(sql->file.db, move_text, -1, &move, NULL) == SQLITE_OK &&
            move_some(sql, move, until, is_end);
  (void)sqlite3_finalize(move);
  return (ok || event_sql_record_failure(sql)) && event_sql_commit(sql);
}

bool event_sql_shift_waits(event_sql *sql, int64_t milliseconds, bool *is_locked) {
  const wait_shift before = sql->shift;
  bool is_end = false;
  int code = sqlite3_exec(sql->file.db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
  *is_locked = (code & 0xff) == SQLITE_BUSY;
  if (code != SQLITE_OK) {
    return event_sql_record_failure(sql);
  }
  if (!run_slice(sql, clock_steady_ms() + milliseconds, &is_end)) {
    (void)sqlite3_exec(sql->file.db, "ROLLBACK", NULL, NULL, NULL);
    sql->shift = before;
    return false;
  }
  if (is_end) {
    begin_step(&sql->shift, sql->shift.next_step);
  }
  return true;
}
