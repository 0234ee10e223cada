/* What the event store's thread does between its transactions: deletes what is kept no longer, and
 * gives the room back, in steps that hold nobody up for long. */
#ifndef PALENCA_HOST_EVENT_STORE_UPKEEP_H
#define PALENCA_HOST_EVENT_STORE_UPKEEP_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  int64_t retention;             /* done events are deleted after so many milliseconds; 0: never */
  bool in_round;                 /* from the oldest event to the first that is young */
  int64_t after;                 /* where the round is */
  int64_t next_round, next_step; /* on the monotonic clock */
  bool may_shrink;
} event_upkeep;

void event_upkeep_init(event_upkeep *upkeep, int64_t retention);

/* In how many milliseconds a step is due; `is_idle`: nobody waits for the store. INT64_MAX: when
 * it is idle. */
int64_t event_upkeep_due(const event_upkeep *upkeep, bool is_idle);

/* Makes a step, outside of a transaction. False if old events could not be deleted, the reason
 * being the connection's last error, with a transaction to roll back; it is tried again later. */
bool event_upkeep_step(event_upkeep *upkeep, sqlite3 *db, bool is_idle);

#endif
