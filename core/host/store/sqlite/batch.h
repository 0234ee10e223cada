/* One transaction of the event store: its input and its result.
 *
 * A batch is submitted, and `done` called once with its result, on the loop: before event_submit
 * returns if the database completes at once, as SQLite does; or later, when a descriptor has
 * become readable, which a database on a network watches on the same loop. One batch is under
 * way at a time, and belongs to the database until `done`. */
#ifndef PALENCA_HOST_STORE_SQLITE_BATCH_H
#define PALENCA_HOST_STORE_SQLITE_BATCH_H

#include "store/memory/dedup.h"
#include "transaction.h"

typedef struct put_request put_request;

struct put_request {
  struct put_request *next;
  event_record record;
  event_put_done done;
  void *context;
  int64_t put_at;       /* on the monotonic clock */
  uint32_t fingerprint; /* if there is a dedup window */
  event_receipt receipt;
  char data[]; /* what the record's strings point to */
};

typedef enum {
  EVENT_BATCH_COMMITTED,
  EVENT_BATCH_LOCKED, /* another process writes just now: nothing has started */
  EVENT_BATCH_FAILED, /* and is rolled back; event_sql_reason says why */
} event_batch_result;

typedef struct {
  put_request *puts; /* their receipts are filled in */
  event_finish *finishes;
  size_t leases; /* at most */
  int64_t now;
  /* filled in */
  event_grant *grants;
  int64_t next_due; /* of the retries and timers, Unix milliseconds; INT64_MAX: none is */
} event_batch;

/* What carries batches out. */
typedef struct {
  event_sql *sql;
  event_dedup *dedup;   /* NULL: no window */
  int64_t data_version; /* of the last check of external writes */
  bool retries_first;
} event_database;

typedef void event_batch_done(void *context, event_batch *batch, event_batch_result result);

void event_submit(event_database *database, event_batch *batch, event_batch_done *done,
                  void *context);

#endif
