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

/* EVENT_STATES: any. */
static event_state state_of(const event_filter *filter) {
  int state = 0;
  while (filter->state != NULL && state < EVENT_STATES &&
         strcmp(filter->state, event_state_names[state]) != 0) {
    state++;
  }
  return (event_state)(filter->state != NULL ? state : EVENT_STATES);
}

static const char *condition_of_state(event_state state) {
  static const char *const conditions[EVENT_STATES + 1] = {
      " AND state = 0", " AND state = 1", " AND state = 2", " AND state = 3", " AND state = 4", ""};
  return conditions[state];
}

static int64_t next_last(const event_filter *filter, const event_admin_place *place) {
  int64_t ids = event_filter_reads_bodies(filter) ? IDS_OF_BODIES : IDS;
  return place->last - place->after > ids ? place->after + ids : place->last;
}

static sqlite3_stmt *prepare(sqlite3 *db, const event_filter *filter) {
  char conditions[EVENT_FILTER_SIZE], text[EVENT_FILTER_SIZE + 128];
  sqlite3_stmt *query = NULL;
  event_filter_conditions(filter, conditions);
  (void)snprintf(text, sizeof text,
                 "SELECT id, state FROM events WHERE id > ?1 AND id <= ?2%s%s ORDER BY id LIMIT ?3",
                 condition_of_state(state_of(filter)), conditions);
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
  int64_t upto = next_last(filter, place);
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

/* By one statement for many ids: to prepare it takes longer than to count one event. */
static bool count_next(sqlite3 *db, const event_filter *filter, event_admin_place *place,
                       event_purge_report *report) {
  const event_purge_range range = {.after = place->after,
                                   .last = next_last(filter, place),
                                   .state = state_of(filter),
                                   .received_before = place->received_before};
  place->after = range.last;
  return (range.state < EVENT_DONE || event_purge_count_matching(db, &range, filter, report)) &&
         event_file_skip_up(db, &place->after, place->last);
}

static bool purge(sqlite3 *db, int64_t received_before, int64_t id, event_state state,
                  event_purge_report *report) {
  const event_purge_range range = {.after = id - 1,
                                   .last = id,
                                   .state = state,
                                   .before = INT64_MAX,
                                   .received_before = received_before};
  int64_t before = report->events;
  return event_purge_count(db, &range, report) &&
         (report->events == before || event_purge_delete_range(db, &range));
}

bool event_admin_purge_matching(sqlite3 *db, const event_admin_request *request,
                                event_admin_place *place, event_admin_report *report) {
  found_events found = {.count = 0};
  bool ok = begin(db, place);
  if (ok && place->after >= place->last) {
    place->is_done = request->purge.dry_run;
    return place->is_done || event_admin_shrink(db, place);
  }
  if (ok && request->purge.dry_run) {
    return count_next(db, &request->filter, place, &report->purge);
  }
  ok = ok && find(db, &request->filter, place, &found);
  for (int i = 0; ok && i < found.count; i++) {
    ok = found.states[i] < EVENT_DONE ||
         purge(db, place->received_before, found.ids[i], found.states[i], &report->purge);
  }
  return ok;
}
