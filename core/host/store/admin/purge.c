/* Deletes finished events for people, in parts. */
#include "parts.h"

#include "clock.h"
#include "store/sqlite/database_file.h"
#include "store/sqlite/purge.h"

/* Ids, and pages, between two readings of the clock. Bodies may have many pages. */
#define SEEK_IDS 1000
#define COUNT_IDS 500
#define DELETE_IDS 16
#define SHRINK_PAGES 16

bool event_admin_find_window(sqlite3 *db, int64_t *received_before) {
  int64_t window;
  bool ok = event_file_read_integer(db, "SELECT redelivery_window FROM serving", &window);
  *received_before = window > 0 ? clock_unix_ms() - window : INT64_MAX;
  return ok;
}

static bool begin(sqlite3 *db, event_admin_place *place) {
  place->has_started = true;
  return event_file_ids(db, &place->after, &place->last) &&
         event_admin_find_window(db, &place->received_before);
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

/* Advances to the next event to examine, past those that are not finished. */
static bool skip(sqlite3 *db, const event_purge *what, event_admin_place *place) {
  event_purge_range range = next_range(what, place, SEEK_IDS);
  int64_t id;
  bool ok = event_purge_seek(db, &range, &id);
  place->after = id > 0 ? id - 1 : range.last;
  return ok && event_file_skip_up(db, &place->after, place->last);
}

static bool purge_next(sqlite3 *db, const event_purge *what, event_admin_place *place,
                       event_purge_report *report) {
  event_purge_range range = next_range(what, place, what->dry_run ? COUNT_IDS : DELETE_IDS);
  place->after = range.last;
  return event_purge_count(db, &range, report) &&
         (what->dry_run || event_purge_delete_range(db, &range));
}

bool event_admin_shrink(sqlite3 *db, event_admin_place *place) {
  bool left = false;
  bool ok = event_purge_shrink(db, SHRINK_PAGES, &left);
  place->is_done = !left;
  return ok;
}

bool event_admin_purge(sqlite3 *db, const event_admin_request *request, event_admin_place *place,
                       event_admin_report *report) {
  const event_purge *what = &request->purge;
  bool ok = place->has_started || begin(db, place);
  if (ok && place->after < place->last) {
    ok = skip(db, what, place) &&
         (place->after >= place->last || purge_next(db, what, place, &report->purge));
  } else if (ok && what->dry_run) {
    place->is_done = true;
  } else if (ok) {
    ok = event_admin_shrink(db, place);
  }
  return ok;
}
