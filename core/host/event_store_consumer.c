/* The consumers of the event store: what they want, hold and are given. */
#include "clock.h"
#include "event_store_shared.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A finish that nobody waits for is written with the next put, or alone after so long. */
#define FINISH_PATIENCE_MS 5
#define MAX_LEASES 256 /* in a transaction: bounds the bodies held in memory on their way */

void event_store_push_finish(event_store *store, event_finish *finish) {
  if (store->finishes == NULL) {
    store->finishes_due = clock_steady_ms() + FINISH_PATIENCE_MS;
  }
  finish->next = store->finishes;
  store->finishes = finish;
}

static void release(event_store *store, event_finish *finish) {
  finish->kind = EVENT_OUTCOME_RELEASED;
  event_store_push_finish(store, finish);
}

void event_consumer_release_all(event_consumer *consumer) {
  for (size_t i = 0; i < HELD_BUCKETS; i++) {
    while (consumer->held[i] != NULL) {
      event_finish *finish = consumer->held[i];
      consumer->held[i] = finish->next;
      release(consumer->store, finish);
    }
  }
}

static size_t room_of(const event_consumer *consumer) {
  return consumer->want > consumer->waiting ? consumer->want - consumer->waiting : 0;
}

size_t event_consumers_room(const event_store *store) {
  size_t room = 0;
  for (size_t i = 0; i < store->consumer_count && room < MAX_LEASES && !store->is_closing; i++) {
    size_t more = room_of(store->consumers[i]);
    room += more < MAX_LEASES ? more : MAX_LEASES;
  }
  return room < MAX_LEASES ? room : MAX_LEASES;
}

bool event_consumers_any_is_idle(const event_store *store) {
  for (size_t i = 0; i < store->consumer_count; i++) {
    const event_consumer *consumer = store->consumers[i];
    if (consumer->want > 0 && consumer->waiting == 0) {
      return true;
    }
  }
  return false;
}

void event_grants_free(event_grant *grant, bool with_finish) {
  while (grant != NULL) {
    event_grant *next = grant->next;
    if (with_finish) {
      event_finish_free(grant->finish);
    }
    free(grant);
    grant = next;
  }
}

/* The next in turn that has room, or NULL; one that waits for something to do before others. */
static event_consumer *choose_consumer(event_store *store) {
  size_t chosen = store->consumer_count;
  for (size_t i = 0; i < store->consumer_count && !store->is_closing; i++) {
    size_t index = (store->turn + i) % store->consumer_count;
    const event_consumer *consumer = store->consumers[index];
    bool is_better = chosen == store->consumer_count ||
                     (consumer->is_resting && !store->consumers[chosen]->is_resting);
    if (room_of(consumer) > 0 && is_better) {
      chosen = index;
    }
  }
  if (chosen == store->consumer_count) {
    return NULL;
  }
  store->turn = chosen + 1;
  return store->consumers[chosen];
}

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

static void put_in(event_consumer *consumer, event_grant *grant) {
  grant->next = NULL;
  *consumer->inbox_end = grant;
  consumer->inbox_end = &grant->next;
  consumer->waiting++;
}

static event_grant *take_out(event_consumer *consumer) {
  event_grant *grant = consumer->inbox;
  if (grant != NULL) {
    consumer->inbox = grant->next;
    if (consumer->inbox == NULL) {
      consumer->inbox_end = &consumer->inbox;
    }
    consumer->waiting--;
  }
  return grant;
}

/* Whether the consumer may be busy, and so come for it late. */
static bool give(event_consumer *consumer, event_grant *grant) {
  bool may_be_late = consumer->is_notified && !consumer->is_resting;
  hold(consumer, grant->finish);
  grant->finish = NULL;
  put_in(consumer, grant);
  consumer->is_notified = consumer->is_resting = false;
  return may_be_late;
}

/* A worker whose script blocks it does not come for what it was dealt; another one that has
 * nothing to do takes half of that over, and so in the end all of it. */
static void take_over(event_consumer *consumer) {
  event_store *store = consumer->store;
  event_consumer *from = NULL;
  for (size_t i = 0; i < store->consumer_count; i++) {
    if (from == NULL || store->consumers[i]->waiting > from->waiting) {
      from = store->consumers[i];
    }
  }
  for (size_t left = from != NULL ? (from->waiting + 1) / 2 : 0; left > 0 && room_of(consumer) > 0;
       left--) {
    event_grant *grant = take_out(from);
    event_finish **link = find_held(from, grant->lease.id);
    event_finish *finish = *link;
    *link = finish->next;
    hold(consumer, finish);
    put_in(consumer, grant);
  }
}

/* Its account would wait behind it for ever otherwise. */
static void give_up(event_store *store, event_finish *finish) {
  finish->kind = EVENT_OUTCOME_DEAD;
  finish->error = strdup("its body is missing from the database");
  event_store_push_finish(store, finish);
}

static void notify(event_consumer *consumer) {
  const uint64_t one = 1;
  consumer->is_notified = true;
  /* It can only fail because the counter is full, and then the consumer wakes up as well. */
  ssize_t ignored = write(consumer->notify_fd, &one, sizeof one);
  (void)ignored;
}

/* Those that were given something. And those with room, if that may lie there: they take it over
 * then. */
static void notify_all(event_store *store, bool may_lie) {
  for (size_t i = 0; i < store->consumer_count; i++) {
    event_consumer *consumer = store->consumers[i];
    if (!consumer->is_notified || (may_lie && room_of(consumer) > 0)) {
      notify(consumer);
    }
  }
}

void event_consumers_call_others(event_store *store) {
  bool may_lie = false;
  (void)pthread_mutex_lock(&store->mutex);
  for (size_t i = 0; i < store->consumer_count; i++) {
    may_lie = may_lie || store->consumers[i]->waiting > 0;
  }
  notify_all(store, may_lie);
  (void)pthread_mutex_unlock(&store->mutex);
}

/* Consumers are chosen only now, since the wants may have changed, and consumers may have gone,
 * during the commit; what nobody wants any more is released. */
void event_consumers_deliver(event_store *store, event_grant *grant) {
  bool may_be_late = false;
  (void)pthread_mutex_lock(&store->mutex);
  while (grant != NULL) {
    event_grant *next = grant->next;
    event_consumer *consumer = grant->is_lost ? NULL : choose_consumer(store);
    if (grant->is_lost) {
      give_up(store, grant->finish);
      free(grant);
    } else if (consumer != NULL) {
      may_be_late = give(consumer, grant) || may_be_late;
    } else {
      release(store, grant->finish);
      free(grant);
    }
    grant = next;
  }
  notify_all(store, may_be_late);
  (void)pthread_mutex_unlock(&store->mutex);
}

/* The log's writer waits for nobody. */
static void tell_crowd(event_store *store, bool is_crowded) {
  if (store->options.log != NULL && is_crowded != store->caps_are_crowded) {
    store->options.log(store->options.log_context, is_crowded,
                       is_crowded ? "the versions of the script that still run limit too many "
                                    "actions: all events keep to the narrowest of these limits"
                                  : "actions keep to limits of their own again");
  }
  store->caps_are_crowded = is_crowded;
}

/* Those of all consumers, since some may run a script of before meanwhile; its events keep to
 * the narrower one. False: not all have found a place. */
static bool set_caps(event_store *store) {
  event_caps *caps = event_sql_caps(store->sql);
  bool have_places = true;
  event_caps_lift(caps);
  for (size_t i = 0; i < store->consumer_count; i++) {
    const event_consumer *consumer = store->consumers[i];
    for (size_t j = 0; j < consumer->cap_count; j++) {
      have_places =
          event_caps_limit(caps, consumer->caps[j].pattern, consumer->caps[j].limit) && have_places;
    }
  }
  event_sql_tidy_caps(store->sql);
  return have_places;
}

static void count_running(event_caps *caps, event_finish *list) {
  for (event_finish *finish = list; finish != NULL; finish = finish->next) {
    event_cap_set all = finish->id > 0 ? event_caps_of(caps, finish->action) : 0;
    event_caps_take(caps, all & ~finish->caps);
    finish->caps |= all;
  }
}

/* The second time there are the places of those that are gone. What runs counts under a cap that
 * was not there when it began. */
static void read_caps(event_store *store) {
  event_caps *caps = event_sql_caps(store->sql);
  tell_crowd(store, !set_caps(store) && !set_caps(store));
  for (size_t i = 0; i < store->consumer_count; i++) {
    for (size_t j = 0; j < HELD_BUCKETS; j++) {
      count_running(caps, store->consumers[i]->held[j]);
    }
  }
}

/* Those of all consumers that have begun to work, the latest script's last. They are looked at once
 * a consumer wants something, and so has said which it has. */
static void read_timers(event_store *store) {
  event_timers *timers = event_sql_timers(store->sql);
  event_timers_begin_list(timers);
  for (size_t i = 0; i < store->consumer_count; i++) {
    const event_consumer *consumer = store->consumers[i];
    consumer_timer *timer = consumer->has_wanted ? consumer->timers : NULL;
    for (; timer != NULL; timer = timer->next) {
      event_timers_add(timers, timer->name, timer->interval, &timer->spare);
    }
  }
  event_timers_end_list(timers);
}

void event_consumers_read_lists(event_store *store) {
  if (store->has_new_lists) {
    store->has_new_lists = false;
    read_caps(store);
    read_timers(store);
  }
}

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
  (void)pthread_mutex_lock(&consumer->store->mutex);
  *consumer->timers_end = timer;
  consumer->timers_end = &timer->next;
  (void)pthread_mutex_unlock(&consumer->store->mutex);
  return true;
}

bool event_consumer_cap(event_consumer *consumer, const char *pattern, size_t limit) {
  event_store *store = consumer->store;
  char *copy = consumer->cap_count < EVENT_CONSUMER_CAPS ? strdup(pattern) : NULL;
  if (copy == NULL) {
    return false;
  }
  (void)pthread_mutex_lock(&store->mutex);
  consumer->caps[consumer->cap_count++] = (event_cap){.pattern = copy, .limit = limit};
  (void)pthread_mutex_unlock(&store->mutex);
  return true;
}

void event_consumer_destroy(event_consumer *consumer) {
  while (consumer->timers != NULL) {
    consumer_timer *timer = consumer->timers;
    consumer->timers = timer->next;
    free(timer->spare);
    free(timer);
  }
  for (size_t i = 0; i < consumer->cap_count; i++) {
    free(consumer->caps[i].pattern);
  }
  event_grants_free(consumer->inbox, false);
  free(consumer);
}

event_consumer *event_consumer_new(event_store *store, int notify_fd) {
  event_consumer *consumer = calloc(1, sizeof *consumer);
  if (consumer == NULL) {
    return NULL;
  }
  consumer->store = store;
  consumer->notify_fd = notify_fd;
  consumer->is_notified = true;
  consumer->inbox_end = &consumer->inbox;
  consumer->timers_end = &consumer->timers;
  (void)pthread_mutex_lock(&store->mutex);
  event_consumer **grown =
      realloc(store->consumers, (store->consumer_count + 1) * sizeof(event_consumer *));
  if (grown != NULL) {
    store->consumers = grown;
    store->consumers[store->consumer_count++] = consumer;
  }
  (void)pthread_mutex_unlock(&store->mutex);
  if (grown == NULL) {
    free(consumer);
    return NULL;
  }
  return consumer;
}

static void give_back(event_consumer *consumer) {
  event_grant *grant;
  while ((grant = take_out(consumer)) != NULL) {
    event_finish **link = find_held(consumer, grant->lease.id);
    event_finish *finish = *link;
    *link = finish->next;
    release(consumer->store, finish);
    free(grant);
  }
}

void event_consumer_want(event_consumer *consumer, size_t count) {
  event_store *store = consumer->store;
  (void)pthread_mutex_lock(&store->mutex);
  bool has_more_room = count > consumer->want;
  if (count > 0 && !consumer->has_wanted) {
    consumer->has_wanted = true;
    store->has_new_lists = true;
  }
  consumer->want = count;
  if (consumer->inbox == NULL && count > 0) {
    take_over(consumer);
  }
  bool gives_back = count == 0 && consumer->inbox != NULL;
  if (gives_back) {
    give_back(consumer);
  }
  if (has_more_room || gives_back) {
    (void)pthread_cond_signal(&store->has_work);
  }
  (void)pthread_mutex_unlock(&store->mutex);
}

event_lease *event_consumer_take(event_consumer *consumer) {
  event_store *store = consumer->store;
  uint32_t slot = 0;
  (void)pthread_mutex_lock(&store->mutex);
  event_grant *grant = take_out(consumer);
  consumer->is_resting = grant == NULL;
  if (grant != NULL) {
    consumer->want -= consumer->want > 0;
    slot = grant->lease.id > 0 ? event_begun_reserve(&store->begun) : 0;
    event_finish *finish = *find_held(consumer, grant->lease.id);
    finish->has_begun = true;
    finish->slot = slot;
  }
  (void)pthread_mutex_unlock(&store->mutex);
  if (grant == NULL) {
    return NULL;
  }
  event_begun_note(&store->begun, slot, grant->lease.id, grant->lease.attempt, grant->lease.replay);
  return &grant->lease;
}

void event_lease_free(event_lease *lease) {
  free(lease);
}

void event_consumer_finish(event_consumer *consumer, int64_t id, const event_outcome *outcome) {
  bool has_error = outcome->kind == EVENT_OUTCOME_RETRY || outcome->kind == EVENT_OUTCOME_DEAD;
  char *error = has_error && outcome->error != NULL ? strdup(outcome->error) : NULL;
  event_store *store = consumer->store;
  (void)pthread_mutex_lock(&store->mutex);
  event_finish **link = find_held(consumer, id);
  event_finish *finish = *link;
  if (finish != NULL) {
    *link = finish->next;
    finish->kind = outcome->kind;
    finish->retry_at = outcome->retry_at;
    finish->error = error;
    error = NULL;
    bool is_first = store->finishes == NULL;
    event_store_push_finish(store, finish);
    if (is_first || event_consumers_any_is_idle(store)) {
      (void)pthread_cond_signal(&store->has_work);
    }
  }
  (void)pthread_mutex_unlock(&store->mutex);
  free(error);
}

void event_consumer_free(event_consumer *consumer) {
  if (consumer == NULL) {
    return;
  }
  event_store *store = consumer->store;
  (void)pthread_mutex_lock(&store->mutex);
  event_consumer_release_all(consumer);
  size_t index = 0;
  while (store->consumers[index] != consumer) {
    index++;
  }
  store->consumer_count--;
  store->has_new_lists =
      store->has_new_lists || consumer->cap_count > 0 || consumer->timers != NULL;
  for (; index < store->consumer_count; index++) {
    store->consumers[index] = store->consumers[index + 1];
  }
  (void)pthread_cond_signal(&store->has_work);
  (void)pthread_mutex_unlock(&store->mutex);
  event_consumer_destroy(consumer);
}
