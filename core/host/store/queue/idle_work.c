/* Works between the transactions of the event store, in slices: hands out leases, reads the order,
 * moves the log into the database, deletes old events, and calls what others have under way. */
#include "clock.h"
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

#define SLICE_MS 3 /* of reading the order, or moving waits; a row more may take one too many */
#define LATER_MS 10
/* The store is idle if nothing was committed for this time. */
#define IDLE_MS 10
/* While other processes keep changing events, the order is read only after this time. */
#define LEARN_DELAY_MS 1000

typedef struct sqlite3 sqlite3;

struct admin_work {
  admin_work *next;
  event_admin_slice *slice;
  void *context;
  int64_t due; /* on the monotonic clock */
};

static const event_embedded_class *embedded_of(const event_store *store) {
  return store->backend->class->embedded;
}

/* ---- The order ---- */

static void update_count(event_store *store) {
  int64_t unfinished;
  if (store->backend->class->count_unfinished(store->backend, &unfinished)) {
    (void)pthread_mutex_lock(&store->dispatch.mutex);
    store->dispatch.counts.unfinished = unfinished;
    (void)pthread_mutex_unlock(&store->dispatch.mutex);
  }
}

static void on_learned(event_store *store) {
  store->timing.has_changes = false;
  update_count(store);
}

/* Another process has changed events. */
static void forget_order(event_store *store) {
  if (!store->timing.has_changes) {
    store->timing.has_changes = true;
    store->timing.changed_at = clock_steady_ms();
  }
  store->watch.is_dead_known = false;
  embedded_of(store)->forget_order(store->backend);
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
  event_backend *backend = store->backend;
  if (backend->class->order(backend).is_known) {
    return false;
  }
  if (store->works != NULL && store->timing.has_changes &&
      clock_steady_ms() - store->timing.changed_at < LEARN_DELAY_MS) {
    return false;
  }
  if (is_resting(store)) {
    return false;
  }
  if (!embedded_of(store)->learn_order(backend, SLICE_MS)) {
    event_store_failed(store);
  } else if (backend->class->order(backend).is_known) {
    on_learned(store);
  }
  return true;
}

/* ---- The clock ---- */

/* At the end it is tried once: what cannot be written then is late, as if the clock had been set
 * while no process served. */
static bool shift_waits(event_store *store) {
  const event_embedded_class *embedded = embedded_of(store);
  bool is_locked = false;
  if (is_resting(store)) {
    return false;
  }
  if (embedded->shift_waits(store->backend, SLICE_MS, &is_locked)) {
    store->next_due = 0;
    return true;
  }
  if (store->ending.is_started) {
    embedded->abandon_shift(store->backend);
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
  bool can = !store->ending.is_started && embedded_of(store) != NULL;
  admin_work *work = can ? malloc(sizeof *work) : NULL;
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
  sqlite3 *db = embedded_of(store)->connection(store->backend);
  int changes = embedded_of(store)->count_changes(store->backend);
  event_admin_result result = work->slice(work->context, db, &changes_unfinished);
  if (embedded_of(store)->count_changes(store->backend) != changes) {
    store->watch.is_dead_known = false;
  }
  if (changes_unfinished) {
    forget_order(store);
  }
  if (result == EVENT_ADMIN_DONE) {
    embedded_of(store)->allow_shrinking(store->backend);
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

/* What keeps all from being written is said as that, once, and not of each task that meets it. */
static bool has_store_failed(event_store *store) {
  const event_backend_class *class = store->backend->class;
  return !class->probe(store->backend) && class->failure(store->backend) != EVENT_FAILURE_OTHER;
}

static void report_maintenance(event_store *store, event_maintenance_task task,
                               const char *reason) {
  static const char *const messages[EVENT_MAINTENANCE_TASKS] = {
      [EVENT_MAINTENANCE_EVENTS] = "cannot delete old events from",
      [EVENT_MAINTENANCE_DECISIONS] = "cannot delete old decisions from",
      [EVENT_MAINTENANCE_RESPONSES] = "cannot delete old responses from",
      [EVENT_MAINTENANCE_MARKS] = "cannot delete old marks from",
  };
  store_trouble *trouble = &store->trouble;
  if (trouble->is_failing || trouble->is_maintenance_failing[task]) {
    return;
  }
  if (has_store_failed(store)) {
    event_store_failed(store);
  } else {
    trouble->is_maintenance_failing[task] = true;
    event_store_report(store, true, messages[task], reason);
  }
}

static void run_maintenance(event_store *store) {
  bool is_idle = clock_steady_ms() - store->timing.committed_at >= IDLE_MS;
  const event_embedded_class *embedded = embedded_of(store);
  int64_t due = embedded->maintenance_due(store->backend, is_idle);
  if (due > 0) {
    event_store_wake_in(store, due);
    return;
  }
  event_maintenance_task task;
  const char *reason = "";
  if (embedded->maintain(store->backend, is_idle, &task, &reason)) {
    store->trouble.is_maintenance_failing[task] = false;
  } else {
    char text[256]; /* of the connection, which is used for more */
    (void)snprintf(text, sizeof text, "%s", reason);
    embedded->roll_back(store->backend);
    report_maintenance(store, task, text);
  }
  due = embedded->maintenance_due(store->backend, is_idle);
  event_store_wake_in(store, due > 0 ? due : 1);
}

/* ---- From the loop ---- */

bool event_store_work(event_store *store) {
  event_store_hand_out(store);
  /* Between those that were put, which are a batch that is still being read, nothing is done; of
   * more than a transaction takes there may always be some. */
  bool is_reading = store->puts.first != NULL && !store->puts.are_left;
  const event_embedded_class *embedded = embedded_of(store);
  if (is_reading || store->is_under_way || embedded == NULL) {
    return false;
  }
  bool is_shifting = embedded->is_shifting(store->backend);
  if (store->ending.is_started) {
    return is_shifting && shift_waits(store);
  }
  store->puts.are_left = false;
  embedded->checkpoint(store->backend, false);
  if ((is_shifting ? shift_waits(store) : learn_order(store)) || run_work(store)) {
    return true; /* one slice a turn */
  }
  run_maintenance(store);
  return false;
}

static void follow_file(event_store *store, const event_embedded_class *embedded) {
  if (embedded->has_external_writes(store->backend)) {
    forget_order(store);
  }
  embedded->expire(store->backend, clock_unix_ms());
  if (store->puts.first == NULL) {
    embedded->checkpoint(store->backend, true);
  }
}

/* A server, at which others write, counts for itself, and fails between the batches, too. */
static void follow_server(event_store *store) {
  update_count(store);
  store->watch.is_dead_known = false;
  if (!store->trouble.is_failing &&
      store->backend->class->problem(store->backend) != EVENT_FAILURE_NONE) {
    event_store_failed(store);
  }
}

void event_store_tick(event_store *store) {
  const event_embedded_class *embedded = embedded_of(store);
  if (store->ending.is_started) {
    return;
  }
  if (embedded != NULL) {
    follow_file(store, embedded);
  } else {
    follow_server(store);
  }
  event_dispatch_notify_others(&store->dispatch);
  event_store_watch(store);
}
