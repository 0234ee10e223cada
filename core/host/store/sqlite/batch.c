/* Runs one transaction of the event store: puts, finishes, leases, and their commit. */
#include "batch.h"

#include "clock.h"
#include "common/metrics.h"

/* Another process may have changed or deleted events. */
static bool check_external_writes(event_database *database, int64_t *version) {
  if (!event_sql_data_version(database->sql, version)) {
    return false;
  }
  if (*version != database->data_version) {
    event_sql_forget_order(database->sql);
  }
  return true;
}

/* A duplicate has the id of the first; what is in this transaction counts as well. */
static bool put(event_database *database, put_request *put) {
  const event_seen *seen = NULL;
  bool ok = true, is_same = false;
  int64_t queued = 0;
  uint32_t fingerprint =
      database->dedup == NULL
          ? 0
          : event_dedup_fingerprint(database->dedup, put->record.body, put->record.body_size);
  do {
    seen = database->dedup == NULL
               ? NULL
               : event_dedup_find(database->dedup, fingerprint, put->record.received_at, seen);
    ok = seen == NULL || event_sql_has_body(database->sql, seen->id, &put->record, &is_same);
  } while (ok && seen != NULL && !is_same);
  if (!ok) {
    return false;
  }
  if (is_same) {
    put->receipt = (event_receipt){.id = seen->id, .is_duplicate = true};
    return true;
  }
  if (!event_sql_find_reconciled(database->sql, &put->record, &queued)) {
    return false;
  }
  if (queued > 0) {
    put->receipt = (event_receipt){.id = queued, .is_duplicate = true};
    return true;
  }
  put->receipt.is_duplicate = false;
  ok = event_sql_put(database->sql, &put->record, &put->receipt.id);
  if (ok && put->receipt.id > 0 && database->dedup != NULL) {
    event_dedup_add(database->dedup, fingerprint, put->receipt.id, put->record.received_at);
  }
  return ok;
}

static bool lease(event_database *database, event_batch *batch) {
  if (batch->leases > 0 && event_sql_knows_order(database->sql)) {
    if (!event_sql_lease(database->sql, batch->now, batch->leases, database->retries_first,
                         &batch->grants)) {
      return false;
    }
    database->retries_first = !database->retries_first;
  }
  return event_sql_next_due(database->sql, batch->now, &batch->next_due);
}

static int64_t now_us(void) {
  struct timespec now = clock_read(CLOCK_MONOTONIC);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool commit(event_database *database) {
  int64_t began = now_us();
  bool ok = event_sql_commit(database->sql);
  metric_observe(METRIC_COMMIT, 0, now_us() - began);
  return ok;
}

static bool carry_out(event_database *database, event_batch *batch) {
  int64_t version = 0;
  bool ok = check_external_writes(database, &version);
  for (put_request *request = batch->puts; ok && request != NULL; request = request->next) {
    ok = put(database, request);
  }
  for (event_finish *finish = batch->finishes; ok && finish != NULL; finish = finish->next) {
    ok = event_sql_finish(database->sql, finish, batch->now);
  }
  ok = ok && lease(database, batch) && commit(database);
  if (ok) {
    database->data_version = version;
  } else {
    event_sql_rollback(database->sql);
  }
  return ok;
}

event_batch_result event_batch_run(event_database *database, event_batch *batch) {
  bool is_locked = false;
  if (!event_sql_begin(database->sql, &is_locked)) {
    event_sql_rollback(database->sql);
    return is_locked ? EVENT_BATCH_LOCKED : EVENT_BATCH_FAILED;
  }
  bool ok = carry_out(database, batch);
  if (database->dedup != NULL) {
    (ok ? event_dedup_commit : event_dedup_rollback)(database->dedup);
    event_dedup_expire(database->dedup, batch->now);
  }
  batch->added = event_sql_added(database->sql);
  return ok ? EVENT_BATCH_COMMITTED : EVENT_BATCH_FAILED;
}
