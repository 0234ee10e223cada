/* Deletes finished events, and returns their pages to the file system. */
#include "purge.h"

#include "attempts.h"
#include "database_file.h"
#include "filter.h"
#include "reconciled.h"
#include "responses.h"

#include <stdio.h>

#define FROM_RANGE                                                                                 \
  " FROM events WHERE id > ?1 AND id <= ?2 AND state = ?3 AND finished_at < ?4"                    \
  " AND received_at < ?5"

static sqlite3_stmt *prepare(sqlite3 *db, const char *text, const event_purge_range *range) {
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK && range != NULL) {
    (void)sqlite3_bind_int64(statement, 1, range->after);
    (void)sqlite3_bind_int64(statement, 2, range->last);
    (void)sqlite3_bind_int(statement, 3, (int)range->state);
    (void)sqlite3_bind_int64(statement, 4, range->before);
    (void)sqlite3_bind_int64(statement, 5, range->received_before);
  }
  return statement;
}

/* Runs it to its end, and disposes of it. */
static bool finish(sqlite3_stmt *statement, int64_t results[3]) {
  int step = SQLITE_ERROR;
  while (statement != NULL && (step = sqlite3_step(statement)) == SQLITE_ROW) {
    for (int i = 0; results != NULL && i < 3 && i < sqlite3_column_count(statement); i++) {
      results[i] = sqlite3_column_int64(statement, i);
    }
  }
  (void)sqlite3_finalize(statement);
  return step == SQLITE_DONE;
}

static bool run(sqlite3 *db, const char *text, const event_purge_range *range, int64_t results[3]) {
  return finish(prepare(db, text, range), results);
}

#define COUNT(responses, tables)                                                                   \
  "SELECT count(*) FILTER (WHERE received_at < ?5),"                                               \
  " coalesce(sum(length(action) + coalesce(length(account_id), 0)"                                 \
  " + coalesce(length(error), 0) + coalesce(length(body), 0)" responses                            \
  ") FILTER (WHERE received_at < ?5), 0), count(*) FILTER (WHERE received_at >= ?5)"               \
  " FROM events LEFT JOIN bodies USING (id)" tables " WHERE events.id > ?1 AND events.id <= ?2"

#define RESPONSES " + coalesce(length(responses), 0)"
#define WITH_RESPONSES " LEFT JOIN event_responses ON event_responses.id = events.id"
#define ATTEMPTS                                                                                   \
  " + coalesce((SELECT sum(coalesce(length(error), 0) + coalesce(length(lines), 0))"               \
  " FROM attempts WHERE attempts.id = events.id), 0)"

static const char count_all[] = COUNT(RESPONSES ATTEMPTS, WITH_RESPONSES);
static const char count_with_responses[] = COUNT(RESPONSES, WITH_RESPONSES);
static const char count_events[] = COUNT("", "");

/* Of a database of an earlier version, which may be read. */
static const char *count_text(sqlite3 *db) {
  return event_attempts_are_there(db)    ? count_all
         : event_responses_are_there(db) ? count_with_responses
                                         : count_events;
}

static sqlite3_stmt *prepare_count(sqlite3 *db, const event_purge_range *range, const char *state,
                                   const char *conditions) {
  char text[sizeof count_all + EVENT_FILTER_SIZE + 64];
  (void)snprintf(text, sizeof text, "%s%s%s", count_text(db), state, conditions);
  return prepare(db, text, range);
}

static bool add_count(sqlite3_stmt *count, event_purge_report *report) {
  int64_t results[3] = {0, 0, 0};
  bool ok = finish(count, results);
  report->events += results[0];
  report->bytes += results[1];
  report->kept += results[2];
  return ok;
}

bool event_purge_count(sqlite3 *db, const event_purge_range *range, event_purge_report *report) {
  return add_count(prepare_count(db, range, " AND state = ?3", " AND finished_at < ?4"), report);
}

bool event_purge_count_matching(sqlite3 *db, const event_purge_range *range,
                                const event_filter *filter, event_purge_report *report) {
  char conditions[EVENT_FILTER_SIZE];
  event_filter_conditions(filter, conditions);
  sqlite3_stmt *count = prepare_count(
      db, range, range->state == EVENT_STATES ? " AND state >= 3" : " AND state = ?3", conditions);
  if (count != NULL && !event_filter_bind(count, filter)) {
    (void)sqlite3_finalize(count);
    count = NULL;
  }
  return add_count(count, report);
}

static const char remember_last[] =
    "UPDATE purged SET received_at = last FROM (SELECT max(received_at) AS last" FROM_RANGE
    " AND action = '" EVENT_RECONCILED_ACTION "') WHERE last > purged.received_at";

bool event_purge_last(sqlite3 *db, int64_t *received_at) {
  bool is_there = sqlite3_table_column_metadata(db, NULL, "purged", NULL, NULL, NULL, NULL, NULL,
                                                NULL) == SQLITE_OK;
  return event_file_read_integer(
      db, is_there ? "SELECT received_at FROM purged" : EVENT_PURGE_FIRST_DONE, received_at);
}

bool event_purge_delete_range(sqlite3 *db, const event_purge_range *range) {
  return run(db, remember_last, range, NULL) && event_responses_remove_range(db, range) &&
         run(db, "DELETE FROM attempts WHERE id IN (SELECT id" FROM_RANGE ")", range, NULL) &&
         run(db, "DELETE FROM event_traces WHERE id IN (SELECT id" FROM_RANGE ")", range, NULL) &&
         run(db, "DELETE FROM bodies WHERE id IN (SELECT id" FROM_RANGE ")", range, NULL) &&
         run(db, "DELETE" FROM_RANGE, range, NULL);
}

bool event_purge_delete(sqlite3 *db, const event_purge_range *range, int64_t *events) {
  bool ok = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
            event_purge_delete_range(db, range);
  *events = ok ? sqlite3_changes(db) : 0;
  return ok && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
}

bool event_purge_shrink(sqlite3 *db, int pages, bool *left) {
  int64_t free_pages;
  char text[64];
  (void)snprintf(text, sizeof text, "PRAGMA incremental_vacuum(%d)", pages);
  bool ok = event_file_read_integer(db, "PRAGMA freelist_count", &free_pages) &&
            (free_pages == 0 || run(db, text, NULL, NULL));
  *left = free_pages > pages;
  return ok;
}

bool event_purge_seek(sqlite3 *db, const event_purge_range *range, int64_t *id) {
  int64_t found[3] = {0, 0, 0};
  bool ok = run(db,
                "SELECT coalesce((SELECT id FROM events WHERE id > ?1 AND id <= ?2 AND state = ?3"
                " AND finished_at < ?4 ORDER BY id LIMIT 1), 0), ?5",
                range, found);
  *id = found[0];
  return ok;
}
