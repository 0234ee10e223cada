/* Works between the transactions of the event store, in slices: hands out leases, reads the order,
 * moves the log into the database, deletes old events, and calls what others have under way. */
#include "clock.h"
#include "internal.h"

#include <stdlib.h>

#define SLICE_MS 3 /* of reading the order, or moving waits; a row more may take one too many */
#define LATER_MS 10
/* The store is idle if nothing was committed for this time. */
#define IDLE_MS 10
/* While other processes keep changing events, the order is read only after this time. */
#define LEARN_DELAY_MS 1000

struct admin_work {
  admin_work *next;
  event_admin_slice *slice;
  void *context;
  int64_t due; /* on the monotonic clock */
};

static sqlite3 *connection(event_store *store) {
  return event_sql_connection(store->database.sql);
}

/* ---- The order ---- */

static void on_learned(event_store *store) {
  store->timing.has_changes = false;
  (void)pthread_mutex_lock(&store->dispatch.mutex);
  store->dispatch.counts.unfinished = event_sql_count_learned(store->database.sql);
  (void)pthread_mutex_unlock(&store->dispatch.mutex);
}

/* Another process has changed events. */
static void forget_order(event_store *store) {
  if (!store->timing.has_changes) {
    store->timing.has_changes = true;
    store->timing.changed_at = clock_steady_ms();
  }
  store->watch.is_dead_known = false;
  event_sql_forget_order(store->database.sql);
}

/* After a failure it is tried again in time. */
static bool is_resting(event_store *store) {
  int64_t rest = store->trouble.rest_until - clock_steady_ms();
  if (rest > 0) {
    event_store_wake_in(store, rest);
  }
  return rest > 0;
}

static bool learn_order(event_store *store) {
  event_sql *sql = store->database.sql;
  if (event_sql_knows_order(sql)) {
    return false;
  }
  if (store->works != NULL && store->timing.has_changes &&
      clock_steady_ms() - store->timing.changed_at < LEARN_DELAY_MS) {
    return false;
  }
  if (is_resting(store)) {
    return false;
  }
  if (!event_sql_learn_order(sql, SLICE_MS)) {
    event_store_failed(store);
  } else if (event_sql_knows_order(sql)) {
    on_learned(store);
  }
  return true;
}

/* ---- The clock ---- */

/* At the end it is tried once: what cannot be written then is late, as if the clock had been set
 * while no process served. */
static bool shift_waits(event_store *store) {
  event_sql *sql = store->database.sql;
  bool is_locked = false;
  if (is_resting(store)) {
    return false;
  }
  if (event_sql_shift_waits(sql, SLICE_MS, &is_locked)) {
    store->next_due = 0;
    return true;
  }
  if (store->ending.is_started) {
    event_sql_abandon_shift(sql);
    return true;
  }
  if (is_locked) {
    event_store_wake_in(store, LATER_MS);
  } else {
    event_store_failed(store);
  }
  return false;
}

/* ---- Work of others ---- */

bool event_store_run_admin(event_store *store, event_admin_slice *slice, void *context) {
  admin_work *work = store->ending.is_started ? NULL : malloc(sizeof *work);
  if (work == NULL) {
    return false;
  }
  *work = (admin_work){.slice = slice, .context = context};
  admin_work **end = &store->works;
  while (*end != NULL) {
    end = &(*end)->next;
  }
  *end = work;
  event_store_wake_in(store, 0);
  return true;
}

/* One slice of the first that is due, which is the last of them then. */
static bool run_work(event_store *store) {
  int64_t now = clock_steady_ms();
  admin_work **link = &store->works;
  while (*link != NULL && (*link)->due > now) {
    event_store_wake_in(store, (*link)->due - now);
    link = &(*link)->next;
  }
  admin_work *work = *link;
  if (work == NULL) {
    return false;
  }
  *link = work->next;
  work->next = NULL;
  bool changes_unfinished = false;
  sqlite3 *db = connection(store);
  int changes = sqlite3_total_changes(db);
  event_admin_result result = work->slice(work->context, db, &changes_unfinished);
  if (sqlite3_total_changes(db) != changes) {
    store->watch.is_dead_known = false;
  }
  if (changes_unfinished) {
    forget_order(store);
  }
  if (result == EVENT_ADMIN_DONE) {
    store->maintenance.may_shrink = true; /* it may have deleted events */
    free(work);
    return true;
  }
  work->due = result == EVENT_ADMIN_LATER ? clock_steady_ms() + LATER_MS : 0;
  admin_work **end = &store->works;
  while (*end != NULL) {
    end = &(*end)->next;
  }
  *end = work;
  return true;
}

void event_store_end_works(event_store *store) {
  while (store->works != NULL) {
    admin_work *work = store->works;
    bool unused = false;
    store->works = work->next;
    (void)work->slice(work->context, NULL, &unused);
    free(work);
  }
}

/* ---- Upkeep ---- */

static void run_maintenance(event_store *store) {
  bool is_idle = clock_steady_ms() - store->timing.committed_at >= IDLE_MS;
  int64_t due = event_maintenance_due(&store->maintenance, is_idle);
  if (due > 0) {
    event_store_wake_in(store, due);
    return;
  }
  static const char *const messages[EVENT_MAINTENANCE_TASKS] = {
      [EVENT_MAINTENANCE_EVENTS] = "cannot delete old events from",
      [EVENT_MAINTENANCE_DECISIONS] = "cannot delete old decisions from",
      [EVENT_MAINTENANCE_RESPONSES] = "cannot delete old responses from",
      [EVENT_MAINTENANCE_MARKS] = "cannot delete old marks from",
  };
  event_maintenance_task task;
  bool ok = event_maintenance_step(&store->maintenance, connection(store), is_idle, &task);
  bool *is_failing = &store->trouble.is_maintenance_failing[task];
  if (!ok && !*is_failing && !store->trouble.is_failing) {
    event_store_report(store, true, messages[task], sqlite3_errmsg(connection(store)));
  }
  if (!ok) {
    event_sql_rollback(store->database.sql);
  }
  *is_failing = !ok;
  due = event_maintenance_due(&store->maintenance, is_idle);
  event_store_wake_in(store, due > 0 ? due : 1);
}

/* ---- From the loop ---- */

bool event_store_work(event_store *store) {
  event_store_hand_out(store);
  /* Between those that were put, which are a batch that is still being read, nothing is done; of
   * more than a transaction takes there may always be some. */
  bool is_reading = store->puts.first != NULL && !store->puts.are_left;
  bool is_shifting = event_sql_is_shifting(store->database.sql);
  if (is_reading || store->is_under_way) {
    return false;
  }
  if (store->ending.is_started) {
    return is_shifting && shift_waits(store);
  }
  store->puts.are_left = false;
  event_maintenance_checkpoint(&store->maintenance, connection(store), false);
  if ((is_shifting ? shift_waits(store) : learn_order(store)) || run_work(store)) {
    return true; /* one slice a turn */
  }
  run_maintenance(store);
  return false;
}

static bool was_changed_by_others(event_store *store) {
  int64_t version;
  if (!event_sql_data_version(store->database.sql, &version) ||
      version == store->database.data_version) {
    return false;
  }
  store->database.data_version = version;
  return true;
}

void event_store_tick(event_store *store) {
  if (store->is_under_way || store->ending.is_started) {
    return;
  }
  if (was_changed_by_others(store)) {
    forget_order(store);
  }
  event_dispatch_notify_others(&store->dispatch);
  if (store->database.dedup != NULL) {
    event_dedup_expire(store->database.dedup, clock_unix_ms());
  }
  if (store->puts.first == NULL) {
    event_maintenance_checkpoint(&store->maintenance, connection(store), true);
  }
  event_store_watch(store);
}
