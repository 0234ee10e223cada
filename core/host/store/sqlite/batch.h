/* Carries out the batches of the event store, each in one transaction of SQLite, before it
 * returns. */
#ifndef PALENCA_HOST_STORE_SQLITE_BATCH_H
#define PALENCA_HOST_STORE_SQLITE_BATCH_H

#include "store/memory/dedup.h"
#include "transaction.h"

typedef struct {
  event_sql *sql;
  event_dedup *dedup;   /* NULL: no window */
  int64_t data_version; /* of the last check of external writes */
  bool retries_first;
} event_database;

event_batch_result event_batch_run(event_database *database, event_batch *batch);

#endif
