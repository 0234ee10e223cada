/* What the files share that carry out the event store's statements. */
#ifndef PALENCA_HOST_STORE_SQLITE_INTERNAL_H
#define PALENCA_HOST_STORE_SQLITE_INTERNAL_H

#include "alerts.h"
#include "database_file.h"
#include "store/memory/concurrency.h"
#include "store/memory/ready_queue.h"
#include "timers.h"
#include "transaction.h"

_Static_assert(EVENT_LIMITS_MAX <= EVENT_ORDER_LISTS,
               "what a cap holds back is parked in its list");

enum {
  BEGIN,
  COMMIT,
  ROLLBACK,
  DATA_VERSION,
  PUT,
  PUT_BODY,
  PUT_TRACE,
  READ_BODY,
  LEASE_RECEIVED,
  LEASE_RETRIES,
  CUT_WAITS,
  END_WAIT,
  MARK_RUNNING,
  END_DONE,
  END_DEAD,
  RETRY,
  RELEASE,
  PUT_ATTEMPT,
  NEXT_DUE,
  OLDEST,
  STATEMENTS
};

/* How far the order has been read from the tables. */
typedef enum {
  LEARN_NOTHING, /* it has not started */
  LEARN_RUNNING,
  LEARN_RETRIES,
  LEARN_RECEIVED,
  LEARN_ALL,
} learn_phase;

/* Of the Unix clock that was set back: by how much, the retry up to which waits are moved, as it
 * was stored before, and what is to follow. `step` 0: all are as they should be. */
typedef struct {
  int64_t step, due, id, next_step;
} wait_shift;

struct event_sql {
  event_file file;
  sqlite3_stmt *statements[STATEMENTS];
  int64_t last_id; /* of all events there have been; 0: not known */
  ready_queue *order;
  concurrency_limits limits;
  event_timers timers;
  /* At LEARN_ALL the order agrees with the tables, as this transaction sees them; at
   * LEARN_RECEIVED up to the event of this id. */
  learn_phase learned;
  int64_t learned_id, learned_due;
  int64_t learned_count; /* of the events that were read, without what has ended since */
  int64_t retries;       /* those of them that wait for a retry */
  wait_shift shift;
  event_alerts alerts;
  int64_t reconciled_until; /* the last time at which one counts; -1: not known */
  int64_t added;            /* events that this transaction has stored beside what was put */
  host_error error;         /* of the last failure */
  event_failure failure;
};

bool event_sql_next_id(event_sql *sql, int64_t *id);

/* Has the next alert say that an event is dead. */
bool event_sql_add_to_alert(event_sql *sql, int64_t dead_id, int64_t now);

/* After a change of the order: it is incomplete without memory for it, and to be read again. */
void event_sql_changed_order(event_sql *sql, bool has_memory);

/* Records the attempt that a finish ends; one that is released is none. */
bool event_sql_put_attempt(event_sql *sql, const event_finish *finish);

/* What counting the events that are read has to know of a finish that is stored; `due` of a retry,
 * as it is stored. */
void event_sql_count_finish(event_sql *sql, const event_finish *finish, int64_t due);

/* Of an event that was stored as one that waits; `due` as it is stored. */
void event_sql_count_retry(event_sql *sql, int64_t id, int64_t due);

/* How the time of a retry is stored: as before the clock was set, if it is still to be moved. */
int64_t event_sql_stored_due(const event_sql *sql, int64_t id, int64_t due);

/* Records why the last statement failed; returns false. */
bool event_sql_record_failure(event_sql *sql);

/* The same of what is not SQLite's. */
bool event_sql_fail_memory(event_sql *sql);

/* Ends a use of a statement whose last step had this result; false, with the reason noted, if that
 * was a failure. The reason is noted before the reset, and parameters point into memory of the
 * caller's. */
bool event_sql_end_use(event_sql *sql, sqlite3_stmt *statement, int step);

#endif
