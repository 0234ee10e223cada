/* When the timers of scripts are due, in the database, so that they survive a restart. Used inside
 * the transactions of the list's thread. */
#ifndef PALENCA_HOST_STORE_SQLITE_TIMERS_H
#define PALENCA_HOST_STORE_SQLITE_TIMERS_H

#include "store/backend/timer_list.h"

#include <sqlite3.h>

/* Makes the table hold these timers. A new one is due after its interval, and one with another
 * interval than before at that time after its last run, unless it is due already. False as for
 * event_sql. */
bool event_timers_store(event_timers *timers, sqlite3 *db, int64_t now);

/* It runs, and is due again after its interval, whatever becomes of the run. */
bool event_timers_start(event_timer *timer, sqlite3 *db, int64_t now);
/* It runs no more. If it had not started, it is due at once. */
bool event_timers_end(event_timers *timers, sqlite3 *db, int64_t id, bool has_started, int64_t now);

#endif
