/* The parts of the works in event_admin.h: each does a few rows, in the transaction of a slice. */
#ifndef PALENCA_HOST_STORE_ADMIN_PARTS_H
#define PALENCA_HOST_STORE_ADMIN_PARTS_H

#include "store/event_admin.h"

#include <sqlite3.h>

/* Where a work is, from one part to the next. */
typedef struct {
  int64_t after; /* the id up to which it is done; INT64_MIN at the beginning */
  int64_t last;  /* the ids there were then */
  int64_t received_before;
  size_t next; /* of a list of the request */
  bool has_started, is_shrinking, has_removed_unfinished, is_done;
} event_admin_place;

/* Adds to the report. False on failure, the reason being the connection's last error. */
typedef bool event_admin_part(sqlite3 *db, const event_admin_request *request,
                              event_admin_place *place, event_admin_report *report);

event_admin_part event_admin_replay, event_admin_replay_dead, event_admin_purge, event_admin_forget,
    event_admin_queue, event_admin_replay_matching, event_admin_purge_matching;

/* Frees pages that are no longer in use, some at a time; then the work is done. */
bool event_admin_shrink(sqlite3 *db, event_admin_place *place);
/* Events received from this time on must still be recognized. */
bool event_admin_find_window(sqlite3 *db, int64_t *received_before);

#endif
