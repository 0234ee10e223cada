/* Opens the event store, with what is remembered from before, and closes it. */
#include "clock.h"
#include "event_store_shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool start(event_store *store) {
  pthread_condattr_t attributes;
  if (pthread_mutex_init(&store->mutex, NULL) != 0) {
    return false;
  }
  if (pthread_condattr_init(&attributes) == 0) {
    bool ok = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(&store->has_work, &attributes) == 0;
    (void)pthread_condattr_destroy(&attributes);
    if (ok && pthread_create(&store->thread, NULL, event_store_serve, store) == 0) {
      return true;
    }
    if (ok) {
      (void)pthread_cond_destroy(&store->has_work);
    }
  }
  (void)pthread_mutex_destroy(&store->mutex);
  return false;
}

static void free_store(event_store *store) {
  if (store->sql != NULL) {
    event_sql_close(store->sql);
  }
  event_redelivery_free(store->redelivery);
  event_begun_end(&store->begun);
  free(store->path);
  free(store->consumers);
  free(store);
}

static void remember(void *context, int64_t id, const event_record *record) {
  event_redelivery *table = context;
  uint32_t fingerprint = event_redelivery_fingerprint(table, record->body, record->body_size);
  event_redelivery_add(table, fingerprint, id, record->received_at);
  event_redelivery_commit(table);
}

static bool read_file(event_store *store, char *error, size_t error_size) {
  store->sql = event_sql_open(store->path, error, error_size);
  if (store->sql == NULL) {
    return false;
  }
  store->begun.file = event_sql_begun_file(store->sql);
  int64_t window = store->options.redelivery_window;
  if (event_sql_tell_window(store->sql, window) &&
      event_sql_data_version(store->sql, &store->data_version) &&
      event_sql_count_unfinished(store->sql, &store->counts.unfinished) &&
      (window == 0 || event_sql_recent(store->sql, clock_unix_ms() - window, EVENT_REDELIVERY_MAX,
                                       remember, store->redelivery))) {
    return true;
  }
  (void)snprintf(error, error_size, "cannot read %s: %s", store->path,
                 event_sql_reason(store->sql));
  return false;
}

event_store *event_store_open(const event_store_options *options, char *error, size_t error_size) {
  event_store *store = calloc(1, sizeof *store);
  (void)snprintf(error, error_size, "out of memory");
  if (store == NULL || (store->path = strdup(options->path)) == NULL) {
    free(store);
    return NULL;
  }
  store->options = *options;
  store->options.path = store->path;
  store->puts.end = &store->puts.first;
  store->may_lease = true;
  store->next_due = INT64_MAX;
  event_upkeep_init(&store->upkeep, options->retention);
  bool has_window = options->redelivery_window > 0;
  if (has_window) {
    store->redelivery = event_redelivery_new(options->redelivery_window);
  }
  if ((has_window && store->redelivery == NULL) || !read_file(store, error, error_size)) {
    free_store(store);
    return NULL;
  }
  if (!start(store)) {
    (void)snprintf(error, error_size, "cannot start a thread");
    free_store(store);
    return NULL;
  }
  return store;
}

void event_store_close(event_store *store) {
  if (store == NULL) {
    return;
  }
  (void)pthread_mutex_lock(&store->mutex);
  store->is_closing = true;
  for (size_t i = 0; i < store->consumer_count; i++) {
    event_consumer_release_all(store->consumers[i]);
  }
  (void)pthread_cond_signal(&store->has_work);
  (void)pthread_mutex_unlock(&store->mutex);
  (void)pthread_join(store->thread, NULL);
  for (size_t i = 0; i < store->consumer_count; i++) {
    event_consumer_destroy(store->consumers[i]);
  }
  (void)pthread_cond_destroy(&store->has_work);
  (void)pthread_mutex_destroy(&store->mutex);
  free_store(store);
}
