/* Lets workers, on their threads, prefetch, take and finish events of the store. */
#include "internal.h"

#include "clock.h"

#include <stdlib.h>
#include <string.h>

static void unlock(event_dispatch *dispatch, bool wakes) {
  (void)pthread_mutex_unlock(&dispatch->mutex);
  if (wakes) {
    event_dispatch_wake(dispatch);
  }
}

/* ---- What they hold ---- */

static event_finish **find_held(event_consumer *consumer, int64_t id) {
  event_finish **link = &consumer->held[(size_t)id % HELD_BUCKETS];
  while (*link != NULL && (*link)->id != id) {
    link = &(*link)->next;
  }
  return link;
}

static void hold(event_consumer *consumer, event_finish *finish) {
  event_finish **bucket = &consumer->held[(size_t)finish->id % HELD_BUCKETS];
  finish->next = *bucket;
  *bucket = finish;
}

/* ---- What their scripts are registered for ---- */

bool event_consumer_every(event_consumer *consumer, const char *name, int64_t interval) {
  size_t size = strlen(name) + 1;
  consumer_timer *timer = malloc(sizeof *timer + size);
  event_timer *spare = event_timer_new(name, interval);
  if (timer == NULL || spare == NULL) {
    free(timer);
    free(spare);
    return false;
  }
  *timer = (consumer_timer){.interval = interval, .spare = spare};
  memcpy(timer->name, name, size);
  (void)pthread_mutex_lock(&consumer->dispatch->mutex);
  *consumer->timers_end = timer;
  consumer->timers_end = &timer->next;
  (void)pthread_mutex_unlock(&consumer->dispatch->mutex);
  return true;
}

bool event_consumer_limit(event_consumer *consumer, const char *pattern, size_t limit) {
  event_dispatch *dispatch = consumer->dispatch;
  char *copy = consumer->limit_count < EVENT_CONSUMER_LIMITS_MAX ? strdup(pattern) : NULL;
  if (copy == NULL) {
    return false;
  }
  (void)pthread_mutex_lock(&dispatch->mutex);
  consumer->limits[consumer->limit_count++] = (concurrency_limit){.pattern = copy, .limit = limit};
  (void)pthread_mutex_unlock(&dispatch->mutex);
  return true;
}

/* ---- Taking and finishing ---- */

/* Wakes the loop if there is something to be leased now, to be released, or to be looked at. */
void event_consumer_prefetch(event_consumer *consumer, size_t count) {
  event_dispatch *dispatch = consumer->dispatch;
  (void)pthread_mutex_lock(&dispatch->mutex);
  bool had_room = dispatch->prefetch > dispatch->ready_count;
  if (count > 0 && !consumer->has_prefetched) {
    consumer->has_prefetched = true;
    dispatch->has_new_lists = true;
  }
  dispatch->prefetch += count - consumer->prefetch;
  consumer->prefetch = count;
  bool has_room = dispatch->prefetch > dispatch->ready_count;
  bool is_surplus = dispatch->prefetch < dispatch->ready_count;
  bool needs_loop = is_surplus || dispatch->has_new_lists ||
                    (has_room && (dispatch->is_any_leasable || !had_room));
  bool wakes = needs_loop && event_dispatch_post(dispatch);
  unlock(dispatch, wakes);
}

static event_grant *pop_ready(event_dispatch *dispatch) {
  event_grant *grant = dispatch->ready;
  if (grant != NULL) {
    dispatch->ready = grant->next;
    dispatch->ready_count--;
    if (dispatch->ready == NULL) {
      dispatch->ready_end = &dispatch->ready;
    }
  }
  return grant;
}

event_lease *event_consumer_take(event_consumer *consumer) {
  event_dispatch *dispatch = consumer->dispatch;
  uint32_t slot = 0;
  int64_t started_at = clock_unix_ms(), began = clock_steady_ms();
  (void)pthread_mutex_lock(&dispatch->mutex);
  event_grant *grant = consumer->prefetch > 0 ? pop_ready(dispatch) : NULL;
  consumer->is_resting = grant == NULL;
  if (grant != NULL) {
    consumer->prefetch--;
    dispatch->prefetch--;
    slot = grant->lease.id > 0 ? started_events_reserve(&dispatch->started) : 0;
    grant->finish->has_started = true;
    grant->finish->slot = slot;
    grant->finish->started_at = started_at;
    grant->finish->began = began;
    hold(consumer, grant->finish);
    grant->finish = NULL;
  }
  (void)pthread_mutex_unlock(&dispatch->mutex);
  if (grant == NULL) {
    return NULL;
  }
  started_events_record(&dispatch->started, slot, grant->lease.id, grant->lease.attempt,
                        grant->lease.replay, started_at);
  return &grant->lease;
}

void event_lease_free(event_lease *lease) {
  free(lease);
}

bool event_consumer_take_announcement(event_consumer *consumer) {
  return atomic_load_explicit(&consumer->is_announced, memory_order_relaxed) &&
         atomic_exchange_explicit(&consumer->is_announced, false, memory_order_relaxed);
}

/* A finish waits for others, or the next put, unless an event may run after it. */
static bool post_finish(event_dispatch *dispatch, event_finish *finish) {
  bool is_first = dispatch->finishes == NULL && !dispatch->has_finishes;
  bool is_any_idle = dispatch->prefetch > 0 && dispatch->ready_count == 0;
  finish->next = dispatch->finishes;
  dispatch->finishes = finish;
  bool needs_loop = is_first || (dispatch->has_waiting && is_any_idle);
  return needs_loop && event_dispatch_post(dispatch);
}

/* What is not stored with an outcome of its kind is left in it. */
static void fill_finish(event_finish *finish, event_outcome *outcome) {
  bool is_done = outcome->kind == EVENT_OUTCOME_DONE, is_dead = outcome->kind == EVENT_OUTCOME_DEAD;
  finish->kind = outcome->kind;
  finish->retry_at = outcome->retry_at;
  finish->lines_left_out = outcome->lines_left_out;
  if (is_done) {
    finish->decision = outcome->decision;
    outcome->decision = NULL;
  }
  if (is_done || is_dead) {
    finish->recording = outcome->recording;
    outcome->recording = NULL;
  }
  if (is_dead) {
    finish->notice = outcome->notice;
    finish->notice_size = outcome->notice_size;
    outcome->notice = NULL;
  }
}

void event_consumer_finish(event_consumer *consumer, int64_t id, const event_outcome *given) {
  event_outcome outcome = *given;
  bool has_error = outcome.kind == EVENT_OUTCOME_RETRY || outcome.kind == EVENT_OUTCOME_DEAD;
  char *error = has_error && outcome.error != NULL ? strdup(outcome.error) : NULL;
  char *lines = outcome.lines != NULL ? strdup(outcome.lines) : NULL;
  int64_t now = clock_steady_ms();
  event_dispatch *dispatch = consumer->dispatch;
  (void)pthread_mutex_lock(&dispatch->mutex);
  event_finish **link = find_held(consumer, id);
  event_finish *finish = *link;
  bool wakes = false;
  if (finish != NULL) {
    *link = finish->next;
    fill_finish(finish, &outcome);
    finish->error = error;
    finish->lines = lines;
    finish->duration = now - finish->began;
    error = lines = NULL;
    wakes = post_finish(dispatch, finish);
  }
  unlock(dispatch, wakes);
  free(error);
  free(lines);
  event_decision_free(outcome.decision);
  event_recording_free(outcome.recording);
  free(outcome.notice);
}

/* ---- Their beginning and end ---- */

event_consumer *event_consumer_new(event_store *store, int notify_fd) {
  event_dispatch *dispatch = &store->dispatch;
  event_consumer *consumer = calloc(1, sizeof *consumer);
  if (consumer == NULL) {
    return NULL;
  }
  consumer->dispatch = dispatch;
  consumer->notify_fd = notify_fd;
  consumer->is_resting = true;
  consumer->timers_end = &consumer->timers;
  (void)pthread_mutex_lock(&dispatch->mutex);
  event_consumer **grown =
      realloc(dispatch->consumers, (dispatch->consumer_count + 1) * sizeof(event_consumer *));
  if (grown != NULL) {
    dispatch->consumers = grown;
    dispatch->consumers[dispatch->consumer_count++] = consumer;
  }
  (void)pthread_mutex_unlock(&dispatch->mutex);
  if (grown == NULL) {
    free(consumer);
    return NULL;
  }
  return consumer;
}

static void release_held(event_consumer *consumer) {
  for (size_t i = 0; i < HELD_BUCKETS; i++) {
    while (consumer->held[i] != NULL) {
      event_finish *finish = consumer->held[i];
      consumer->held[i] = finish->next;
      finish->kind = EVENT_OUTCOME_RELEASED;
      finish->next = consumer->dispatch->finishes;
      consumer->dispatch->finishes = finish;
    }
  }
}

static void take_out(event_dispatch *dispatch, const event_consumer *consumer) {
  size_t index = 0;
  while (dispatch->consumers[index] != consumer) {
    index++;
  }
  dispatch->consumer_count--;
  for (; index < dispatch->consumer_count; index++) {
    dispatch->consumers[index] = dispatch->consumers[index + 1];
  }
}

void event_consumer_free(event_consumer *consumer) {
  if (consumer == NULL) {
    return;
  }
  event_dispatch *dispatch = consumer->dispatch;
  (void)pthread_mutex_lock(&dispatch->mutex);
  release_held(consumer);
  take_out(dispatch, consumer);
  dispatch->prefetch -= consumer->prefetch;
  dispatch->has_new_lists =
      dispatch->has_new_lists || consumer->limit_count > 0 || consumer->timers != NULL;
  unlock(dispatch, event_dispatch_post(dispatch));
  event_consumer_destroy(consumer);
}
