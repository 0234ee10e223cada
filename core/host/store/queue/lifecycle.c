/* Opens the event store from its parts, reading back its counts and the dedup window, and closes it
 * once it is drained. */
#include "clock.h"
#include "internal.h"
#include "store/postgres/backend.h"
#include "store/postgres/url.h"
#include "store/sqlite/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Opening ---- */

static bool init_condition(pthread_cond_t *condition) {
  pthread_condattr_t attributes;
  if (pthread_condattr_init(&attributes) != 0) {
    return false;
  }
  bool ok = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
            pthread_cond_init(condition, &attributes) == 0;
  (void)pthread_condattr_destroy(&attributes);
  return ok;
}

static event_store *new_store(const event_store_options *options) {
  event_store *store = calloc(1, sizeof *store);
  char *path = postgres_url_for_people(options->path);
  if (store == NULL || path == NULL || !init_condition(&store->ending.changed)) {
    free(store);
    free(path);
    return NULL;
  }
  (void)pthread_mutex_init(&store->ending.mutex, NULL); /* these cannot fail */
  (void)pthread_mutex_init(&store->dispatch.mutex, NULL);
  store->path = path;
  store->options = *options;
  store->puts.end = &store->puts.first;
  store->dispatch.ready_end = &store->dispatch.ready;
  store->dispatch.started.file = -1;
  store->clock.steady = clock_steady_ms();
  store->clock.unix_ms = clock_unix_ms();
  store->clock.offset = store->clock.unix_ms - store->clock.steady;
  return store;
}

static void close_database(event_store *store) {
  if (store->backend != NULL) {
    store->backend->class->close(store->backend);
  }
  store->backend = NULL;
}

static void free_store(event_store *store) {
  event_dispatch *dispatch = &store->dispatch;
  for (size_t i = 0; i < dispatch->consumer_count; i++) {
    event_consumer_destroy(dispatch->consumers[i]);
  }
  free(dispatch->consumers);
  (void)pthread_mutex_destroy(&dispatch->mutex);
  (void)pthread_mutex_destroy(&store->ending.mutex);
  (void)pthread_cond_destroy(&store->ending.changed);
  free(store->path);
  free(store);
}

/* What could not be written is for the next process, with the attempts that were started. */
static void close_if_drained(event_store *store) {
  if (!store->ending.is_started || store->ending.is_closed || !event_store_is_drained(store)) {
    return;
  }
  const event_embedded_class *embedded = store->backend->class->embedded;
  if (embedded != NULL && embedded->is_shifting(store->backend)) {
    return;
  }
  store->ending.is_closed = true;
  started_events_end(&store->dispatch.started, !store->ending.has_abandoned);
  close_database(store);
  event_store_close_handles(store);
}

static const store_turns turns = {
    .end_turn = event_store_end_turn,
    .after_turn = close_if_drained,
    .work = event_store_work,
    .tick = event_store_tick,
};

static bool open_parts(event_store *store, host_error *error) {
  int64_t *unfinished = &store->dispatch.counts.unfinished;
  store->backend = postgres_is_url(store->options.path)
                       ? postgres_backend_open(&store->options, unfinished, error)
                       : sqlite_backend_open(&store->options, unfinished, error);
  if (store->backend == NULL) {
    return false;
  }
  const event_embedded_class *embedded = store->backend->class->embedded;
  if (embedded != NULL &&
      !started_events_open(&store->dispatch.started, embedded->path(store->backend))) {
    return host_error_set(error, HOST_FAILED, "cannot create %s%s: %s", store->path,
                          STARTED_EVENTS_SUFFIX, strerror(errno));
  }
  return event_store_open_handles(store, &turns) ||
         host_error_set(error, HOST_FAILED, "the loop has no room for the event store");
}

event_store *event_store_open(const event_store_options *options, host_error *error) {
  event_store *store = new_store(options);
  if (store == NULL) {
    (void)host_error_set(error, HOST_FAILED, "out of memory");
    return NULL;
  }
  if (open_parts(store, error)) {
    store->options.path = store->path;
    return store;
  }
  started_events_end(&store->dispatch.started, true);
  close_database(store);
  free_store(store);
  return NULL;
}

/* ---- Closing ---- */

static void begin_ending(host_loop_job *job) {
  event_store *store = (event_store *)(void *)((char *)job - offsetof(event_store, ending.job));
  event_store_hand_out(store);
  store->ending.is_started = true;
  store->trouble.locked_since = 0; /* what is written now may wait as long as anything */
  event_store_end_works(store);
  event_dispatch_release_all(store);
  event_store_end_turns_itself(store, true);
  event_store_wake_in(store, 0);
}

static bool wait_for_end(event_store *store, int64_t until) {
  struct timespec deadline = {.tv_sec = (time_t)(until / 1000), .tv_nsec = until % 1000 * 1000000};
  (void)pthread_mutex_lock(&store->ending.mutex);
  while (!store->ending.is_done &&
         pthread_cond_timedwait(&store->ending.changed, &store->ending.mutex, &deadline) !=
             ETIMEDOUT) {
  }
  bool is_done = store->ending.is_done;
  (void)pthread_mutex_unlock(&store->ending.mutex);
  return is_done;
}

bool event_store_close(event_store *store, int64_t timeout_ms, event_counts *counts) {
  if (store == NULL) {
    return true;
  }
  host_loop *loop = store->options.loop;
  int64_t until = clock_steady_ms() + timeout_ms;
  until = until > 0 ? until : 0;
  if (!store->ending.is_asked) {
    store->ending.is_asked = true;
    store->ending.job.run = begin_ending;
    host_loop_post(loop, &store->ending.job);
  }
  while (!host_loop_is_started(loop) && !wait_for_end(store, 0) && clock_steady_ms() < until) {
    (void)uv_run(host_loop_uv(loop), UV_RUN_ONCE);
  }
  if (!wait_for_end(store, until)) {
    return false;
  }
  if (counts != NULL) {
    event_store_counts(store, counts);
  }
  free_store(store);
  return true;
}

void event_store_close_and_wait(event_store *store) {
  while (!event_store_close(store, INT32_MAX, NULL)) {
  }
}
