/* Runs the turns of the event store: collects what is put and finished, commits it, calls back. */
#include "clock.h"
#include "common/metrics.h"
#include "internal.h"
#include "store/text_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PUTS 1024 /* in a transaction: bounds how long the first of them waits */
#define MIN_REST_MS 100
#define MAX_REST_MS 1000
/* While another process writes: the interval of retries, and the time that events wait for it. */
#define LOCKED_RETRY_MS 10
#define LOCKED_MAX_MS 2000
#define CLOSE_TRIES 3
/* Small steps, as of NTP, are followed; a larger one back means that the clock was set. */
#define CLOCK_STEP_MS 1000

void event_store_report(const event_store *store, bool is_error, const char *what,
                        const char *reason) {
  if (store->options.log != NULL) {
    char line[512];
    (void)snprintf(line, sizeof line, "%s %s%s%s", what, store->path, *reason ? ": " : "", reason);
    store->options.log(store->options.log_context, is_error, line);
  }
}

/* ---- Puts ---- */

static put_request *copy_put(const event_record *record, event_put_done done, void *context) {
  const event_trace *trace = &record->trace;
  size_t texts = text_size(record->action) + text_size(record->account_id) +
                 text_size(trace->traceparent) + text_size(trace->request_id);
  if (record->body_size > SIZE_MAX / 2) {
    return NULL;
  }
  put_request *put = malloc(sizeof *put + texts + record->body_size);
  if (put == NULL) {
    return NULL;
  }
  *put = (put_request){.record = *record, .done = done, .context = context};
  char *at = put->data;
  put->record.action = text_copy(record->action, &at);
  put->record.account_id = text_copy(record->account_id, &at);
  put->record.trace.traceparent = text_copy(trace->traceparent, &at);
  put->record.trace.request_id = text_copy(trace->request_id, &at);
  if (record->body_size > 0) {
    put->record.body = memcpy(at, record->body, record->body_size);
  }
  return put;
}

static void count_queued(event_store *store, int64_t change) {
  (void)pthread_mutex_lock(&store->dispatch.mutex);
  store->dispatch.queued += change;
  (void)pthread_mutex_unlock(&store->dispatch.mutex);
}

void event_store_put(event_store *store, const event_record *record, event_put_done done,
                     void *context) {
  put_request *put = copy_put(record, done, context);
  if (put == NULL) {
    const event_receipt receipt = {.reason = "out of memory"};
    done(context, &receipt);
    return;
  }
  put->put_at = clock_steady_ms();
  *store->puts.end = put;
  store->puts.end = &put->next;
  count_queued(store, 1);
}

void event_store_respond(put_request *put, const char *reason) {
  while (put != NULL) {
    put_request *next = put->next;
    put->receipt.reason = put->receipt.id > 0 ? NULL : reason;
    put->done(put->context, &put->receipt);
    free(put);
    put = next;
  }
}

/* The first `max` of those that wait, but only those put up to `until`. */
static put_request *take_puts(event_store *store, int max, int64_t until) {
  put_request *first = store->puts.first;
  put_request **end = &first;
  for (int i = 0; i < max && *end != NULL && (*end)->put_at <= until; i++) {
    end = &(*end)->next;
  }
  store->puts.first = *end;
  *end = NULL;
  if (store->puts.first == NULL) {
    store->puts.end = &store->puts.first;
  }
  return first;
}

/* Before those that wait. */
static void return_puts(event_store *store, put_request *puts) {
  put_request **end = &puts;
  while (*end != NULL) {
    end = &(*end)->next;
  }
  if (puts != NULL) {
    *end = store->puts.first;
    store->puts.end = store->puts.first != NULL ? store->puts.end : end;
    store->puts.first = puts;
  }
}

/* ---- Finishes ---- */

/* Adds a list to what is to be written. */
static void add_finishes(event_store *store, event_finish *finishes) {
  if (store->finishes == NULL) {
    store->timing.finishes_since = clock_steady_ms();
  }
  while (finishes != NULL) {
    event_finish *finish = finishes;
    finishes = finish->next;
    finish->next = store->finishes;
    store->finishes = finish;
  }
}

static dispatch_view collect(event_store *store) {
  dispatch_view view = event_dispatch_collect(store);
  add_finishes(store, view.finishes);
  return view;
}

static void free_finishes(event_finish *finish) {
  while (finish != NULL) {
    event_finish *next = finish->next;
    event_finish_free(finish);
    finish = next;
  }
}

bool event_store_is_drained(const event_store *store) {
  return store->puts.first == NULL && store->finishes == NULL && !store->is_under_way;
}

/* ---- After a transaction ---- */

static void count_finish(event_counts *counts, const event_finish *finish) {
  if (finish->id < 0 || finish->is_fenced) { /* of a timer, or another's event */
    return;
  }
  metric_add(METRIC_ATTEMPTS, (size_t)finish->kind, finish->has_started);
  bool is_done = finish->kind == EVENT_OUTCOME_DONE;
  bool is_dead = finish->kind == EVENT_OUTCOME_DEAD;
  counts->done += is_done;
  counts->dead += is_dead;
  counts->unfinished -= is_done || is_dead;
  counts->failed_attempts += is_dead || finish->kind == EVENT_OUTCOME_RETRY;
}

static void count_puts(event_store *store, const put_request *puts) {
  event_dispatch *dispatch = &store->dispatch;
  size_t count = 0, stored = 0;
  (void)pthread_mutex_lock(&dispatch->mutex);
  for (const put_request *put = puts; put != NULL; put = put->next) {
    count++;
    stored += put->receipt.id > 0 && !put->receipt.is_duplicate;
    dispatch->counts.duplicates += put->receipt.is_duplicate;
  }
  dispatch->counts.unfinished += (int64_t)stored;
  dispatch->queued -= (int64_t)count;
  (void)pthread_mutex_unlock(&dispatch->mutex);
  if (count > 0) {
    metric_observe(METRIC_BATCH, 0, (int64_t)count);
    metric_add(METRIC_STORED, 0, (int64_t)stored);
    metric_add(METRIC_DUPLICATES, 0, (int64_t)(count - stored));
  }
  commit_burst_add(&store->timing.burst, count, store->clock.steady);
}

static void count_ends(event_store *store, const event_batch *batch) {
  event_dispatch *dispatch = &store->dispatch;
  (void)pthread_mutex_lock(&dispatch->mutex);
  for (const event_finish *finish = batch->finishes; finish != NULL; finish = finish->next) {
    if (finish->kind == EVENT_OUTCOME_RELEASED) { /* its next lease has the same attempt */
      started_events_erase(&dispatch->started, finish->slot);
    }
    dispatch->leased -= finish->id > 0;
    count_finish(&dispatch->counts, finish);
    started_events_free_slot(&dispatch->started, finish->slot);
  }
  dispatch->counts.unfinished += batch->added;
  (void)pthread_mutex_unlock(&dispatch->mutex);
}

static bool has_stored(const event_batch *batch) {
  bool has = false;
  for (const put_request *put = batch->puts; put != NULL && !has; put = put->next) {
    has = put->receipt.id > 0 && !put->receipt.is_duplicate;
  }
  return has;
}

/* One that had nothing to write does not show that writing works again. */
static void end_trouble(event_store *store, bool has_written) {
  store_trouble *trouble = &store->trouble;
  if (trouble->is_failing && has_written) {
    trouble->is_failing = false;
    event_store_report(store, false, "writing again to", "");
  }
}

static void respond_to_stored(event_store *store, event_batch *batch) {
  if (batch->puts == NULL) {
    return;
  }
  end_trouble(store, has_stored(batch));
  count_puts(store, batch->puts);
  event_store_respond(batch->puts, "the record is too big");
  batch->puts = NULL;
}

static void after_commit(event_store *store, event_batch *batch) {
  store_trouble *trouble = &store->trouble;
  end_trouble(store, batch->finishes != NULL || batch->grants != NULL);
  trouble->rest_ms = trouble->rest_until = 0;
  trouble->locked_since = trouble->locked_until = 0;
  store->next_due = batch->next_due;
  store->timing.committed_at = clock_steady_ms();
  count_ends(store, batch);
  respond_to_stored(store, batch);
  free_finishes(batch->finishes);
}

static const char *reason_of(const event_store *store) {
  return store->backend->class->reason(store->backend);
}

static void begin_trouble(event_store *store, const char *reason) {
  store->trouble.kind = store->backend->class->failure(store->backend);
  if (!store->trouble.is_failing) {
    store->trouble.is_failing = true;
    event_store_report(store, true, "cannot write to", reason);
  }
}

void event_store_failed(event_store *store) {
  store_trouble *trouble = &store->trouble;
  begin_trouble(store, reason_of(store));
  trouble->rest_ms = trouble->rest_ms == 0 ? MIN_REST_MS : trouble->rest_ms * 2;
  trouble->rest_ms = trouble->rest_ms < MAX_REST_MS ? trouble->rest_ms : MAX_REST_MS;
  trouble->rest_until = clock_steady_ms() + trouble->rest_ms;
}

static void reject_puts(event_store *store, put_request *puts, const char *reason) {
  int64_t count = 0;
  for (put_request *put = puts; put != NULL; put = put->next) {
    put->receipt = (event_receipt){.id = 0};
    count++;
  }
  count_queued(store, -count);
  event_store_respond(puts, reason);
}

/* For the next try. One that is abandoned at close is one whose event runs again. */
static void keep_finishes(event_store *store, event_finish *finishes, bool is_last_try,
                          const char *reason) {
  if (store->ending.is_started && is_last_try && finishes != NULL) {
    store->ending.has_abandoned = true;
    event_store_report(store, true, "events will run again, as their end could not be written to",
                       reason);
    free_finishes(finishes);
  } else {
    add_finishes(store, finishes);
  }
}

/* Puts fail, leases were never handed out, and finishes are queued again. */
static void after_failure(event_store *store, event_batch *batch) {
  store_trouble *trouble = &store->trouble;
  const char *reason = reason_of(store);
  event_store_failed(store);
  trouble->locked_since = trouble->locked_until = 0;
  event_grants_free(batch->grants, true);
  batch->grants = NULL;
  trouble->tries_at_close += store->ending.is_started;
  keep_finishes(store, batch->finishes, trouble->tries_at_close >= CLOSE_TRIES, reason);
  reject_puts(store, batch->puts, reason);
}

/* Another process writes: what has waited for that for too long fails, all else is tried again. */
static void after_lock(event_store *store, event_batch *batch) {
  int64_t now = clock_steady_ms();
  store_trouble *trouble = &store->trouble;
  const char *reason = reason_of(store);
  trouble->locked_since = trouble->locked_since > 0 ? trouble->locked_since : now;
  trouble->locked_until = now + LOCKED_RETRY_MS;
  bool is_overdue = now - trouble->locked_since >= LOCKED_MAX_MS;
  return_puts(store, batch->puts);
  if (is_overdue) {
    begin_trouble(store, reason);
  }
  keep_finishes(store, batch->finishes, is_overdue, reason);
  put_request *overdue = take_puts(store, INT32_MAX, now - LOCKED_MAX_MS);
  if (overdue != NULL) {
    begin_trouble(store, reason);
    reject_puts(store, overdue, reason);
  }
}

static void on_batch_done(void *context, event_batch *batch, event_batch_result result) {
  event_store *store = context;
  if (result == EVENT_BATCH_STORED) {
    respond_to_stored(store, batch);
    return;
  }
  store->is_under_way = false;
  if (result == EVENT_BATCH_COMMITTED) {
    after_commit(store, batch); /* what it has leased is handed out once the responses are sent */
  } else if (result == EVENT_BATCH_LOCKED) {
    after_lock(store, batch);
  } else {
    after_failure(store, batch);
  }
}

/* ---- Turns ---- */

/* Waits go on as they were when the Unix clock is set back; set forward it ends them. */
static void follow_clock(event_store *store) {
  int64_t before = store->clock.offset;
  store->clock.steady = clock_steady_ms();
  store->clock.unix_ms = clock_unix_ms();
  int64_t step = store->clock.unix_ms - store->clock.steady - before;
  if (step > 0) {
    store->clock.offset += step;
    return;
  }
  if (step >= -CLOCK_STEP_MS) {
    return;
  }
  (void)collect(store); /* what was finished before */
  const event_embedded_class *embedded = store->backend->class->embedded;
  if (embedded == NULL || embedded->begin_shift(store->backend, step)) {
    store->clock.offset += step;
    store->next_due += store->next_due < INT64_MAX && store->next_due > 0 ? step : 0;
    for (event_finish *finish = store->finishes; finish != NULL; finish = finish->next) {
      finish->retry_at += finish->kind == EVENT_OUTCOME_RETRY ? step : 0;
    }
  }
}

static int64_t left(int64_t time, int64_t now) {
  return time > now ? time - now : 0;
}

static commit_inputs inputs_of(event_store *store) {
  const store_trouble *trouble = &store->trouble;
  int64_t now = store->clock.steady;
  dispatch_view view = collect(store);
  event_order order = store->backend->class->order(store->backend);
  bool has_due = order.is_known && store->next_due < INT64_MAX;
  return (commit_inputs){
      .has_puts = store->puts.first != NULL,
      .has_finishes = store->finishes != NULL,
      .finish_age = now - store->timing.finishes_since,
      .is_finish_awaited = view.is_idle && order.has_waiting,
      .prefetch = view.prefetch,
      .is_any_ready = order.is_any_ready,
      .due_in = has_due ? left(store->next_due, store->clock.unix_ms) : INT64_MAX,
      .burst_left = commit_burst_left(&store->timing.burst, now),
      .lease_age = now - store->timing.leased_at,
      .is_failing = trouble->is_failing,
      .rest = left(trouble->rest_until, now),
      .locked = left(trouble->locked_until, now),
      .is_closing = store->ending.is_started,
  };
}

static void run_batch(event_store *store, size_t leases) {
  store->batch = (event_batch){.puts = take_puts(store, MAX_PUTS, INT64_MAX),
                               .finishes = store->finishes,
                               .leases = leases,
                               .now = store->clock.unix_ms,
                               .next_due = INT64_MAX};
  store->finishes = NULL;
  store->puts.are_left = store->puts.first != NULL;
  if (leases > 0) {
    store->timing.leased_at = store->clock.steady;
  }
  const event_backend_class *class = store->backend->class;
  if (store->trouble.is_failing && class->embedded != NULL) {
    class->embedded->release_memory(store->backend); /* what was read may be the damage */
  }
  store->is_under_way = true;
  class->submit(store->backend, &store->batch, on_batch_done, store);
}

/* When the next turn is due: at once, or after a time. */
static void plan_next(event_store *store) {
  commit_inputs in = inputs_of(store);
  commit_decision next = commit_decide(&in);
  event_order order = store->backend->class->order(store->backend);
  event_dispatch_publish(store, order.is_any_ready || !order.is_known, order.has_waiting);
  event_store_wake_in(store, next.commits ? 0 : next.timeout);
}

void event_store_hand_out(event_store *store) {
  event_grant *grants = store->batch.grants;
  if (grants == NULL || store->is_under_way) {
    return;
  }
  store->batch.grants = NULL;
  add_finishes(store, event_dispatch_deliver(store, grants));
  if (store->finishes != NULL) { /* of one that has nothing to run */
    event_store_wake_in(store, COMMIT_FINISH_WAIT_MS);
  }
}

void event_store_end_turn(event_store *store) {
  if (store->is_under_way || store->ending.is_closed) {
    return;
  }
  event_store_mark_busy(store);
  store->handles.is_awake = false;
  event_store_hand_out(store);
  follow_clock(store);
  commit_inputs in = inputs_of(store);
  commit_decision now = commit_decide(&in);
  if (now.commits) {
    run_batch(store, now.leases);
    if (store->is_under_way) {
      return;
    }
    uv_update_time(host_loop_uv(store->options.loop)); /* it may have waited for a disk */
    store->clock.steady = clock_steady_ms();
    store->clock.unix_ms = clock_unix_ms();
  }
  plan_next(store);
}

void event_store_counts(event_store *store, event_counts *counts) {
  (void)pthread_mutex_lock(&store->dispatch.mutex);
  *counts = store->dispatch.counts;
  counts->unfinished += store->dispatch.queued;
  (void)pthread_mutex_unlock(&store->dispatch.mutex);
}
