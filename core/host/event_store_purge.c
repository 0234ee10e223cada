/* Deletes finished events, and gives the pages they leave back to the file system. */
#include "event_store_purge.h"

#include "clock.h"
#include "event_store_file.h"

#include <stdio.h>

#define RANGE 1000 /* ids in a transaction: bounds how long it holds up others */
#define SHRINK_PAGES 256

#define FROM_RANGE                                                                                 \
  " FROM events WHERE id > ?1 AND id <= ?2 AND state = ?3 AND finished_at < ?4"                    \
  " AND received_at < ?5"

static bool run(sqlite3 *db, const char *text, const event_purge_range *range, int64_t results[3]) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK;
  if (range != NULL) {
    (void)sqlite3_bind_int64(statement, 1, range->after);
    (void)sqlite3_bind_int64(statement, 2, range->last);
    (void)sqlite3_bind_int(statement, 3, (int)range->state);
    (void)sqlite3_bind_int64(statement, 4, range->before);
    (void)sqlite3_bind_int64(statement, 5, range->received_before);
  }
  int step = SQLITE_ERROR;
  while (ok && (step = sqlite3_step(statement)) == SQLITE_ROW) {
    for (int i = 0; results != NULL && i < 3 && i < sqlite3_column_count(statement); i++) {
      results[i] = sqlite3_column_int64(statement, i);
    }
  }
  (void)sqlite3_finalize(statement);
  return step == SQLITE_DONE;
}

bool event_purge_count(sqlite3 *db, const event_purge_range *range, event_purge_report *report) {
  int64_t results[3] = {0, 0, 0};
  bool ok = run(db,
                "SELECT count(*) FILTER (WHERE received_at < ?5),"
                " coalesce(sum(length(action) + coalesce(length(account_id), 0)"
                " + coalesce(length(error), 0) + coalesce(length(body), 0)) FILTER (WHERE "
                "received_at < ?5), 0),"
                " count(*) FILTER (WHERE received_at >= ?5)"
                " FROM events LEFT JOIN bodies USING (id)"
                " WHERE events.id > ?1 AND events.id <= ?2 AND state = ?3 AND finished_at < ?4",
                range, results);
  report->events += results[0];
  report->bytes += results[1];
  report->kept += results[2];
  return ok;
}

bool event_purge_delete(sqlite3 *db, const event_purge_range *range, int64_t *events) {
  bool ok = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
            run(db, "DELETE FROM bodies WHERE id IN (SELECT id" FROM_RANGE ")", range, NULL) &&
            run(db, "DELETE" FROM_RANGE, range, NULL);
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

/* ---- For people, beside whoever serves ---- */

/* What may come again is still to be known then. */
static bool find_window(sqlite3 *db, int64_t *received_before) {
  int64_t window;
  bool ok = event_file_read_integer(db, "SELECT redelivery_window FROM serving", &window);
  *received_before = window > 0 ? clock_unix_ms() - window : INT64_MAX;
  return ok;
}

static bool purge_ranges(sqlite3 *db, const event_purge *what, event_purge_report *report) {
  int64_t after, end, received_before, deleted;
  bool ok = event_file_ids(db, &after, &end) && find_window(db, &received_before);
  while (ok && after < end) {
    event_purge_range range = {.after = after,
                               .last = end - after > RANGE ? after + RANGE : end,
                               .state = what->state,
                               .before = what->finished_before,
                               .received_before = received_before};
    event_purge_report found = *report;
    /* Looked at first, so that where there is nothing to delete nobody is held up. */
    ok =
        event_purge_count(db, &range, &found) && (what->dry_run || found.events == report->events ||
                                                  event_purge_delete(db, &range, &deleted));
    *report = ok ? found : *report;
    after = range.last;
  }
  bool left = ok && !what->dry_run;
  while (left && ok) {
    ok = event_purge_shrink(db, SHRINK_PAGES, &left);
  }
  return ok;
}

bool event_store_purge(const char *path, const event_purge *what, event_purge_report *report,
                       char *error, size_t error_size) {
  event_file file;
  *report = (event_purge_report){.events = 0};
  if (!event_file_open_beside(&file, path, !what->dry_run, error, error_size)) {
    return false;
  }
  bool ok =
      purge_ranges(file.db, what, report) || event_file_fail(&file, "write to", error, error_size);
  if (!what->dry_run) {
    /* As far as it goes while others read and write; the rest is done by who serves. */
    (void)sqlite3_wal_checkpoint_v2(file.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
  }
  report->file_size = event_file_size(file.path, "");
  event_file_close(&file);
  return ok;
}
