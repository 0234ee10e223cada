/* Queues an event that was found missing, unless it has come meanwhile. */
#include "parts.h"

#include "clock.h"
#include "store/sqlite/forget.h"
#include "store/sqlite/reconciled.h"

#include <string.h>

static const char known_text[] =
    "SELECT 1 FROM events WHERE id > ?1 AND action = '" EVENT_RECONCILED_ACTION
    "' AND account_id = ?2 UNION ALL SELECT 1 FROM reconciled WHERE account_id = ?2 AND until > ?3"
    " LIMIT 1";

static bool is_known(sqlite3 *db, const event_queue_request *what, int64_t now, bool *is) {
  sqlite3_stmt *query = NULL;
  bool ok = sqlite3_prepare_v2(db, known_text, -1, &query, NULL) == SQLITE_OK;
  (void)sqlite3_bind_int64(query, 1, what->after);
  (void)sqlite3_bind_text(query, 2, what->account_id, -1, SQLITE_STATIC);
  (void)sqlite3_bind_int64(query, 3, now);
  int step = ok ? sqlite3_step(query) : SQLITE_ERROR;
  *is = step == SQLITE_ROW;
  (void)sqlite3_finalize(query);
  return step == SQLITE_ROW || step == SQLITE_DONE;
}

bool event_admin_queue(sqlite3 *db, const event_admin_request *request, event_admin_place *place,
                       event_admin_report *report) {
  const event_queue_request *what = &request->queue;
  int64_t now = clock_unix_ms();
  bool is = false;
  bool ok = is_known(db, what, now, &is) &&
            (is || event_forget_is_after(db, what->account_id, what->user_id, what->began, &is)) &&
            (is || event_reconciled_put(db, what->account_id, what->body, strlen(what->body), now));
  report->purge.events = ok && !is;
  report->replay = ok && !is ? EVENT_REPLAYED : EVENT_UNFINISHED;
  place->is_done = true;
  return ok;
}
