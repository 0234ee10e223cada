/* Runs the calls of a client: queues them for their rate limit, sends them, repeats failed
 * attempts, and returns results; it never blocks longer than its caller allows. */
#include "engine.h"

#include "attempt_log.h"
#include "call.h"
#include "clock.h"
#include "fork_guard.h"
#include "protocol/error.h"
#include "retry_jitter.h"
#include "send_queues.h"
#include "transport.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* After a fork, until there is memory for connections of the child's own. */
#define NO_MEMORY_PAUSE_MS 10

/* What calls of low priority leave of the transfers, since a search may have many. */
#define SPARE_PART 26

/* Beside those, what servers allow on one HTTP/2 connection: 100. */
#define MAX_IN_FLIGHT_DEFAULT 104

struct palenca_engine {
  transport *transport;
  palenca_rate_limiters *rate_limiters;
  send_queue *send_queues;
  call_list waiting; /* for their next attempt, the soonest first */
  call_list sending;
  queue_node *done_first, *done_last; /* results, linked in order of completion */
  size_t done_count;
  size_t active, in_flight, max_in_flight;
  int64_t expiry; /* no waiting call's deadline is earlier */
  attempt_log attempts;
  uint64_t last_id;
  uint64_t random;
  fork_guard guard; /* in a child the connections are not ours */
};

palenca_engine *palenca_engine_new(const palenca_engine_options *options, palenca_error *error) {
  static const palenca_engine_options defaults = {0};
  options = options != NULL ? options : &defaults;
  palenca_engine *engine = calloc(1, sizeof *engine);
  if (engine == NULL) {
    palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
    return NULL;
  }
  int in_flight = options->max_in_flight > 0 ? options->max_in_flight : MAX_IN_FLIGHT_DEFAULT;
  engine->max_in_flight = (size_t)in_flight;
  engine->expiry = INT64_MAX;
  fork_guard_init(&engine->guard);
  retry_jitter_seed(&engine->random);
  engine->rate_limiters = options->rate_limiters != NULL
                              ? palenca_rate_limiters_retain(options->rate_limiters)
                              : rate_limiters_of_process();
  engine->transport = transport_new(in_flight, error);
  if (engine->transport == NULL) {
    palenca_engine_free(engine);
    return NULL;
  }
  return engine;
}

void palenca_engine_free(palenca_engine *engine) {
  if (engine == NULL) {
    return;
  }
  if (fork_guard_has_forked(&engine->guard)) {
    transport_abandon(engine->transport);
  } else {
    transport_free(engine->transport);
  }
  fork_guard_free(&engine->guard);
  call_list_free(&engine->waiting);
  call_list_free(&engine->sending);
  send_queues_free(engine->send_queues, engine->rate_limiters);
  palenca_rate_limiters_release(engine->rate_limiters);
  for (palenca_result *result; (result = palenca_engine_take(engine)) != NULL;) {
    palenca_result_free(result);
  }
  attempt_log_free(&engine->attempts);
  free(engine);
}

/* ---- the life of a call --------------------------------------------------------- */

static void forget(palenca_engine *engine, call *one) {
  one->send_queue->calls--;
  call_list_remove(one);
  call_free(one);
  engine->active--;
}

static void measure(palenca_engine *engine, const call *one, const transport_outcome *outcome,
                    palenca_result *result) {
  rate_limiter *limiter = one->send_queue->rate_limiter;
  result->http_version = outcome->http_version;
  result->response_us = outcome->response_us;
  result->turns_left =
      limiter != NULL ? rate_limiters_left(engine->rate_limiters, limiter, clock_steady_ms()) : -1;
}

static void complete(palenca_engine *engine, call *one, const transport_outcome *outcome,
                     const palenca_meta *meta) {
  call_result *done = one->result;
  palenca_result *result = &done->result;
  one->result = NULL;
  result->error = outcome->error;
  result->meta = *meta;
  result->turn_wait_ms = send_queue_turn_wait(one);
  if (one->request.measure) {
    measure(engine, one, outcome, result);
  }
  call_hand_over_response(one, outcome->status, result);
  forget(engine, one);
  *(engine->done_last != NULL ? &engine->done_last->next : &engine->done_first) = &done->node;
  engine->done_last = &done->node;
  engine->done_count++;
}

static void expire_no_later(palenca_engine *engine, int64_t deadline) {
  engine->expiry = deadline < engine->expiry ? deadline : engine->expiry;
}

static void wait_for_retry(palenca_engine *engine, call *one, int64_t wait_ms) {
  one->due = clock_steady_ms() + wait_ms;
  call *after = engine->waiting.last;
  while (after != NULL && after->due > one->due) {
    after = after->previous;
  }
  call_list_remove(one);
  call_list_insert(&engine->waiting, one, after);
  expire_no_later(engine, one->deadline);
  one->header_out.size = 0;
  one->body_out.size = 0;
}

/* Ends a call that has no attempt under way. */
static void fail(palenca_engine *engine, call *one, palenca_kind kind, const char *message) {
  transport_outcome outcome = {.context = one};
  palenca_meta meta;
  palenca_error_set(&outcome.error, kind, "%s", message);
  palenca_meta_clear(&meta);
  complete(engine, one, &outcome, &meta);
}

static const char passed_limit[] = "the deadline passed while waiting for the rate limit";
static const char passed_room[] = "the deadline passed while waiting for other requests to end";
static const char passed_retry[] = "the deadline passed while waiting to try again";

static void expire_list(palenca_engine *engine, call_list *list, const char *message, int64_t now) {
  for (call *one = list->first, *next; one != NULL; one = next) {
    next = one->next;
    if (one->deadline <= now) {
      fail(engine, one, PALENCA_TIMEOUT, message);
    } else {
      expire_no_later(engine, one->deadline);
    }
  }
}

static bool has_room(const palenca_engine *engine, int priority) {
  size_t spare = priority == PRIORITY_LOW ? engine->max_in_flight / SPARE_PART : 0;
  return engine->in_flight < engine->max_in_flight - spare;
}

/* What is being sent has its deadline as its timeout. */
static void expire(palenca_engine *engine, int64_t now) {
  if (engine->expiry > now) {
    return;
  }
  engine->expiry = INT64_MAX;
  expire_list(engine, &engine->waiting, passed_retry, now);
  for (send_queue *one = engine->send_queues; one != NULL; one = one->next) {
    for (int priority = 0; priority < PRIORITIES; priority++) {
      priority_queue *queue = &one->queues[priority];
      bool is_limited = queue->blocked_until > now || has_room(engine, priority);
      expire_list(engine, &queue->calls, is_limited ? passed_limit : passed_room, now);
    }
  }
}

static void fail_list(palenca_engine *engine, call_list *list) {
  while (list->first != NULL) {
    fail(engine, list->first, PALENCA_NETWORK, "the process was forked; the call is its parent's");
  }
}

/* A connection that two processes use mixes up their responses, and a call that both know would
 * be sent twice. */
static void start_afresh_after_fork(palenca_engine *engine) {
  if (!fork_guard_has_forked(&engine->guard) && engine->transport != NULL) {
    return;
  }
  fork_guard_set(&engine->guard);
  transport_abandon(engine->transport);
  engine->transport = transport_new((int)engine->max_in_flight, NULL);
  engine->in_flight = 0;
  retry_jitter_seed(&engine->random);
  fail_list(engine, &engine->sending);
  fail_list(engine, &engine->waiting);
  for (send_queue *one = engine->send_queues; one != NULL; one = one->next) {
    for (int priority = 0; priority < PRIORITIES; priority++) {
      fail_list(engine, &one->queues[priority].calls);
    }
  }
}

static void learn(palenca_engine *engine, const call *one, int status, const palenca_meta *meta,
                  int64_t now_unix_ms) {
  int64_t left = palenca_meta_window_left(meta, now_unix_ms);
  bool used_up = status == 429 || meta->rate_remaining == 0;
  if (one->send_queue->rate_limiter == NULL || !used_up) {
    return;
  }
  if (status == 429) {
    left = palenca_limit_wait(meta->retry_after_ms, left);
  }
  if (left > 0) {
    rate_limiters_block(engine->rate_limiters, one->send_queue->rate_limiter, clock_steady_ms(),
                        left);
  }
}

static void note(palenca_engine *engine, const call *one, const transport_outcome *outcome,
                 const palenca_meta *meta, int64_t retry_in_ms) {
  if (!one->observe) {
    return;
  }
  palenca_attempt_record attempt = {
      .id = one->id,
      .number = one->attempts,
      .kind = outcome->error.kind,
      .status = outcome->status,
      .duration_ms = clock_steady_ms() - one->began,
      .retry_in_ms = retry_in_ms,
  };
  memcpy(attempt.request_id, meta->request_id, sizeof attempt.request_id);
  attempt_log_add(&engine->attempts, &attempt);
}

static palenca_decision decide(palenca_engine *engine, const call *one,
                               const transport_outcome *outcome, const palenca_meta *meta,
                               int64_t now_unix_ms) {
  palenca_attempt attempt = {
      .number = one->attempts,
      .kind = outcome->error.kind,
      .status = outcome->status,
      .sent = outcome->sent,
      .idempotent = one->request.idempotent,
      .max_retries = outcome->is_permanent ? 0 : one->max_retries,
      .retry_after_ms = meta->retry_after_ms,
      .window_left_ms = palenca_meta_window_left(meta, now_unix_ms),
  };
  palenca_decision decision = palenca_retry_decide(&attempt, retry_jitter_next(&engine->random));
  if (one->deadline != INT64_MAX && decision.wait_ms >= one->deadline - clock_steady_ms()) {
    decision.retry = false;
  }
  return decision;
}

static void finish_attempt(palenca_engine *engine, const transport_outcome *outcome) {
  call *one = outcome->context;
  palenca_meta meta;
  int64_t now = clock_unix_ms();
  one->transfer = NULL;
  engine->in_flight--;
  call_read_meta(one, now, &meta);
  learn(engine, one, outcome->status, &meta, now);
  palenca_decision decision = decide(engine, one, outcome, &meta, now);
  note(engine, one, outcome, &meta, decision.retry ? decision.wait_ms : -1);
  if (decision.retry) {
    wait_for_retry(engine, one, decision.wait_ms);
  } else {
    complete(engine, one, outcome, &meta);
  }
}

static void start(palenca_engine *engine, call *one, int64_t now) {
  transport_outcome failed = {.context = one};
  call_list_remove(one);
  call_list_insert(&engine->sending, one, engine->sending.last);
  one->attempts++;
  one->turn_wait += now - one->queued_at;
  one->began = now;
  int64_t left = one->deadline - now;
  one->request.timeout_ms = left < one->timeout_ms ? (int)left : one->timeout_ms;
  one->transfer = transport_start(engine->transport, &one->request, one, &failed.error);
  if (one->transfer != NULL) {
    engine->in_flight++;
  } else {
    fail(engine, one, failed.error.kind, failed.error.message);
  }
}

static void start_queue(palenca_engine *engine, send_queue *from, int priority, int64_t now) {
  priority_queue *queue = &from->queues[priority];
  if (queue->blocked_until > now) {
    return;
  }
  while (queue->calls.first != NULL && has_room(engine, priority)) {
    if (from->rate_limiter != NULL) {
      int64_t wait = rate_limiters_take(engine->rate_limiters, from->rate_limiter,
                                        priority == PRIORITY_LOW, clock_steady_ms());
      if (wait > 0) {
        queue->blocked_until = now + wait;
        return;
      }
    }
    start(engine, send_queue_next(queue), now);
  }
}

static void start_all(palenca_engine *engine) {
  int64_t now = clock_steady_ms();
  expire(engine, now);
  while (engine->waiting.first != NULL && engine->waiting.first->due <= now) {
    call *one = engine->waiting.first;
    call_list_remove(one);
    one->queued_at = now;
    call_list_insert(send_queue_of_call(one), one, NULL); /* older than all that never had a turn */
  }
  for (int priority = 0; priority < PRIORITIES; priority++) {
    for (send_queue *one = engine->send_queues; one != NULL; one = one->next) {
      start_queue(engine, one, priority, now);
    }
  }
}

/* ---- submit ------------------------------------------------------------------- */

uint64_t palenca_engine_submit(palenca_engine *engine, const palenca_request *request,
                               palenca_error *error) {
  call *one = call_new(engine, request, error);
  if (one == NULL) {
    return 0;
  }
  start_afresh_after_fork(engine);
  one->id = engine->last_id + 1;
  if (!engine_adopt(engine, one)) {
    call_free(one);
    palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
    return 0;
  }
  return ++engine->last_id;
}

bool engine_adopt(palenca_engine *engine, call *one) {
  send_queue *found = send_queues_find(&engine->send_queues, engine->rate_limiters, one);
  if (found == NULL || engine->transport == NULL ||
      (one->observe && !attempt_log_reserve(&engine->attempts))) {
    return false;
  }
  one->send_queue = found;
  found->calls++;
  expire_no_later(engine, one->deadline);
  send_queue_add(one);
  engine->active++;
  return true;
}

bool palenca_engine_preconnect(palenca_engine *engine, const palenca_request *request,
                               int64_t for_ms, palenca_error *error) {
  if (engine == NULL || request == NULL || request->url == NULL) {
    return palenca_error_set(error, PALENCA_USAGE, "the engine, the request or its url is NULL");
  }
  start_afresh_after_fork(engine);
  if (engine->transport == NULL) {
    return palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
  }
  transport_request server = call_server(request);
  return transport_preconnect(engine->transport, &server, for_ms, error);
}

/* ---- step ------------------------------------------------------------------------ */

static void sooner(int64_t *deadline, int64_t other) {
  if (other >= 0 && (*deadline < 0 || other < *deadline)) {
    *deadline = other;
  }
}

static int64_t until(int64_t time, int64_t now) {
  return time > now ? time - now : 0;
}

int64_t palenca_engine_next_deadline(palenca_engine *engine) {
  start_afresh_after_fork(engine);
  int64_t now = clock_steady_ms();
  if (engine->done_count > 0) {
    return 0;
  }
  if (engine->transport == NULL) {
    return NO_MEMORY_PAUSE_MS;
  }
  int64_t deadline = transport_next_deadline(engine->transport);
  if (engine->expiry != INT64_MAX) {
    sooner(&deadline, until(engine->expiry, now));
  }
  if (engine->waiting.first != NULL) {
    sooner(&deadline, until(engine->waiting.first->due, now));
  }
  for (const send_queue *one = engine->send_queues; one != NULL; one = one->next) {
    for (int priority = 0; priority < PRIORITIES; priority++) {
      if (one->queues[priority].calls.first != NULL && has_room(engine, priority)) {
        sooner(&deadline, until(one->queues[priority].blocked_until, now));
      }
    }
  }
  return deadline;
}

int palenca_engine_fd(palenca_engine *engine) {
  start_afresh_after_fork(engine);
  return engine->transport != NULL ? transport_fd(engine->transport) : -1;
}

static void work(palenca_engine *engine) {
  transport_outcome outcome;
  if (engine->transport == NULL) {
    return;
  }
  start_all(engine);
  transport_perform(engine->transport);
  while (transport_take(engine->transport, &outcome)) {
    finish_attempt(engine, &outcome);
  }
  send_queues_drop_unused(&engine->send_queues, engine->rate_limiters);
}

size_t palenca_engine_step(palenca_engine *engine, int64_t max_wait, const int *wake_fds,
                           size_t wake_fd_count) {
  start_afresh_after_fork(engine);
  work(engine);
  int64_t wait = palenca_engine_next_deadline(engine);
  if (wait < 0 || wait > max_wait) {
    wait = max_wait > 0 ? max_wait : 0;
  }
  if (engine->transport != NULL) {
    transport_wait(engine->transport, wait, wake_fds, wake_fd_count);
    work(engine);
  } else {
    poll(NULL, 0, (int)wait);
  }
  return engine->done_count;
}

palenca_result *palenca_engine_take(palenca_engine *engine) {
  queue_node *first = engine->done_first;
  if (first == NULL) {
    return NULL;
  }
  engine->done_first = first->next;
  if (engine->done_first == NULL) {
    engine->done_last = NULL;
  }
  engine->done_count--;
  return &call_result_of(first)->result;
}

bool palenca_engine_take_attempt(palenca_engine *engine, palenca_attempt_record *attempt) {
  return attempt_log_take(&engine->attempts, attempt);
}

bool palenca_engine_cancel(palenca_engine *engine, uint64_t id) {
  start_afresh_after_fork(engine);
  call *one = call_list_find(&engine->sending, id);
  if (one == NULL) {
    one = call_list_find(&engine->waiting, id);
  }
  for (send_queue *in = engine->send_queues; one == NULL && in != NULL; in = in->next) {
    for (int priority = 0; one == NULL && priority < PRIORITIES; priority++) {
      one = call_list_find(&in->queues[priority].calls, id);
    }
  }
  if (one == NULL) {
    return false;
  }
  if (one->transfer != NULL) {
    transport_cancel(engine->transport, one->transfer);
    engine->in_flight--;
  }
  forget(engine, one);
  send_queues_drop_unused(&engine->send_queues, engine->rate_limiters);
  return true;
}

size_t palenca_engine_active(const palenca_engine *engine) {
  return engine->active;
}

size_t palenca_engine_in_flight(const palenca_engine *engine) {
  return engine->in_flight;
}
