/* Gives the event store PostgreSQL as its database. */
#include "backend.h"

#include "clock.h"
#include "internal.h"
#include "url.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define LEAVE_MS 200
/* What a connection may take that is made after one that was lost. */
#define COMING_BACK_MS 1000

static postgres_backend *self_of(event_backend *backend) {
  return (postgres_backend *)(void *)backend;
}

static const postgres_backend *const_of(const event_backend *backend) {
  return (const postgres_backend *)(const void *)backend;
}

static bool is_up(const postgres_backend *self) {
  return self->link.connection != NULL;
}

static void submit(event_backend *backend, event_batch *batch, event_batch_done *done,
                   void *context) {
  postgres_submit(self_of(backend), batch, done, context);
}

/* ---- What the queue asks ---- */

static const char *reason(const event_backend *backend) {
  return const_of(backend)->reason;
}

static event_failure failure(const event_backend *backend) {
  event_failure kind = const_of(backend)->failure;
  return kind == EVENT_FAILURE_NONE ? EVENT_FAILURE_OTHER : kind;
}

/* A connection that comes back at once is none. */
static event_failure problem(event_backend *backend) {
  const postgres_backend *self = self_of(backend);
  bool is_back_soon = self->wait_ms == 0 && clock_steady_ms() - self->lost_at < COMING_BACK_MS;
  bool has_none = is_up(self) ? self->is_silent : !is_back_soon;
  return has_none ? EVENT_FAILURE_OTHER : EVENT_FAILURE_NONE;
}

static bool probe(event_backend *backend) {
  const postgres_backend *self = self_of(backend);
  return is_up(self) && self->failure == EVENT_FAILURE_NONE;
}

static event_order order(const event_backend *backend) {
  const postgres_backend *self = const_of(backend);
  bool is_known = is_up(self);
  return (event_order){.is_known = is_known,
                       .is_any_ready =
                           is_known && self->may_be_ready && clock_steady_ms() >= self->lease_after,
                       .has_waiting = self->has_waiting};
}

static concurrency_limits *limits(event_backend *backend) {
  return &self_of(backend)->limits;
}

static void drop_unused_limits(event_backend *backend) {
  concurrency_limits *all = limits(backend);
  for (int i = all->count - 1; i >= 0; i--) {
    concurrency_drop_unused(all, i, false);
  }
}

static event_timers *timers(event_backend *backend) {
  return &self_of(backend)->timers;
}

static bool count_unfinished(event_backend *backend, int64_t *count) {
  stored_counts *counts = &self_of(backend)->counts;
  bool is_new = counts->is_new;
  *count = counts->unfinished;
  counts->is_new = false;
  return is_new;
}

static bool count_dead(event_backend *backend, int64_t *count) {
  *count = self_of(backend)->counts.dead;
  return true;
}

static bool find_oldest(event_backend *backend, int64_t *received_at) {
  *received_at = self_of(backend)->counts.oldest;
  return true;
}

static int64_t count_retries(const event_backend *backend) {
  return const_of(backend)->counts.retries;
}

/* Over all processes, like the other counts. */
static int64_t count_running(const event_backend *backend, int64_t leased) {
  (void)leased;
  return const_of(backend)->counts.running;
}

/* ---- Its beginning and end ---- */

void postgres_release(postgres_backend *self) {
  if (--self->users > 0) {
    return;
  }
  while (self->surplus != NULL) {
    event_finish *finish = self->surplus;
    self->surplus = finish->next;
    event_finish_free(finish);
  }
  values_free(&self->values);
  values_free(&self->request.held);
  event_timers_free(&self->timers);
  concurrency_free(&self->limits);
  free(self->opened.last_ids);
  held_leases_free(&self->held);
  free(self->promote_from);
  free(self->url);
  free(self);
}

static void on_timer_closed(uv_handle_t *handle) {
  postgres_release(handle->data);
}

/* Says so to the server, whose response is read, lest it complains that nobody does. */
static void leave(postgres_backend *self) {
  values_add_integer(&self->values, self->host);
  link_send(&self->link, STATEMENT_LEAVE, &self->values);
  link_sync(&self->link);
  struct pollfd socket = {.fd = self->pq->socket(self->link.connection), .events = POLLIN};
  if (poll(&socket, 1, LEAVE_MS) == 1) {
    (void)self->pq->consumeInput(self->link.connection);
  }
}

static void close_backend(event_backend *backend) {
  postgres_backend *self = self_of(backend);
  self->is_closing = true;
  if (is_up(self)) {
    leave(self);
  }
  link_close(&self->link);
  postgres_forget_writes(self);
  postgres_forget_leases(self);
  postgres_close_rate_shares(self);
  uv_close((uv_handle_t *)&self->timer, on_timer_closed);
}

static const event_backend_class postgres_class = {EVENT_BACKEND_FUNCTIONS};

static postgres_backend *new_backend(const event_store_options *options, host_error *error) {
  const libpq *pq = libpq_load(error);
  if (pq == NULL) {
    return NULL;
  }
  postgres_backend *self = calloc(1, sizeof *self);
  char *url = strdup(options->path);
  if (self == NULL || url == NULL || !concurrency_init(&self->limits)) {
    free(url);
    free(self);
    (void)host_error_set(error, HOST_FAILED, "out of memory");
    return NULL;
  }
  self->base.class = &postgres_class;
  self->pq = pq;
  self->options = *options;
  self->options.path = self->url = url;
  self->loop = host_loop_uv(options->loop);
  self->link.pq = pq;
  self->link.callbacks = &postgres_callbacks;
  self->link.context = self;
  self->users = 1;
  self->request = (session_request){.pq = pq,
                                    .url = url,
                                    .lease_ms = options->lease_timeout,
                                    .dedup_window = options->dedup_window,
                                    .is_first = true};
  return self;
}

static bool open_first(postgres_backend *self, host_error *error) {
  char name[300];
  host_error reason;
  postgres_url_without_password(self->url, name, sizeof name);
  if (!postgres_write_request(self) || !session_open(&self->request, &self->opened, &reason)) {
    return host_error_set(error, HOST_FAILED, "cannot use %s: %s", name, reason.message);
  }
  if (postgres_use_session(self) && postgres_open_rate_shares(self)) {
    return true;
  }
  link_close(&self->link);
  return host_error_set(error, HOST_FAILED, "the loop has no room for the connection");
}

event_backend *postgres_backend_open(const event_store_options *options, int64_t *unfinished,
                                     host_error *error) {
  postgres_backend *self = new_backend(options, error);
  if (self == NULL) {
    return NULL;
  }
  if (!open_first(self, error)) {
    postgres_release(self);
    return NULL;
  }
  (void)uv_timer_init(self->loop, &self->timer); /* these cannot fail */
  self->timer.data = self;
  (void)uv_timer_start(&self->timer, postgres_tick, POSTGRES_TICK_MS, POSTGRES_TICK_MS);
  postgres_log_weakness(self);
  *unfinished = self->opened.unfinished;
  return &self->base;
}
