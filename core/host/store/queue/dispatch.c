/* Hands leased events to workers and takes back finished ones: the side of the event store's
 * loop. */
#include "internal.h"

#include "clock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Between two announcements. */
#define ANNOUNCE_MS 1000

/* What is posted while the loop does not wait is seen before it does. */
bool event_dispatch_post(event_dispatch *dispatch) {
  bool is_waiting = dispatch->is_waiting;
  dispatch->has_posts = true;
  dispatch->is_waiting = false;
  return is_waiting;
}

void event_dispatch_wake(event_dispatch *dispatch) {
  const uint64_t one = 1;
  ssize_t ignored = write(dispatch->wake_fd, &one, sizeof one);
  (void)ignored; /* full: it is readable already */
}

void event_consumer_destroy(event_consumer *consumer) {
  while (consumer->timers != NULL) {
    consumer_timer *timer = consumer->timers;
    consumer->timers = timer->next;
    free(timer->spare);
    free(timer);
  }
  for (size_t i = 0; i < consumer->limit_count; i++) {
    free(consumer->limits[i].pattern);
  }
  free(consumer);
}

static void add_finishes(event_finish **list, event_finish *finishes) {
  while (finishes != NULL) {
    event_finish *finish = finishes;
    finishes = finish->next;
    finish->next = *list;
    *list = finish;
  }
}

static void release(event_grant *grant, event_finish **finishes) {
  while (grant != NULL) {
    event_grant *next = grant->next;
    grant->finish->kind = EVENT_OUTCOME_RELEASED;
    grant->finish->next = NULL;
    add_finishes(finishes, grant->finish);
    free(grant);
    grant = next;
  }
}

/* The leases beyond what consumers can take. */
static void release_surplus(event_dispatch *dispatch, event_finish **finishes) {
  if (dispatch->ready_count <= dispatch->prefetch) {
    return;
  }
  event_grant **end = &dispatch->ready;
  for (size_t i = 0; i < dispatch->prefetch; i++) {
    end = &(*end)->next;
  }
  event_grant *surplus = *end;
  *end = NULL;
  dispatch->ready_end = end;
  dispatch->ready_count = dispatch->prefetch;
  release(surplus, finishes);
}

/* ---- What consumers are registered for ---- */

static void log_limits(event_store *store, bool are_exhausted) {
  if (store->options.log != NULL && are_exhausted != store->trouble.are_limits_exhausted) {
    store->options.log(store->options.log_context, are_exhausted,
                       are_exhausted ? "the versions of the script that still run limit too many "
                                       "actions: all events keep to the narrowest of these limits"
                                     : "actions keep to limits of their own again");
  }
  store->trouble.are_limits_exhausted = are_exhausted;
}

/* Those of all consumers, since some may run a script of before meanwhile; its events keep to
 * the narrower one. False: not all have found a place. */
static bool set_limits(event_store *store) {
  concurrency_limits *limits = store->backend->class->limits(store->backend);
  bool have_places = true;
  concurrency_remove_limit(limits);
  for (size_t i = 0; i < store->dispatch.consumer_count; i++) {
    const event_consumer *consumer = store->dispatch.consumers[i];
    for (size_t j = 0; j < consumer->limit_count; j++) {
      have_places =
          concurrency_add_limit(limits, consumer->limits[j].pattern, consumer->limits[j].limit) &&
          have_places;
    }
  }
  store->backend->class->drop_unused_limits(store->backend);
  return have_places;
}

static void count_running(concurrency_limits *limits, event_finish *finish) {
  concurrency_limit_set all = finish->id > 0 ? concurrency_of(limits, finish->action) : 0;
  concurrency_take(limits, all & ~finish->limits);
  finish->limits |= all;
}

static void count_all_running(event_store *store) {
  concurrency_limits *limits = store->backend->class->limits(store->backend);
  for (size_t i = 0; i < store->dispatch.consumer_count; i++) {
    for (size_t j = 0; j < HELD_BUCKETS; j++) {
      event_finish *finish = store->dispatch.consumers[i]->held[j];
      for (; finish != NULL; finish = finish->next) {
        count_running(limits, finish);
      }
    }
  }
  for (event_grant *grant = store->dispatch.ready; grant != NULL; grant = grant->next) {
    count_running(limits, grant->finish);
  }
}

/* The second try has the places that the first one has freed. A running event also counts under
 * a limit that was added after it started. */
static void read_limits(event_store *store) {
  log_limits(store, !set_limits(store) && !set_limits(store));
  count_all_running(store);
}

/* Those of all consumers that have started to work, the latest script's last. They are read at a
 * consumer's first prefetch, after it has added its own. */
static void read_timers(event_store *store) {
  event_timers *timers = store->backend->class->timers(store->backend);
  event_timers_begin_list(timers);
  for (size_t i = 0; i < store->dispatch.consumer_count; i++) {
    const event_consumer *consumer = store->dispatch.consumers[i];
    consumer_timer *timer = consumer->has_prefetched ? consumer->timers : NULL;
    for (; timer != NULL; timer = timer->next) {
      event_timers_add(timers, timer->name, timer->interval, &timer->spare);
    }
  }
  event_timers_end_list(timers);
}

/* ---- To the loop ---- */

dispatch_view event_dispatch_collect(event_store *store) {
  event_dispatch *dispatch = &store->dispatch;
  event_finish *finishes = NULL;
  (void)pthread_mutex_lock(&dispatch->mutex);
  dispatch->has_posts = false;
  if (dispatch->has_new_lists) {
    dispatch->has_new_lists = false;
    read_limits(store);
    read_timers(store);
    store->next_due = 0;
  }
  release_surplus(dispatch, &finishes);
  add_finishes(&finishes, dispatch->finishes);
  dispatch->finishes = NULL;
  dispatch_view view = {
      .finishes = finishes,
      .prefetch = dispatch->prefetch - dispatch->ready_count,
      .is_idle = dispatch->prefetch > 0 && dispatch->ready_count == 0,
  };
  (void)pthread_mutex_unlock(&dispatch->mutex);
  return view;
}

void event_dispatch_release_all(event_store *store) {
  event_dispatch *dispatch = &store->dispatch;
  event_finish *finishes = NULL;
  (void)pthread_mutex_lock(&dispatch->mutex);
  for (size_t i = 0; i < dispatch->consumer_count; i++) {
    event_consumer *consumer = dispatch->consumers[i];
    for (size_t j = 0; j < HELD_BUCKETS; j++) {
      for (event_finish *finish = consumer->held[j]; finish != NULL; finish = finish->next) {
        finish->kind = EVENT_OUTCOME_RELEASED;
      }
      add_finishes(&finishes, consumer->held[j]);
      consumer->held[j] = NULL;
    }
    consumer->prefetch = 0;
  }
  dispatch->prefetch = 0;
  add_finishes(&dispatch->finishes, finishes);
  (void)pthread_mutex_unlock(&dispatch->mutex);
}

/* ---- To the workers ---- */

void event_dispatch_publish(event_store *store, bool is_any_leasable, bool has_waiting) {
  event_dispatch *dispatch = &store->dispatch;
  (void)pthread_mutex_lock(&dispatch->mutex);
  dispatch->is_any_leasable = is_any_leasable;
  dispatch->has_waiting = has_waiting;
  dispatch->has_finishes = store->finishes != NULL;
  /* What has been finished since the loop looked may have counted on what it knew before. */
  dispatch->has_posts = dispatch->has_posts || dispatch->finishes != NULL;
  (void)pthread_mutex_unlock(&dispatch->mutex);
}

static void notify(event_consumer *consumer) {
  const uint64_t one = 1;
  consumer->is_resting = false;
  /* It can only fail because the counter is full, and then the consumer wakes up as well. */
  ssize_t ignored = write(consumer->notify_fd, &one, sizeof one);
  (void)ignored;
}

/* As many of those that rest as there are events, in turn: others come by themselves. */
static void notify_resting(event_dispatch *dispatch) {
  size_t left = dispatch->ready_count;
  for (size_t i = 0; i < dispatch->consumer_count && left > 0; i++) {
    size_t index = (dispatch->turn + i) % dispatch->consumer_count;
    event_consumer *consumer = dispatch->consumers[index];
    if (consumer->is_resting && consumer->prefetch > 0) {
      notify(consumer);
      dispatch->turn = index + 1;
      left--;
    }
  }
}

void event_dispatch_notify_others(event_dispatch *dispatch) {
  (void)pthread_mutex_lock(&dispatch->mutex);
  for (size_t i = 0; i < dispatch->consumer_count && dispatch->ready_count > 0; i++) {
    if (dispatch->consumers[i]->prefetch > 0) {
      notify(dispatch->consumers[i]);
    }
  }
  (void)pthread_mutex_unlock(&dispatch->mutex);
}

/* Otherwise its account would wait for it forever. */
static void end_without_body(event_finish *finish, event_finish **finishes) {
  finish->kind = EVENT_OUTCOME_DEAD;
  finish->error = strdup("its body is missing from the database");
  finish->next = NULL;
  add_finishes(finishes, finish);
}

event_finish *event_dispatch_deliver(event_store *store, event_grant *grant) {
  event_dispatch *dispatch = &store->dispatch;
  event_finish *finishes = NULL;
  (void)pthread_mutex_lock(&dispatch->mutex);
  while (grant != NULL) {
    event_grant *next = grant->next;
    grant->next = NULL;
    dispatch->leased += grant->lease.id > 0;
    if (grant->is_lost) {
      end_without_body(grant->finish, &finishes);
      free(grant);
    } else {
      *dispatch->ready_end = grant;
      dispatch->ready_end = &grant->next;
      dispatch->ready_count++;
    }
    grant = next;
  }
  notify_resting(dispatch);
  (void)pthread_mutex_unlock(&dispatch->mutex);
  return finishes;
}

void event_store_announce(event_store *store) {
  event_dispatch *dispatch = &store->dispatch;
  int64_t now = clock_steady_ms();
  if (store->timing.announced_at > 0 && now - store->timing.announced_at < ANNOUNCE_MS) {
    return;
  }
  store->timing.announced_at = now;
  (void)pthread_mutex_lock(&dispatch->mutex);
  for (size_t i = 0; i < dispatch->consumer_count; i++) {
    atomic_store_explicit(&dispatch->consumers[i]->is_announced, true, memory_order_relaxed);
    notify(dispatch->consumers[i]);
  }
  (void)pthread_mutex_unlock(&dispatch->mutex);
}
