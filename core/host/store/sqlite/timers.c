/* Keeps in the database when the timers of scripts are due. */
#include "timers.h"

#include "database_file.h"

#include <string.h>

static bool run(sqlite3 *db, const char *text, const event_timer *timer, int64_t number,
                int64_t now) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK;
  if (timer != NULL) {
    (void)sqlite3_bind_text(statement, 1, timer->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(statement, 2, timer->interval);
  }
  (void)sqlite3_bind_int64(statement, 3, now);
  (void)sqlite3_bind_int64(statement, 4, number);
  ok = ok && sqlite3_step(statement) == SQLITE_DONE;
  (void)sqlite3_finalize(statement);
  return ok;
}

static bool read(sqlite3 *db, event_timer *timer) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(db, "SELECT due_at FROM timers WHERE name = ?1", -1, &statement,
                               NULL) == SQLITE_OK;
  (void)sqlite3_bind_text(statement, 1, timer->name, -1, SQLITE_STATIC);
  ok = ok && sqlite3_step(statement) == SQLITE_ROW;
  if (ok) {
    timer->due_at = sqlite3_column_int64(statement, 0);
  }
  (void)sqlite3_finalize(statement);
  return ok;
}

/* The clock may have been set back since: nothing is due later than an interval from now. What is
 * due already stays due, whatever its interval is from now on. */
static const char store_text[] =
    "INSERT INTO timers(name, interval, due_at, generation) VALUES (?1, ?2, ?3 + ?2, ?4)"
    " ON CONFLICT (name) DO UPDATE SET generation = ?4, interval = ?2, due_at ="
    " CASE WHEN due_at <= ?3 THEN due_at ELSE min(due_at - interval + ?2, ?3 + ?2) END";

/* What no script that is served has any more is forgotten. */
bool event_timers_store(event_timers *timers, sqlite3 *db, int64_t now) {
  int64_t generation;
  if (!timers->is_stale) {
    return true;
  }
  bool ok =
      event_file_read_integer(db, "SELECT coalesce(max(generation), 0) FROM timers", &generation);
  for (event_timer *timer = timers->first; ok && timer != NULL; timer = timer->next) {
    if (timer->is_registered) {
      ok = run(db, store_text, timer, generation + 1, now) && read(db, timer);
    }
  }
  ok = ok && run(db, "DELETE FROM timers WHERE generation <= ?4", NULL, generation, 0);
  timers->is_stale = !ok;
  return ok;
}

/* ---- Runs ---- */

static bool set_due(event_timer *timer, sqlite3 *db, int64_t due_at) {
  timer->due_at = due_at;
  /* its interval may be another one since, which is stored only after this */
  return run(db, "UPDATE timers SET due_at = ?3, interval = ?2 WHERE name = ?1", timer, 0, due_at);
}

bool event_timers_start(event_timer *timer, sqlite3 *db, int64_t now) {
  timer->is_running = true;
  return set_due(timer, db, now + timer->interval);
}

bool event_timers_end(event_timers *timers, sqlite3 *db, int64_t id, bool has_started,
                      int64_t now) {
  for (event_timer *timer = timers->first; timer != NULL; timer = timer->next) {
    if (timer->id == id) {
      timer->is_running = false;
      return has_started || set_due(timer, db, now);
    }
  }
  return true;
}
