/* The thread of the event store, and the requests that wait for it. */
#include "clock.h"
#include "event_store_shared.h"
#include "prompt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_PUTS 1024 /* in a transaction: bounds how long the first of them waits */
/* So many events within so long are a flood, which is taken to last for as long again: receiving
 * comes first then, because what is stored can be handled later. */
#define FLOOD 16
#define FLOOD_MS 20
#define FLOOD_TURN_MS 50 /* so often there are leases nevertheless */
#define MAX_GATHER_NS 1000000
#define MIN_REST_MS 100
#define MAX_REST_MS 1000
#define CLOSE_TRIES 3
#define NOTICE_MS 250 /* how long what another process has written may go unnoticed */

/* What one transaction carries out. */
typedef struct {
  put_request *puts;
  event_finish *finishes;
  size_t room; /* how many events the consumers can take */
  int64_t now;
  event_grant *grants;
  bool may_lease;
  int64_t next_due;
  int64_t data_version;
  int64_t unfinished; /* in the database before this, if it had to be counted again; else -1 */
} store_batch;

static void report(const event_store *store, bool is_error, const char *what, const char *reason) {
  if (store->options.log != NULL) {
    char line[512];
    (void)snprintf(line, sizeof line, "%s %s%s%s", what, store->path, *reason ? ": " : "", reason);
    store->options.log(store->options.log_context, is_error, line);
  }
}

/* ---- The thread: one batch after the other ---- */

static int64_t now_ns(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* False once that moment has come. */
static bool wait_until(event_store *store, int64_t moment_ns) {
  struct timespec until = {.tv_sec = (time_t)(moment_ns / 1000000000),
                           .tv_nsec = (long)(moment_ns % 1000000000)};
  return pthread_cond_timedwait(&store->has_work, &store->mutex, &until) != ETIMEDOUT;
}

static void wait_for_work(event_store *store, int64_t milliseconds) {
  (void)wait_until(store, now_ns() + milliseconds * 1000000);
}

static bool is_flood(const event_store *store, int64_t now) {
  return now < store->flood_until;
}

/* How many events may be leased now. */
static size_t room_now(const event_store *store) {
  int64_t now = clock_steady_ms();
  bool is_put_off = is_flood(store, now) && now < store->lease_after;
  return is_put_off ? 0 : event_consumers_room(store);
}

static void take_batch(event_store *store, store_batch *batch, size_t room) {
  /* Whether a sick database has healed is found out by what has to be written anyway. */
  bool has_to_write = store->puts.first != NULL || store->finishes != NULL;
  batch->room = store->in_trouble && has_to_write ? 0 : room;
  batch->now = clock_unix_ms();
  batch->may_lease = store->may_lease;
  batch->finishes = store->finishes;
  store->finishes = NULL;
  batch->puts = store->puts.first;
  put_request **end = &batch->puts;
  for (int count = 0; count < MAX_PUTS && *end != NULL; count++) {
    end = &(*end)->next;
  }
  store->puts.first = *end;
  *end = NULL;
  if (store->puts.first == NULL) {
    store->puts.end = &store->puts.first;
  }
  if (room > 0) {
    store->lease_after = clock_steady_ms() + FLOOD_TURN_MS;
  }
  store->is_busy = true;
}

/* Senders that were answered together come again one after the other. The first of them alone would
 * have a commit, and all others would wait for that and then for their own; so a quarter of
 * those that are to be expected are waited for, for no longer than a commit takes. The others may
 * come while those are written, and more than that keeps the disk idle. */
static void gather(event_store *store) {
  int64_t wanted = store->expected / 4;
  int64_t patience = store->commit_ns < MAX_GATHER_NS ? store->commit_ns : MAX_GATHER_NS;
  int64_t moment = now_ns() + patience;
  store->gathering = wanted;
  while (store->queued < wanted && !store->is_closing && wait_until(store, moment)) {
  }
  store->gathering = 0;
}

typedef enum {
  WORK,
  NO_WORK, /* for a while */
  NO_WORK_LEFT
} work_kind;

/* A finish costs a sync, like any commit. It is written together with the next put, or with other
 * finishes, if no event waits for it or all consumers have others to begin meanwhile. */
static int64_t finishes_rest(const event_store *store) {
  if (store->finishes == NULL) {
    return INT64_MAX;
  }
  int64_t now = clock_steady_ms();
  bool is_waited_for =
      store->has_waiting && !is_flood(store, now) && event_consumers_any_is_idle(store);
  bool is_urgent = store->is_closing || is_waited_for;
  return is_urgent || store->finishes_due < now ? 0 : store->finishes_due - now;
}

/* Waits, with the mutex held, until there is something to carry out, but not for ever, and makes
 * the store busy. After trouble only puts are tried at once, because somebody waits for their
 * answer. */
static work_kind next_batch(event_store *store, store_batch *batch) {
  bool has_waited = false;
  for (;;) {
    while (store->is_busy) {
      store->is_awaited = true;
      wait_for_work(store, NOTICE_MS);
    }
    store->is_awaited = false;
    if (store->puts.first != NULL) {
      gather(store);
    }
    size_t room = room_now(store);
    int64_t now = clock_unix_ms();
    bool has_due = store->may_lease || store->has_new_lists || store->next_due <= now;
    int64_t patience = finishes_rest(store);
    bool has_work = patience == 0 || store->has_news || (room > 0 && has_due);
    int64_t rest = 0;
    if (has_work && store->rest_until > 0) {
      rest = store->rest_until - clock_steady_ms();
    }
    if (store->puts.first != NULL || (has_work && rest <= 0)) {
      event_consumers_read_lists(store);
      take_batch(store, batch, room);
      return WORK;
    }
    if (!has_work && store->is_closing) {
      return NO_WORK_LEFT;
    }
    if (has_waited && store->finishes == NULL) {
      store->is_busy = true;
      return NO_WORK;
    }
    int64_t wait = has_work ? rest : event_upkeep_due(&store->upkeep, true);
    wait = wait < NOTICE_MS ? wait : NOTICE_MS;
    wait = !has_work && patience < wait ? patience : wait;
    wait = is_flood(store, clock_steady_ms()) && wait > FLOOD_MS ? FLOOD_MS : wait;
    if (room > 0 && store->next_due - now < wait && !has_work) {
      wait = store->next_due - now;
    }
    wait_for_work(store, wait);
    has_waited = true;
  }
}

/* Another process may have replayed or deleted events. */
static bool look_for_news(event_store *store, store_batch *batch) {
  batch->unfinished = -1;
  if (!event_sql_data_version(store->sql, &batch->data_version)) {
    return false;
  }
  if (batch->data_version == store->data_version) {
    return true;
  }
  event_sql_forget_order(store->sql);
  return event_sql_count_unfinished(store->sql, &batch->unfinished);
}

/* A redelivery is given the id of the first; what is in this transaction counts as well. */
static bool put(event_store *store, put_request *put) {
  const event_seen *seen = NULL;
  bool ok = true, is_same = false;
  do {
    seen = store->redelivery == NULL ? NULL
                                     : event_redelivery_find(store->redelivery, put->fingerprint,
                                                             put->record.received_at, seen);
    ok = seen == NULL || event_sql_has_body(store->sql, seen->id, &put->record, &is_same);
  } while (ok && seen != NULL && !is_same);
  if (!ok) {
    return false;
  }
  if (is_same) {
    put->receipt = (event_receipt){.id = seen->id, .is_redelivery = true};
    return true;
  }
  put->receipt.is_redelivery = false;
  ok = event_sql_put(store->sql, &put->record, &put->receipt.id);
  if (ok && put->receipt.id > 0 && store->redelivery != NULL) {
    event_redelivery_add(store->redelivery, put->fingerprint, put->receipt.id,
                         put->record.received_at);
  }
  return ok;
}

static bool lease(event_store *store, store_batch *batch) {
  if (batch->room > 0) {
    if (!event_sql_lease(store->sql, batch->now, batch->room, store->retries_first, &batch->grants,
                         &batch->may_lease)) {
      return false;
    }
    store->retries_first = !store->retries_first;
  } else if (batch->puts != NULL || batch->finishes != NULL || batch->unfinished >= 0) {
    batch->may_lease = true;
  }
  return event_sql_next_due(store->sql, &batch->next_due);
}

static bool commit(event_store *store) {
  int64_t began = now_ns();
  bool ok = event_sql_commit(store->sql);
  store->commit_ns += (now_ns() - began - store->commit_ns) / 8;
  return ok;
}

static bool carry_out(event_store *store, store_batch *batch, bool has_begun) {
  if (store->in_trouble) { /* what was read meanwhile may be the damage */
    (void)sqlite3_db_release_memory(event_sql_connection(store->sql));
  }
  bool ok = (has_begun || event_sql_begin(store->sql)) && look_for_news(store, batch);
  for (put_request *request = batch->puts; ok && request != NULL; request = request->next) {
    ok = put(store, request);
  }
  for (event_finish *finish = batch->finishes; ok && finish != NULL; finish = finish->next) {
    ok = event_sql_finish(store->sql, finish, batch->now);
  }
  ok = ok && lease(store, batch) && commit(store);
  if (!ok) {
    event_sql_rollback(store->sql);
  }
  if (store->redelivery != NULL) {
    (ok ? event_redelivery_commit : event_redelivery_rollback)(store->redelivery);
    event_redelivery_expire(store->redelivery, batch->now);
  }
  return ok;
}

static void count_finish(event_counts *counts, const event_finish *finish) {
  bool is_done = finish->kind == EVENT_OUTCOME_DONE;
  bool is_dead = finish->kind == EVENT_OUTCOME_DEAD;
  counts->done += is_done;
  counts->dead += is_dead;
  counts->unfinished -= is_done || is_dead;
  counts->failed_attempts += is_dead || finish->kind == EVENT_OUTCOME_RETRY;
}

static void count_put(event_store *store, const put_request *put) {
  bool is_redelivery = put->receipt.is_redelivery;
  store->queued--;
  store->counts.unfinished += put->receipt.id > 0 && !is_redelivery;
  store->counts.redelivered += is_redelivery;
}

static bool has_written(const store_batch *batch) {
  bool has_put = false;
  for (const put_request *put = batch->puts; put != NULL && !has_put; put = put->next) {
    has_put = put->receipt.id > 0 && !put->receipt.is_redelivery;
  }
  return has_put || batch->finishes != NULL || batch->grants != NULL;
}

static void watch_for_flood(event_store *store, int puts) {
  int64_t now = clock_steady_ms();
  if (now >= store->span_end) {
    store->span_end = now + FLOOD_MS;
    store->span_puts = 0;
  }
  store->span_puts += puts;
  if (store->span_puts >= FLOOD) {
    store->flood_until = now + FLOOD_MS;
  }
}

/* After a commit. One that had nothing to write does not show that writing works again. */
static void settle(event_store *store, store_batch *batch) {
  if (store->in_trouble && has_written(batch)) {
    store->in_trouble = false;
    report(store, false, "writing again to", "");
  }
  store->rest_ms = 0;
  store->data_version = batch->data_version;
  for (const event_finish *finish = batch->finishes; finish != NULL; finish = finish->next) {
    if (finish->kind == EVENT_OUTCOME_RELEASED) { /* its next lease has the same attempt */
      event_begun_erase(&store->begun, finish->slot);
    }
  }
  (void)pthread_mutex_lock(&store->mutex);
  store->rest_until = 0;
  store->has_news = false;
  store->may_lease = batch->may_lease;
  store->next_due = batch->next_due;
  store->has_waiting = event_sql_has_waiting(store->sql);
  if (batch->unfinished >= 0) {
    store->counts.unfinished = batch->unfinished;
  }
  for (const event_finish *finish = batch->finishes; finish != NULL; finish = finish->next) {
    count_finish(&store->counts, finish);
    event_begun_free_slot(&store->begun, finish->slot);
  }
  if (batch->puts != NULL) {
    store->expected = store->queued;
  }
  int puts = 0;
  for (const put_request *put = batch->puts; put != NULL; put = put->next) {
    count_put(store, put);
    puts++;
  }
  watch_for_flood(store, puts);
  (void)pthread_mutex_unlock(&store->mutex);
}

static void free_finishes(event_finish *finish) {
  while (finish != NULL) {
    event_finish *next = finish->next;
    event_finish_free(finish);
    finish = next;
  }
}

/* After a rollback: puts are answered that they failed, leases were never given, and finishes are
 * kept for the next try. A finish that is given up at close is one whose event runs again. */
static void settle_failure(event_store *store, store_batch *batch) {
  const char *reason = event_sql_reason(store->sql);
  if (!store->in_trouble) {
    store->in_trouble = true;
    report(store, true, "cannot write to", reason);
  }
  store->rest_ms = store->rest_ms == 0 ? MIN_REST_MS : store->rest_ms * 2;
  store->rest_ms = store->rest_ms < MAX_REST_MS ? store->rest_ms : MAX_REST_MS;
  event_grants_free(batch->grants, true);
  batch->grants = NULL;
  (void)pthread_mutex_lock(&store->mutex);
  bool gives_up =
      store->is_closing && batch->finishes != NULL && ++store->tries_at_close >= CLOSE_TRIES;
  while (batch->finishes != NULL && !gives_up) {
    event_finish *finish = batch->finishes;
    batch->finishes = finish->next;
    event_store_push_finish(store, finish);
  }
  for (put_request *put = batch->puts; put != NULL; put = put->next) {
    put->receipt = (event_receipt){.id = 0};
    store->queued--;
  }
  store->rest_until = clock_steady_ms() + store->rest_ms;
  (void)pthread_mutex_unlock(&store->mutex);
  if (gives_up) {
    report(store, true, "events will run again, as their end could not be written to", reason);
  }
}

static void answer_puts(put_request *put, const char *reason) {
  while (put != NULL) {
    put_request *next = put->next;
    put->receipt.reason = put->receipt.id > 0 ? NULL : reason;
    put->done(put->context, &put->receipt);
    free(put);
    put = next;
  }
}

static void keep_up(event_store *store, bool is_idle) {
  if (event_upkeep_due(&store->upkeep, is_idle) > 0) {
    return;
  }
  bool ok = event_upkeep_step(&store->upkeep, event_sql_connection(store->sql), is_idle);
  if (!ok && !store->upkeep_failed && !store->in_trouble) {
    report(store, true, "cannot delete old events from",
           sqlite3_errmsg(event_sql_connection(store->sql)));
  }
  if (!ok) {
    event_sql_rollback(store->sql);
  }
  store->upkeep_failed = !ok;
}

static void use_idle_moment(event_store *store) {
  int64_t version;
  if (event_sql_data_version(store->sql, &version) && version != store->data_version) {
    (void)pthread_mutex_lock(&store->mutex);
    store->has_news = true;
    (void)pthread_mutex_unlock(&store->mutex);
  }
  event_consumers_call_others(store);
  if (store->redelivery != NULL) {
    event_redelivery_expire(store->redelivery, clock_unix_ms());
  }
  keep_up(store, true);
}

static void run_batch(event_store *store, store_batch *batch, bool has_begun) {
  const char *reason = "the record is too big";
  if (carry_out(store, batch, has_begun)) {
    settle(store, batch);
  } else {
    settle_failure(store, batch);
    reason = event_sql_reason(store->sql);
  }
  answer_puts(batch->puts, reason);
  if (batch->grants != NULL) {
    event_consumers_deliver(store, batch->grants);
  }
  free_finishes(batch->finishes);
}

void *event_store_serve(void *context) {
  event_store *store = context;
  prompt_thread();
  (void)pthread_mutex_lock(&store->mutex);
  for (;;) {
    store_batch batch = {.next_due = INT64_MAX};
    work_kind kind = next_batch(store, &batch);
    (void)pthread_mutex_unlock(&store->mutex);
    if (kind == NO_WORK_LEFT) {
      return NULL;
    }
    if (kind == NO_WORK) {
      use_idle_moment(store);
    } else {
      run_batch(store, &batch, false);
      keep_up(store, false);
    }
    (void)pthread_mutex_lock(&store->mutex);
    store->is_busy = false;
  }
}

/* Whether the thread, which may have slept meanwhile, has something to do or to wait for. */
static bool has_more(const event_store *store, int64_t due_before, bool was_flood) {
  return store->puts.first != NULL || store->finishes != NULL || store->is_closing ||
         store->next_due < due_before || (!was_flood && is_flood(store, clock_steady_ms())) ||
         ((store->may_lease || store->has_new_lists) && room_now(store) > 0);
}

/* The caller's thread has other things to do than to wait for another process, or for a database
 * that is in trouble. */
void event_store_push(event_store *store) {
  (void)pthread_mutex_lock(&store->mutex);
  int64_t due_before = store->next_due;
  bool was_flood = is_flood(store, clock_steady_ms());
  if (store->puts.first == NULL) {
    (void)pthread_mutex_unlock(&store->mutex);
    return;
  }
  if (store->queued == 1 && store->expected <= 1 && !store->is_busy && store->rest_until == 0) {
    store->is_busy = true;
    event_consumers_read_lists(store);
    (void)pthread_mutex_unlock(&store->mutex);
    bool has_begun = event_sql_try_begin(store->sql);
    store_batch batch = {.next_due = INT64_MAX};
    (void)pthread_mutex_lock(&store->mutex);
    if (has_begun) {
      take_batch(store, &batch, room_now(store));
      (void)pthread_mutex_unlock(&store->mutex);
      run_batch(store, &batch, true);
      (void)pthread_mutex_lock(&store->mutex);
    }
    store->is_busy = false;
  }
  if (store->is_awaited ||
      (has_more(store, due_before, was_flood) && store->queued >= store->gathering)) {
    (void)pthread_cond_signal(&store->has_work);
  }
  (void)pthread_mutex_unlock(&store->mutex);
}
