/* Deletes finished events, and gives the pages they leave back to the file system. */
#include "event_store_purge.h"

#include "event_store_file.h"

#include <stdio.h>
#include <sys/stat.h>

#define RANGE 1000 /* ids in a transaction: bounds how long it holds up others */
#define SHRINK_PAGES 256

#define FROM_RANGE " FROM events WHERE id > ?1 AND id <= ?2 AND state = ?3 AND finished_at < ?4"

static bool run(sqlite3 *db, const char *text, const event_purge_range *range, int64_t results[2]) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK;
  if (range != NULL) {
    (void)sqlite3_bind_int64(statement, 1, range->after);
    (void)sqlite3_bind_int64(statement, 2, range->last);
    (void)sqlite3_bind_int(statement, 3, (int)range->state);
    (void)sqlite3_bind_int64(statement, 4, range->before);
  }
  int step = SQLITE_ERROR;
  while (ok && (step = sqlite3_step(statement)) == SQLITE_ROW) {
    for (int i = 0; results != NULL && i < 2 && i < sqlite3_column_count(statement); i++) {
      results[i] = sqlite3_column_int64(statement, i);
    }
  }
  (void)sqlite3_finalize(statement);
  return step == SQLITE_DONE;
}

bool event_purge_count(sqlite3 *db, const event_purge_range *range, int64_t *events,
                       int64_t *bytes) {
  int64_t results[2] = {0, 0};
  bool ok = run(db,
                "SELECT count(*), coalesce(sum(length(action) + coalesce(length(account_id), 0)"
                " + coalesce(length(error), 0) + length(body)), 0)"
                " FROM events CROSS JOIN bodies USING (id)"
                " WHERE events.id > ?1 AND events.id <= ?2 AND state = ?3 AND finished_at < ?4",
                range, results);
  *events = results[0];
  *bytes = results[1];
  return ok;
}

bool event_purge_delete(sqlite3 *db, const event_purge_range *range, int64_t *events) {
  *events = 0;
  if (!run(db, "DELETE FROM bodies WHERE id IN (SELECT id" FROM_RANGE ")", range, NULL)) {
    return false;
  }
  *events = sqlite3_changes(db);
  return *events == 0 || run(db, "DELETE" FROM_RANGE, range, NULL);
}

bool event_purge_ids(sqlite3 *db, int64_t *after, int64_t *last) {
  int64_t results[2] = {0, 0};
  bool ok = run(db, "SELECT (SELECT min(id) FROM events) - 1, (SELECT max(id) FROM events)", NULL,
                results);
  *after = results[0];
  *last = results[1];
  return ok;
}

bool event_purge_shrink(sqlite3 *db, int pages, bool *left) {
  int64_t results[2] = {0, 0};
  char text[64];
  (void)snprintf(text, sizeof text, "PRAGMA incremental_vacuum(%d)", pages);
  bool ok = run(db, "PRAGMA freelist_count", NULL, results) &&
            (results[0] == 0 || run(db, text, NULL, NULL));
  *left = results[0] > pages;
  return ok;
}

/* ---- For people, beside whoever serves ---- */

static bool fail(const event_file *file, char *error, size_t error_size) {
  char reason[256];
  event_file_reason(file->db, reason, sizeof reason);
  (void)snprintf(error, error_size, "cannot write to %s: %s", file->path, reason);
  return false;
}

static bool delete_range(sqlite3 *db, const event_purge_range *range, event_purge_report *report) {
  int64_t events, bytes, deleted;
  if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
      !event_purge_count(db, range, &events, &bytes) || !event_purge_delete(db, range, &deleted) ||
      sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
    return false;
  }
  report->events += events;
  report->bytes += bytes;
  return true;
}

static bool purge_ranges(sqlite3 *db, const event_purge *what, event_purge_report *report) {
  int64_t after, end;
  bool ok = event_purge_ids(db, &after, &end);
  while (ok && after < end) {
    event_purge_range range = {.after = after,
                               .last = end - after > RANGE ? after + RANGE : end,
                               .state = what->state,
                               .before = what->finished_before};
    int64_t events = 0, bytes = 0;
    /* Looked at first, so that where there is nothing to delete nobody is held up. */
    ok = event_purge_count(db, &range, &events, &bytes);
    if (ok && what->dry_run) {
      report->events += events;
      report->bytes += bytes;
    } else if (ok && events > 0) {
      ok = delete_range(db, &range, report);
    }
    after = range.last;
  }
  bool left = ok && !what->dry_run;
  while (left && ok) {
    ok = event_purge_shrink(db, SHRINK_PAGES, &left);
  }
  return ok;
}

static int64_t size_of(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 ? (int64_t)status.st_size : 0;
}

bool event_store_purge(const char *path, const event_purge *what, event_purge_report *report,
                       char *error, size_t error_size) {
  event_file file;
  *report = (event_purge_report){.events = 0};
  if (!event_file_open_beside(&file, path, !what->dry_run, error, error_size)) {
    return false;
  }
  bool ok = purge_ranges(file.db, what, report) || fail(&file, error, error_size);
  if (!what->dry_run) {
    /* As far as it goes while others read and write; the rest is done by who serves. */
    (void)sqlite3_wal_checkpoint_v2(file.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
  }
  report->file_size = size_of(file.path);
  event_file_close(&file);
  return ok;
}
