/* Shows the attempts of an event to people, beside whoever serves from the file. */
#include "server_events.h"

#include "store/postgres/url.h"
#include "store/sqlite/attempts.h"
#include "store/sqlite/database_file.h"

#include <stdlib.h>
#include <string.h>

/* One at a time: their lines may be many, and no transaction is open while one is shown. */
static const char next_text[] =
    "SELECT replay, attempt, started_at, duration, outcome, error, lines, lines_left_out"
    " FROM attempts WHERE id = ?1 AND (replay, attempt) > (?2, ?3)"
    " ORDER BY replay, attempt LIMIT 1";

/* The last one that is left out if ?2 are shown, and how many are. */
static const char skipped_text[] =
    "SELECT replay, attempt, (SELECT count(*) FROM attempts WHERE id = ?1) - ?2 FROM attempts"
    " WHERE id = ?1 ORDER BY replay DESC, attempt DESC LIMIT 1 OFFSET ?2";

static bool copy_text(sqlite3_stmt *row, int column, char **copy) {
  const char *text = (const char *)sqlite3_column_text(row, column);
  *copy = text != NULL ? strdup(text) : NULL;
  return (*copy != NULL) == (sqlite3_column_type(row, column) != SQLITE_NULL);
}

static bool read_row(sqlite3_stmt *row, event_attempt *attempt, char **problem, char **lines) {
  bool has_duration = sqlite3_column_type(row, 3) != SQLITE_NULL;
  bool ok = copy_text(row, 5, problem) && copy_text(row, 6, lines);
  *attempt = (event_attempt){
      .replay = sqlite3_column_int(row, 0),
      .attempt = sqlite3_column_int(row, 1),
      .started_at = sqlite3_column_int64(row, 2),
      .duration = has_duration ? sqlite3_column_int64(row, 3) : -1,
      .outcome = event_attempt_outcome_name((event_attempt_outcome)sqlite3_column_int(row, 4)),
      .error = *problem,
      .lines = *lines,
      .lines_left_out = sqlite3_column_int64(row, 7),
  };
  return ok;
}

/* The one after `attempt`, which is shown; `*is_end`: there is none, or nobody wants it. */
static bool show_next(const event_file *file, sqlite3_stmt *query, event_attempt *attempt,
                      event_attempt_visit each, void *context, bool *is_end, host_error *error) {
  char *problem = NULL, *lines = NULL;
  (void)sqlite3_bind_int(query, 2, attempt->replay);
  (void)sqlite3_bind_int(query, 3, attempt->attempt);
  int step = event_file_step(query);
  bool ok = step == SQLITE_DONE || step == SQLITE_ROW || event_file_fail(file, "read", error);
  if (step == SQLITE_ROW && !read_row(query, attempt, &problem, &lines)) {
    ok = host_error_set(error, HOST_FAILED, "out of memory");
  }
  (void)sqlite3_reset(query);
  *is_end = !ok || step == SQLITE_DONE || !each(context, attempt);
  free(problem);
  free(lines);
  return ok;
}

/* Has `after` be the one after which the latest `max` are. */
static bool skip(const event_file *file, int64_t id, int64_t max, event_attempt *after,
                 int64_t *left_out, host_error *error) {
  sqlite3_stmt *query = NULL;
  int step = SQLITE_ERROR;
  if (sqlite3_prepare_v2(file->db, skipped_text, -1, &query, NULL) == SQLITE_OK) {
    (void)sqlite3_bind_int64(query, 1, id);
    (void)sqlite3_bind_int64(query, 2, max);
    step = event_file_step(query);
  }
  if (step == SQLITE_ROW) {
    after->replay = sqlite3_column_int(query, 0);
    after->attempt = sqlite3_column_int(query, 1);
    *left_out = sqlite3_column_int64(query, 2);
  }
  (void)sqlite3_finalize(query);
  return step == SQLITE_ROW || step == SQLITE_DONE || event_file_fail(file, "read", error);
}

bool event_store_attempts(const char *path, int64_t id, int64_t max, event_attempt_visit each,
                          void *context, int64_t *left_out, host_error *error) {
  event_file file;
  sqlite3_stmt *query = NULL;
  event_attempt attempt = {.replay = -1};
  *left_out = 0;
  if (postgres_is_url(path)) {
    return server_events_attempts(path, id, max, each, context, left_out, error);
  }
  if (!event_file_open_to_read(&file, path, error)) {
    return false;
  }
  bool is_end = !event_attempts_are_there(file.db);
  bool ok = is_end || sqlite3_prepare_v2(file.db, next_text, -1, &query, NULL) == SQLITE_OK ||
            event_file_fail(&file, "read", error);
  (void)sqlite3_bind_int64(query, 1, id);
  ok = ok && (is_end || max == 0 || skip(&file, id, max, &attempt, left_out, error));
  while (ok && !is_end) {
    ok = show_next(&file, query, &attempt, each, context, &is_end, error);
  }
  (void)sqlite3_finalize(query);
  event_file_close(&file);
  return ok;
}
