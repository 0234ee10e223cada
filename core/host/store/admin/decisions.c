/* Lists the decisions of a database file for people, beside whoever serves from it. */
#include "copied_decision.h"
#include "server_ledger.h"

#include "store/postgres/url.h"
#include "store/sqlite/database_file.h"
#include "store/sqlite/ledger.h"

#define FILTERS                                                                                    \
  " kind = 1 AND decisions.number > ?1 AND (?2 = 0 OR decisions.number = ?2)"                      \
  " AND (?3 = 0 OR subject = ?3) AND (?4 IS NULL OR account_id = ?4) AND recorded_at >= ?5"        \
  " AND (?7 IS NULL OR user_id = ?7)"

#define NEXT(rows_and_details)                                                                     \
  "SELECT " LEDGER_COLUMNS_WITH(rows_and_details) " FROM " LEDGER_TABLES " WHERE" FILTERS          \
                                                  " ORDER BY decisions.number LIMIT 1"

/* The one before the newest that are asked for. */
#define NEWEST                                                                                     \
  "SELECT coalesce(min(number), 1) - 1 FROM (SELECT decisions.number FROM " LEDGER_TABLES          \
  " WHERE" FILTERS " ORDER BY decisions.number DESC LIMIT ?6)"

static void bind(sqlite3_stmt *query, int64_t after, const decision_filter *filter) {
  (void)sqlite3_bind_int64(query, 1, after);
  (void)sqlite3_bind_int64(query, 2, filter->number);
  (void)sqlite3_bind_int64(query, 3, filter->event_id);
  (void)sqlite3_bind_text(query, 4, filter->account_id, -1, SQLITE_STATIC);
  (void)sqlite3_bind_int64(query, 5, filter->since);
  (void)sqlite3_bind_text(query, 7, filter->user_id, -1, SQLITE_STATIC);
}

/* SQLITE_ROW, with a copy in `decision`, SQLITE_DONE after the last one, or an error. */
static int read_next(sqlite3_stmt *query, int64_t after, const decision_filter *filter,
                     copied_decision *decision) {
  bind(query, after, filter);
  int step = event_file_step(query);
  if (step == SQLITE_ROW) {
    ledger_row row;
    event_ledger_read(query, &row);
    step = copied_decision_make(decision, &row, filter->with_rows) ? SQLITE_ROW : SQLITE_NOMEM;
  }
  (void)sqlite3_reset(query);
  return step;
}

static bool find_start(const event_file *file, const decision_filter *filter, int64_t *after) {
  *after = INT64_MIN;
  if (filter->limit <= 0) {
    return true;
  }
  sqlite3_stmt *query = NULL;
  bool ok = sqlite3_prepare_v2(file->db, NEWEST, -1, &query, NULL) == SQLITE_OK;
  bind(query, *after, filter);
  (void)sqlite3_bind_int64(query, 6, filter->limit);
  ok = ok && event_file_step(query) == SQLITE_ROW;
  *after = ok ? sqlite3_column_int64(query, 0) : 0;
  (void)sqlite3_finalize(query);
  return ok;
}

static bool list(const event_file *file, const decision_filter *filter, decision_visit each,
                 void *context, host_error *error) {
  const char *text = filter->with_rows ? NEXT("rows, details") : NEXT("NULL, NULL");
  copied_decision decision = {.facts = NULL};
  sqlite3_stmt *query = NULL;
  int64_t after;
  int step = SQLITE_ERROR;
  if (find_start(file, filter, &after) &&
      sqlite3_prepare_v2(file->db, text, -1, &query, NULL) == SQLITE_OK) {
    bool goes = true;
    while (goes && (step = read_next(query, after, filter, &decision)) == SQLITE_ROW) {
      after = decision.summary.number;
      goes = each(context, &decision.summary);
      copied_decision_clear(&decision);
    }
  }
  copied_decision_clear(&decision);
  bool ok = step == SQLITE_DONE || step == SQLITE_ROW ||
            (step == SQLITE_NOMEM ? host_error_set(error, HOST_FAILED, "out of memory")
                                  : event_file_fail(file, "read", error));
  (void)sqlite3_finalize(query);
  return ok;
}

bool decision_list(const char *path, const decision_filter *filter, decision_visit each,
                   void *context, host_error *error) {
  event_file file;
  if (postgres_is_url(path)) {
    return server_decisions_list(path, filter, each, context, error);
  }
  if (!event_file_open_to_read(&file, path, error)) {
    return false;
  }
  bool ok = file.version < LEDGER_SCHEMA_VERSION || list(&file, filter, each, context, error);
  event_file_close(&file);
  return ok;
}
