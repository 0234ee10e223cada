/* Removes events and decisions' rows for people, in parts. */
#include "parts.h"

#include "clock.h"
#include "store/sqlite/forget.h"

/* Decisions first: while its event is there, whose they are can still be found. */
bool event_admin_forget(sqlite3 *db, const event_admin_request *request, event_admin_place *place,
                        event_admin_report *report) {
  const event_forget *what = &request->forget;
  if (!place->has_started) {
    place->has_started = true;
    place->is_done = what->number_count + what->id_count == 0;
    return event_forget_ids(db, request->account_id, request->user_id, clock_unix_ms());
  }
  size_t at = place->next++;
  bool ok = true;
  if (at < what->number_count) {
    ok = event_forget_decision(db, what->numbers[at], clock_unix_ms(), &report->forget);
  } else if (at - what->number_count < what->id_count) {
    ok = event_forget_event(db, what->ids[at - what->number_count], request->is_alone,
                            &report->forget, &place->has_removed_unfinished);
  }
  place->is_done = place->next >= what->number_count + what->id_count;
  return ok;
}
