/* Deletes finished events, and gives the pages they leave back to the file system. */
#include "purge.h"

#include "clock.h"
#include "file.h"
#include "store/admin/parts.h"

#include <stdio.h>

/* Ids, and pages, between two looks at the clock. Bodies may have many pages. */
#define SEEK_IDS 1000
#define DELETE_IDS 16
#define SHRINK_PAGES 16

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

static bool delete_range(sqlite3 *db, const event_purge_range *range) {
  return run(db, "DELETE FROM bodies WHERE id IN (SELECT id" FROM_RANGE ")", range, NULL) &&
         run(db, "DELETE" FROM_RANGE, range, NULL);
}

bool event_purge_delete(sqlite3 *db, const event_purge_range *range, int64_t *events) {
  bool ok =
      sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK && delete_range(db, range);
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

/* ---- For people ---- */

/* What may come again is still to be known then. */
static bool find_window(sqlite3 *db, int64_t *received_before) {
  int64_t window;
  bool ok = event_file_read_integer(db, "SELECT redelivery_window FROM serving", &window);
  *received_before = window > 0 ? clock_unix_ms() - window : INT64_MAX;
  return ok;
}

static bool begin(sqlite3 *db, event_admin_place *place) {
  place->has_begun = true;
  return event_file_ids(db, &place->after, &place->last) &&
         find_window(db, &place->received_before);
}

static event_purge_range next_range(const event_purge *what, const event_admin_place *place,
                                    int64_t ids) {
  return (event_purge_range){.after = place->after,
                             .last = place->last - place->after > ids ? place->after + ids
                                                                      : place->last,
                             .state = what->state,
                             .before = what->finished_before,
                             .received_before = place->received_before};
}

/* Goes on to the next event to be looked at, over those that are not finished. */
static bool skip(sqlite3 *db, const event_purge *what, event_admin_place *place) {
  int64_t found[3] = {0, 0, 0};
  event_purge_range range = next_range(what, place, SEEK_IDS);
  if (!run(db,
           "SELECT coalesce((SELECT id FROM events WHERE id > ?1 AND id <= ?2 AND state = ?3"
           " AND finished_at < ?4 ORDER BY id LIMIT 1), 0), ?5",
           &range, found)) {
    return false;
  }
  place->after = found[0] > 0 ? found[0] - 1 : range.last;
  return true;
}

static bool purge_next(sqlite3 *db, const event_purge *what, event_admin_place *place,
                       event_purge_report *report) {
  event_purge_range range = next_range(what, place, DELETE_IDS);
  place->after = range.last;
  return event_purge_count(db, &range, report) && (what->dry_run || delete_range(db, &range));
}

bool event_admin_purge(sqlite3 *db, const event_admin_request *request, event_admin_place *place,
                       event_admin_report *report) {
  const event_purge *what = &request->purge;
  bool ok = place->has_begun || begin(db, place);
  if (ok && place->after < place->last) {
    ok = skip(db, what, place) &&
         (place->after >= place->last || purge_next(db, what, place, &report->purge));
  } else if (ok) {
    bool left = false;
    ok = what->dry_run || event_purge_shrink(db, SHRINK_PAGES, &left);
    place->is_done = !left;
  }
  return ok;
}
