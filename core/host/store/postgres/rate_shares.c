/* Takes shares of keys' rate limits at PostgreSQL, for the rate limiters of this process: a few at
 * a time, between batches. */
#include "clock.h"
#include "internal.h"

#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

static rate_share_state *state_of(postgres_backend *self) {
  return &self->rate_shares;
}

static const rate_share_user *user_of(const postgres_backend *self) {
  return self->options.rate_shares;
}

/* ---- Requests ---- */

static void send_request(postgres_backend *self, const rate_share_request *request) {
  char key[2 * RATE_SHARE_KEY_SIZE + 1];
  for (size_t i = 0; i < RATE_SHARE_KEY_SIZE; i++) {
    (void)snprintf(key + 2 * i, 3, "%02x", request->key[i]);
  }
  values_add_text(&self->values, key);
  values_add_integer(&self->values, request->owner);
  values_add_integer(&self->values, request->asked_at);
  values_add_integer(&self->values, request->limit);
  values_add_integer(&self->values, request->kept);
  values_add_integer(&self->values, request->unused);
  values_add_integer(&self->values, request->wanted);
  values_add_integer(&self->values, request->spare);
  values_add_integer(&self->values, request->is_waiting);
  values_add_integer(&self->values, request->blocked);
  values_add_integer(&self->values, request->hold);
  values_add_integer(&self->values, request->window);
  link_send(&self->link, STATEMENT_TAKE_TURNS, &self->values);
  link_sync(&self->link); /* a transaction each: none waits for a lock while it has another */
}

bool postgres_send_rate_shares(postgres_backend *self) {
  rate_share_state *shares = state_of(self);
  if (user_of(self) == NULL) {
    return false;
  }
  shares->ended = 0;
  shares->count = user_of(self)->collect(user_of(self)->context, shares->requests, RATE_SHARES_MAX);
  for (size_t i = 0; i < shares->count; i++) {
    send_request(self, &shares->requests[i]);
  }
  return shares->count > 0;
}

static void end_request(postgres_backend *self, const rate_share_grant *grant) {
  rate_share_state *shares = state_of(self);
  user_of(self)->grant(user_of(self)->context, &shares->requests[shares->ended++], grant);
}

static void log_failure(postgres_backend *self, const PGresult *result) {
  server_failure failure = {.code = ""};
  char line[500];
  postgres_note_failure(self, &failure, result);
  (void)snprintf(line, sizeof line, "cannot share the API's rate limit: %s", failure.message);
  if (!state_of(self)->is_failing) {
    postgres_log(self, true, line);
  }
  state_of(self)->is_failing = true;
}

/* It is committed only with the end of its transaction. */
void postgres_take_rate_share(postgres_backend *self, statement_id id, const PGresult *result) {
  rate_share_state *shares = state_of(self);
  if (id == STATEMENT_SYNC) {
    end_request(self, shares->has_grant ? &shares->grant : NULL);
    shares->has_grant = false;
    return;
  }
  shares->has_grant = postgres_is_ok(self, result) && self->pq->ntuples(result) == 1;
  if (!shares->has_grant) {
    log_failure(self, result);
    return;
  }
  shares->is_failing = false;
  shares->grant = (rate_share_grant){.granted = values_integer(self->pq, result, 0, 0),
                                     .left = values_integer(self->pq, result, 0, 1),
                                     .wait = values_integer(self->pq, result, 0, 2),
                                     .blocked = values_integer(self->pq, result, 0, 3)};
}

void postgres_lose_rate_shares(postgres_backend *self) {
  rate_share_state *shares = state_of(self);
  while (shares->ended < shares->count) {
    end_request(self, NULL);
  }
  shares->has_grant = false;
}

/* ---- Their beginning and end ---- */

/* On any thread. */
static void wake(void *context) {
  const rate_share_state *shares = context;
  uint64_t one = 1;
  ssize_t written = write(shares->fd, &one, sizeof one);
  (void)written; /* it is full only if it is readable */
}

static void on_wake(uv_poll_t *handle, int status, int events) {
  postgres_backend *self = handle->data;
  uint64_t count;
  (void)status;
  (void)events;
  if (read(state_of(self)->fd, &count, sizeof count) == sizeof count) {
    postgres_take_due_rate_shares(self);
  }
}

bool postgres_open_rate_shares(postgres_backend *self) {
  rate_share_state *shares = state_of(self);
  if (user_of(self) == NULL) {
    return true;
  }
  shares->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (shares->fd < 0 || uv_poll_init(self->loop, &shares->wake, shares->fd) != 0) {
    (void)close(shares->fd);
    return false;
  }
  shares->wake.data = self;
  self->users++;
  (void)uv_poll_start(&shares->wake, UV_READABLE, on_wake);
  user_of(self)->watch(user_of(self)->context, wake, shares);
  return true;
}

static void on_closed(uv_handle_t *handle) {
  postgres_backend *self = handle->data;
  (void)close(state_of(self)->fd);
  postgres_release(self);
}

void postgres_close_rate_shares(postgres_backend *self) {
  if (user_of(self) != NULL) {
    user_of(self)->watch(user_of(self)->context, NULL, NULL);
    postgres_lose_rate_shares(self);
    uv_close((uv_handle_t *)&state_of(self)->wake, on_closed);
  }
}
