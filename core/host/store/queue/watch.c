/* Says of the store what whoever watches the process wants to know of it: events by state, and
 * what keeps it from storing more. */
#include "clock.h"
#include "common/health.h"
#include "common/metrics.h"
#include "internal.h"

#include <sys/statvfs.h>
#include <unistd.h>

/* With less left, the disk counts as full before a transaction fails. */
#define FREE_BYTES_MIN ((uint64_t)1024 * 1024)
/* Between two tries to write, while writing fails and nobody else tries. */
#define PROBE_MS 500
/* Between two looks at the oldest event. */
#define OLDEST_MS 1000

/* ---- Events by state ---- */

/* Counted once in a query, which takes the longer the more there are, and when others have changed
 * some. */
static void count_dead(event_store *store, int64_t finished_dead) {
  store_watch *watch = &store->watch;
  if (!watch->is_dead_known &&
      store->backend->class->count_dead(store->backend, &watch->dead_before)) {
    watch->is_dead_known = true;
    watch->dead_before -= finished_dead;
  }
  metric_set(METRIC_EVENTS, METRIC_STATE_DEAD, watch->dead_before + finished_dead);
}

static void publish_states(event_store *store) {
  event_dispatch *dispatch = &store->dispatch;
  (void)pthread_mutex_lock(&dispatch->mutex);
  int64_t unfinished = dispatch->counts.unfinished;
  int64_t dead = dispatch->counts.dead;
  int64_t leased = dispatch->leased;
  (void)pthread_mutex_unlock(&dispatch->mutex);
  count_dead(store, dead);
  const event_backend_class *class = store->backend->class;
  if (class->order(store->backend).is_known) {
    int64_t retries = class->count_retries(store->backend);
    int64_t running = class->count_running(store->backend, leased);
    int64_t received = unfinished - running - retries;
    metric_set(METRIC_EVENTS, METRIC_STATE_RECEIVED, received > 0 ? received : 0);
    metric_set(METRIC_EVENTS, METRIC_STATE_RUNNING, running);
    metric_set(METRIC_EVENTS, METRIC_STATE_RETRY, retries);
  }
}

static void publish_oldest(event_store *store, int64_t now) {
  int64_t oldest;
  if (now >= store->watch.oldest_at &&
      store->backend->class->find_oldest(store->backend, &oldest)) {
    store->watch.oldest_at = now + OLDEST_MS;
    metric_set(METRIC_OLDEST, 0, oldest);
  }
}

/* ---- What fails ---- */

static bool is_disk_full(const event_store *store) {
  const event_embedded_class *embedded = store->backend->class->embedded;
  struct statvfs status;
  if (embedded == NULL || statvfs(embedded->path(store->backend), &status) != 0 ||
      status.f_blocks == 0) {
    return false;
  }
  uint64_t blocks = geteuid() == 0 ? status.f_bfree : status.f_bavail;
  return blocks * status.f_frsize < FREE_BYTES_MIN;
}

/* Of a damaged database a part may still be written to. */
static void probe(event_store *store, int64_t now) {
  store_trouble *trouble = &store->trouble;
  if (!trouble->is_failing || trouble->kind == EVENT_FAILURE_DAMAGED || store->puts.first != NULL ||
      store->finishes != NULL || now < store->watch.probe_at) {
    return;
  }
  store->watch.probe_at = now + PROBE_MS;
  if (store->backend->class->probe(store->backend)) {
    trouble->is_failing = false;
    trouble->rest_ms = trouble->rest_until = 0;
    event_store_report(store, false, "writing again to", "");
  } else {
    trouble->kind = store->backend->class->failure(store->backend);
  }
}

static void publish_problems(const event_store *store) {
  const store_trouble *trouble = &store->trouble;
  event_failure failure = trouble->is_failing ? trouble->kind : EVENT_FAILURE_NONE;
  event_failure problem = store->backend->class->problem(store->backend);
  health_set(HEALTH_DISK_FULL, failure == EVENT_FAILURE_FULL || is_disk_full(store));
  health_set(HEALTH_DATABASE_REMOVED,
             failure == EVENT_FAILURE_REMOVED || problem == EVENT_FAILURE_REMOVED);
  health_set(HEALTH_DATABASE_DAMAGED, failure == EVENT_FAILURE_DAMAGED);
  health_set(HEALTH_STORE_FAILING,
             failure == EVENT_FAILURE_OTHER || problem == EVENT_FAILURE_OTHER);
}

void event_store_watch(event_store *store) {
  int64_t now = clock_steady_ms();
  if (!health_is_watched()) {
    return;
  }
  publish_states(store);
  publish_oldest(store, now);
  probe(store, now);
  publish_problems(store);
}
