/* Runs again, or deletes, all events of a filter, in parts. */
#include "parts.h"

#include "store/sqlite/database_file.h"
#include "store/sqlite/filter.h"
#include "store/sqlite/purge.h"

#include <stdio.h>
#include <string.h>

/* Between two readings of the clock: ids that are looked at, and events that are found. */
#define IDS 1000
#define IDS_OF_BODIES 50
#define ROWS_MAX 16

typedef struct {
  int64_t ids[ROWS_MAX];
  event_state states[ROWS_MAX];
  int count;
} found_events;

static const char *condition_of_state(const char *state) {
  static const char *const conditions[EVENT_STATES] = {
      " AND state = 0", " AND state = 1", " AND state = 2", " AND state = 3", " AND state = 4"};
  for (int i = 0; state != NULL && i < EVENT_STATES; i++) {
    if (strcmp(state, event_state_names[i]) == 0) {
      return conditions[i];
    }
  }
  return "";
}

static sqlite3_stmt *prepare(sqlite3 *db, const event_filter *filter) {
  char conditions[EVENT_FILTER_SIZE], text[EVENT_FILTER_SIZE + 128];
  sqlite3_stmt *query = NULL;
  event_filter_conditions(filter, conditions);
  (void)snprintf(text, sizeof text,
                 "SELECT id, state FROM events WHERE id > ?1 AND id <= ?2%s%s ORDER BY id LIMIT ?3",
                 condition_of_state(filter->state), conditions);
  if (sqlite3_prepare_v2(db, text, -1, &query, NULL) == SQLITE_OK &&
      !event_filter_bind(query, filter)) {
    (void)sqlite3_finalize(query);
    query = NULL;
  }
  return query;
}

/* The next ones, of which there may be none although there are more after them. */
static bool find(sqlite3 *db, const event_filter *filter, event_admin_place *place,
                 found_events *found) {
  int64_t ids = event_filter_reads_bodies(filter) ? IDS_OF_BODIES : IDS;
  int64_t upto = place->last - place->after > ids ? place->after + ids : place->last;
  sqlite3_stmt *query = prepare(db, filter);
  int step = SQLITE_ERROR;
  found->count = 0;
  if (query != NULL) {
    (void)sqlite3_bind_int64(query, 1, place->after);
    (void)sqlite3_bind_int64(query, 2, upto);
    (void)sqlite3_bind_int(query, 3, ROWS_MAX);
  }
  while (query != NULL && (step = event_file_step(query)) == SQLITE_ROW) {
    found->ids[found->count] = sqlite3_column_int64(query, 0);
    found->states[found->count++] = (event_state)sqlite3_column_int(query, 1);
  }
  (void)sqlite3_finalize(query);
  place->after = found->count == ROWS_MAX ? found->ids[ROWS_MAX - 1] : upto;
  return step == SQLITE_DONE && event_file_skip_up(db, &place->after, place->last);
}

/* What comes, or matches, later is left. */
static bool begin(sqlite3 *db, event_admin_place *place) {
  bool ok = place->has_started || (event_file_ids(db, &place->after, &place->last) &&
                                   event_admin_find_window(db, &place->received_before));
  place->has_started = true;
  return ok;
}

bool event_admin_replay_matching(sqlite3 *db, const event_admin_request *request,
                                 event_admin_place *place, event_admin_report *report) {
  found_events found;
  bool ok = begin(db, place) && find(db, &request->filter, place, &found);
  for (int i = 0; ok && i < found.count; i++) {
    event_admin_report one = {.purge = {0}};
    event_admin_place any = {0};
    const event_admin_request again = {.kind = EVENT_ADMIN_REPLAY, .id = found.ids[i]};
    ok = event_admin_replay(db, &again, &any, &one);
    report->purge.events += one.purge.events;
    report->purge.kept += 1 - one.purge.events;
  }
  place->is_done = place->after >= place->last;
  return ok;
}

static bool purge(sqlite3 *db, const event_admin_request *request, int64_t received_before,
                  int64_t id, event_state state, event_purge_report *report) {
  const event_purge_range range = {.after = id - 1,
                                   .last = id,
                                   .state = state,
                                   .before = INT64_MAX,
                                   .received_before = received_before};
  int64_t before = report->events;
  return event_purge_count(db, &range, report) &&
         (report->events == before || request->purge.dry_run ||
          event_purge_delete_range(db, &range));
}

bool event_admin_purge_matching(sqlite3 *db, const event_admin_request *request,
                                event_admin_place *place, event_admin_report *report) {
  found_events found = {.count = 0};
  bool ok = begin(db, place);
  if (ok && place->after >= place->last) {
    place->is_done = request->purge.dry_run;
    return place->is_done || event_admin_shrink(db, place);
  }
  ok = ok && find(db, &request->filter, place, &found);
  for (int i = 0; ok && i < found.count; i++) {
    ok = found.states[i] < EVENT_DONE ||
         purge(db, request, place->received_before, found.ids[i], found.states[i], &report->purge);
  }
  return ok;
}
