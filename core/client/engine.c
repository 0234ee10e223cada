/* The engine: calls that wait for their turn, are sent, repeated and handed back. */
#include "call.h"
#include "pacers.h"
#include "protocol/error.h"
#include "transport.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define MAX_IN_FLIGHT_DEFAULT 64

/* The calls of one key, which wait for the same turn. */
struct lane {
  pacer *pacer; /* NULL: unlimited */
  call_list queue;
  int64_t blocked_until;
  lane *next;
};

struct palenca_engine {
  transport *transport;
  palenca_pacers *pacers;
  lane *lanes;
  call_list waiting; /* for their next attempt, the soonest first */
  call_list sending;
  palenca_result **done; /* ring of completed calls */
  size_t done_first, done_count, done_capacity;
  size_t active, in_flight, max_in_flight;
  uint64_t last_id;
  uint64_t random;
};

static int64_t clock_ms(clockid_t which) {
  struct timespec now;
  clock_gettime(which, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* xorshift64*: spreads retries, nothing secret */
static uint64_t next_random(palenca_engine *engine) {
  engine->random ^= engine->random >> 12;
  engine->random ^= engine->random << 25;
  engine->random ^= engine->random >> 27;
  return engine->random * 2685821657736338717ULL;
}

palenca_engine *palenca_engine_new(const palenca_engine_options *options, palenca_error *error) {
  palenca_engine *engine = calloc(1, sizeof *engine);
  if (engine == NULL) {
    palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
    return NULL;
  }
  int in_flight = options->max_in_flight > 0 ? options->max_in_flight : MAX_IN_FLIGHT_DEFAULT;
  engine->max_in_flight = (size_t)in_flight;
  if (getrandom(&engine->random, sizeof engine->random, 0) != sizeof engine->random ||
      engine->random == 0)
    engine->random = (uint64_t)clock_ms(CLOCK_MONOTONIC) | 1;
  engine->pacers =
      options->pacers != NULL ? palenca_pacers_retain(options->pacers) : palenca_pacers_new();
  engine->transport = transport_new(in_flight, error);
  if (engine->pacers == NULL)
    palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
  if (engine->pacers == NULL || engine->transport == NULL) {
    palenca_engine_free(engine);
    return NULL;
  }
  return engine;
}

void palenca_engine_free(palenca_engine *engine) {
  if (engine == NULL)
    return;
  transport_free(engine->transport);
  call_list_free(&engine->waiting);
  call_list_free(&engine->sending);
  while (engine->lanes != NULL) {
    lane *next = engine->lanes->next;
    call_list_free(&engine->lanes->queue);
    free(engine->lanes);
    engine->lanes = next;
  }
  for (size_t i = 0; i < engine->done_count; i++)
    palenca_result_free(engine->done[(engine->done_first + i) % engine->done_capacity]);
  free(engine->done);
  palenca_pacers_release(engine->pacers);
  free(engine);
}

/* ---- submit ------------------------------------------------------------------- */

static lane *find_lane(palenca_engine *engine, const palenca_request *request) {
  pacer *wanted = NULL;
  if (request->rate_limit > 0 && request->pace_key != NULL) {
    wanted = pacers_find(engine->pacers, request->pace_key, request->pace_key_size,
                         (size_t)request->rate_limit);
    if (wanted == NULL)
      return NULL;
  }
  lane *found = engine->lanes;
  while (found != NULL && found->pacer != wanted)
    found = found->next;
  if (found == NULL && (found = calloc(1, sizeof *found)) != NULL) {
    found->pacer = wanted;
    found->next = engine->lanes;
    engine->lanes = found;
  }
  return found;
}

static bool check_request(const palenca_request *request, palenca_error *error) {
  if (!palenca_method_check(request->method, error))
    return false;
  if (request->rate_limit < 0 || request->rate_limit > PALENCA_RATE_LIMIT_MAX)
    return palenca_error_set(error, PALENCA_USAGE, "rate limit must be 0 to %d",
                             PALENCA_RATE_LIMIT_MAX);
  for (size_t i = 0; i < request->header_count; i++) {
    const palenca_header *header = &request->headers[i];
    if (!palenca_header_check(header->name, header->value, header->value_size, error))
      return false;
  }
  return true;
}

/* Every completed call finds a place, whatever the memory then. */
static bool reserve_done(palenca_engine *engine) {
  size_t needed = engine->active + engine->done_count + 1;
  if (needed <= engine->done_capacity)
    return true;
  size_t capacity = engine->done_capacity > 0 ? engine->done_capacity * 2 : 64;
  palenca_result **ring = calloc(capacity, sizeof(palenca_result *));
  if (ring == NULL)
    return false;
  for (size_t i = 0; i < engine->done_count; i++)
    ring[i] = engine->done[(engine->done_first + i) % engine->done_capacity];
  free(engine->done);
  engine->done = ring;
  engine->done_first = 0;
  engine->done_capacity = capacity;
  return true;
}

uint64_t palenca_engine_submit(palenca_engine *engine, const palenca_request *request,
                               palenca_error *error) {
  if (!check_request(request, error))
    return 0;
  lane *queue = find_lane(engine, request);
  call *one = queue != NULL && reserve_done(engine) ? call_new(request) : NULL;
  if (one == NULL) {
    palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
    return 0;
  }
  one->id = ++engine->last_id;
  one->lane = queue;
  call_list_insert(&queue->queue, one, queue->queue.last);
  engine->active++;
  return one->id;
}

/* ---- the life of a call --------------------------------------------------------- */

static char *take_buffer(palenca_buffer *buffer, size_t *size) {
  char *data = buffer->data;
  *size = buffer->size;
  if (data != NULL) /* it may hold the rest of an earlier attempt */
    data[buffer->size] = '\0';
  memset(buffer, 0, sizeof *buffer);
  return data;
}

static void complete(palenca_engine *engine, call *one, const transport_outcome *outcome,
                     const palenca_meta *meta) {
  palenca_result *result = one->result;
  one->result = NULL;
  result->id = one->id;
  result->error = outcome->error;
  result->status = outcome->status;
  result->attempts = one->attempts;
  result->meta = *meta;
  result->headers = take_buffer(&one->header_out, &result->headers_size);
  result->body = take_buffer(&one->body_out, &result->body_size);
  call_list_remove(one);
  call_free(one);
  engine->active--;
  engine->done[(engine->done_first + engine->done_count++) % engine->done_capacity] = result;
}

static void read_meta(const call *one, palenca_meta *meta) {
  const char *at = one->header_out.data;
  const char *end = at != NULL ? at + one->header_out.size : NULL;
  int64_t now = clock_ms(CLOCK_REALTIME) / 1000;
  palenca_meta_clear(meta);
  while (at != end) {
    const char *line_end = memchr(at, '\n', (size_t)(end - at));
    if (line_end == NULL)
      line_end = end;
    palenca_meta_read(meta, at, (size_t)(line_end - at), now);
    at = line_end < end ? line_end + 1 : end;
  }
}

static int64_t window_left(const palenca_meta *meta) {
  if (meta->rate_reset < 0)
    return -1;
  int64_t left = meta->rate_reset * 1000 - clock_ms(CLOCK_REALTIME);
  return left > 0 ? left : 0;
}

static void wait_for_retry(palenca_engine *engine, call *one, int64_t wait_ms) {
  one->due = clock_ms(CLOCK_MONOTONIC) + wait_ms;
  call *after = engine->waiting.last;
  while (after != NULL && after->due > one->due)
    after = after->previous;
  call_list_remove(one);
  call_list_insert(&engine->waiting, one, after);
  one->header_out.size = 0;
  one->body_out.size = 0;
}

static void learn(palenca_engine *engine, const call *one, int status, const palenca_meta *meta) {
  int64_t left = window_left(meta);
  bool used_up = status == 429 || meta->rate_remaining == 0;
  if (one->lane->pacer == NULL || !used_up)
    return;
  if (status == 429 && meta->retry_after_ms > left)
    left = meta->retry_after_ms;
  if (left > 0)
    pacers_block(engine->pacers, one->lane->pacer, clock_ms(CLOCK_MONOTONIC), left);
}

static void finish_attempt(palenca_engine *engine, const transport_outcome *outcome) {
  call *one = outcome->context;
  palenca_meta meta;
  one->transfer = NULL;
  engine->in_flight--;
  read_meta(one, &meta);
  learn(engine, one, outcome->status, &meta);
  palenca_attempt attempt = {
      .number = one->attempts,
      .kind = outcome->error.kind,
      .status = outcome->status,
      .sent = outcome->sent,
      .repeatable = one->request.repeatable,
      .max_retries = one->max_retries,
      .retry_after_ms = meta.retry_after_ms,
      .window_left_ms = window_left(&meta),
  };
  palenca_decision decision = palenca_retry_decide(&attempt, next_random(engine));
  if (decision.retry)
    wait_for_retry(engine, one, decision.wait_ms);
  else
    complete(engine, one, outcome, &meta);
}

static void start(palenca_engine *engine, call *one) {
  transport_outcome failed = {.context = one};
  call_list_remove(one);
  call_list_insert(&engine->sending, one, engine->sending.last);
  one->attempts++;
  one->transfer = transport_start(engine->transport, &one->request, one, &failed.error);
  if (one->transfer != NULL) {
    engine->in_flight++;
    return;
  }
  palenca_meta meta;
  palenca_meta_clear(&meta);
  complete(engine, one, &failed, &meta);
}

static void start_lane(palenca_engine *engine, lane *queue, int64_t now) {
  if (queue->blocked_until > now)
    return;
  while (queue->queue.first != NULL && engine->in_flight < engine->max_in_flight) {
    if (queue->pacer != NULL) {
      int64_t wait = pacers_take(engine->pacers, queue->pacer, now);
      if (wait > 0) {
        queue->blocked_until = now + wait;
        return;
      }
    }
    start(engine, queue->queue.first);
  }
}

static void start_all(palenca_engine *engine) {
  int64_t now = clock_ms(CLOCK_MONOTONIC);
  while (engine->waiting.first != NULL && engine->waiting.first->due <= now) {
    call *one = engine->waiting.first;
    call_list_remove(one);
    call_list_insert(&one->lane->queue, one, NULL); /* older than all that never had a turn */
  }
  for (lane *queue = engine->lanes; queue != NULL; queue = queue->next)
    start_lane(engine, queue, now);
}

/* ---- step ------------------------------------------------------------------------ */

static void sooner(int64_t *deadline, int64_t other) {
  if (other >= 0 && (*deadline < 0 || other < *deadline))
    *deadline = other;
}

static int64_t until(int64_t moment, int64_t now) {
  return moment > now ? moment - now : 0;
}

int64_t palenca_engine_next_deadline(palenca_engine *engine) {
  int64_t now = clock_ms(CLOCK_MONOTONIC);
  int64_t deadline = transport_next_deadline(engine->transport);
  if (engine->done_count > 0)
    return 0;
  if (engine->waiting.first != NULL)
    sooner(&deadline, until(engine->waiting.first->due, now));
  if (engine->in_flight >= engine->max_in_flight)
    return deadline;
  for (const lane *queue = engine->lanes; queue != NULL; queue = queue->next)
    if (queue->queue.first != NULL)
      sooner(&deadline, until(queue->blocked_until, now));
  return deadline;
}

static void work(palenca_engine *engine) {
  transport_outcome outcome;
  start_all(engine);
  transport_perform(engine->transport);
  while (transport_take(engine->transport, &outcome))
    finish_attempt(engine, &outcome);
}

size_t palenca_engine_step(palenca_engine *engine, int64_t max_wait, const int *wake_fds,
                           size_t wake_fd_count) {
  work(engine);
  int64_t wait = palenca_engine_next_deadline(engine);
  if (wait < 0 || wait > max_wait)
    wait = max_wait;
  if (wait > INT32_MAX)
    wait = INT32_MAX;
  if (wait > 0) {
    transport_wait(engine->transport, wait, wake_fds, wake_fd_count);
    work(engine);
  }
  return engine->done_count;
}

palenca_result *palenca_engine_take(palenca_engine *engine) {
  if (engine->done_count == 0)
    return NULL;
  palenca_result *result = engine->done[engine->done_first];
  engine->done_first = (engine->done_first + 1) % engine->done_capacity;
  engine->done_count--;
  return result;
}

static call *find(call_list *list, uint64_t id) {
  call *one = list->first;
  while (one != NULL && one->id != id)
    one = one->next;
  return one;
}

bool palenca_engine_cancel(palenca_engine *engine, uint64_t id) {
  call *one = find(&engine->sending, id);
  if (one == NULL)
    one = find(&engine->waiting, id);
  for (lane *queue = engine->lanes; one == NULL && queue != NULL; queue = queue->next)
    one = find(&queue->queue, id);
  if (one == NULL)
    return false;
  if (one->transfer != NULL) {
    transport_cancel(engine->transport, one->transfer);
    engine->in_flight--;
  }
  call_list_remove(one);
  call_free(one);
  engine->active--;
  return true;
}

size_t palenca_engine_active(const palenca_engine *engine) {
  return engine->active;
}
