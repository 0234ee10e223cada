/* Queues an event that was found missing, unless it has come meanwhile: looks at the events that
 * have, some at a time. */
#include "parts.h"

#include "clock.h"
#include "store/sqlite/database_file.h"
#include "store/sqlite/forget.h"
#include "store/sqlite/reconciled.h"

#include <string.h>

#define IDS 1000 /* between two readings of the clock */

static bool has_come(sqlite3 *db, const event_queue_request *what, int64_t after, int64_t upto,
                     bool *has) {
  sqlite3_stmt *query = NULL;
  bool ok = sqlite3_prepare_v2(db,
                               "SELECT 1 FROM events WHERE id > ?1 AND id <= ?2"
                               " AND action = '" EVENT_RECONCILED_ACTION "' AND account_id = ?3"
                               " LIMIT 1",
                               -1, &query, NULL) == SQLITE_OK;
  (void)sqlite3_bind_int64(query, 1, after);
  (void)sqlite3_bind_int64(query, 2, upto);
  (void)sqlite3_bind_text(query, 3, what->account_id, -1, SQLITE_STATIC);
  int step = ok ? sqlite3_step(query) : SQLITE_ERROR;
  *has = step == SQLITE_ROW;
  (void)sqlite3_finalize(query);
  return step == SQLITE_ROW || step == SQLITE_DONE;
}

/* Looks at the next events; `*is_left_out`: it has come. */
static bool look(sqlite3 *db, const event_queue_request *what, event_admin_place *place,
                 bool *is_left_out) {
  int64_t upto = place->last - place->after > IDS ? place->after + IDS : place->last;
  bool ok = has_come(db, what, place->after, upto, is_left_out);
  place->after = upto;
  return ok && event_file_skip_up(db, &place->after, place->last);
}

/* `last` is that of this transaction: more may come between two. */
static bool find_last(sqlite3 *db, const event_queue_request *what, event_admin_place *place) {
  int64_t first;
  bool ok = event_file_ids(db, &first, &place->last);
  if (!place->has_started) {
    place->after = what->after > first ? what->after : first;
    place->has_started = true;
  }
  return ok;
}

/* In the transaction that has looked at the last event. */
static bool put(sqlite3 *db, const event_queue_request *what, bool *is_left_out) {
  int64_t now = clock_unix_ms(), queued;
  bool ok = event_reconciled_find(db, what->account_id, now, &queued) &&
            event_forget_is_after(db, what->account_id, what->user_id, what->began, is_left_out);
  *is_left_out = *is_left_out || queued != 0;
  return ok && (*is_left_out ||
                event_reconciled_put(db, what->account_id, what->body, strlen(what->body), now));
}

bool event_admin_queue(sqlite3 *db, const event_admin_request *request, event_admin_place *place,
                       event_admin_report *report) {
  const event_queue_request *what = &request->queue;
  bool is_left_out = false;
  if (!find_last(db, what, place)) {
    return false;
  }
  report->replay = EVENT_UNFINISHED;
  if (place->after < place->last) {
    bool ok = look(db, what, place, &is_left_out);
    place->is_done = is_left_out;
    return ok;
  }
  bool ok = put(db, what, &is_left_out);
  place->is_done = true;
  report->purge.events = ok && !is_left_out;
  report->replay = ok && !is_left_out ? EVENT_REPLAYED : EVENT_UNFINISHED;
  return ok;
}
