/* Connects to PostgreSQL beside the loop, again and again with growing waits. */
#include "clock.h"
#include "internal.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MIN_MS 100
#define WAIT_MAX_MS 2000

bool postgres_write_request(postgres_backend *self) {
  session_request *request = &self->request;
  request->host = self->host;
  values_reset(&request->held);
  values_add_integer(&request->held, self->host);
  values_begin_array(&request->held, VALUES_INTEGER);
  for (size_t i = 0; i < self->held.count; i++) {
    if (self->held.list[i].owner == self->host) {
      values_add_integer_element(&request->held, self->held.list[i].id);
    }
  }
  values_begin_array(&request->held, VALUES_TEXT);
  for (const event_timer *timer = self->timers.first; timer != NULL; timer = timer->next) {
    if (timer->is_running) {
      values_add_text_element(&request->held, timer->name);
    }
  }
  return !request->held.has_failed;
}

bool postgres_use_session(postgres_backend *self) {
  session *opened = &self->opened;
  PGconn *connection = opened->connection;
  opened->connection = NULL;
  self->host = opened->host;
  self->epoch = opened->epoch;
  self->timers.is_stale = true;
  self->may_be_ready = true;
  self->wait_ms = 0;
  self->connected_at = clock_steady_ms();
  self->lost_at = 0;
  self->logged_reason[0] = '\0';
  self->request.is_first = false;
  return link_open(&self->link, self->loop, connection);
}

/* What OpenSSL has allocated for a thread is freed here: libuv's end after it has cleaned up. */
static void open_session(uv_work_t *work) {
  postgres_backend *self = work->data;
  (void)session_open(&self->request, &self->opened, &self->open_error);
  OPENSSL_thread_stop();
}

/* Each reason once: what ended the connection is another one than what keeps it from coming back.
 */
static void log_reason(postgres_backend *self, const char *reason) {
  char line[560];
  if (strncmp(self->logged_reason, reason, sizeof self->logged_reason - 1) != 0) {
    (void)snprintf(self->logged_reason, sizeof self->logged_reason, "%s", reason);
    (void)snprintf(line, sizeof line, "cannot connect to the server: %s", self->logged_reason);
    postgres_log(self, true, line);
  }
}

static void fail(postgres_backend *self, const char *reason) {
  log_reason(self, reason);
  (void)snprintf(self->reason, sizeof self->reason, "%s", reason);
  self->failure = EVENT_FAILURE_OTHER;
  self->wait_ms = self->wait_ms == 0 ? WAIT_MIN_MS : self->wait_ms * 2;
  self->wait_ms = self->wait_ms < WAIT_MAX_MS ? self->wait_ms : WAIT_MAX_MS;
  self->connect_at = clock_steady_ms() + self->wait_ms;
  postgres_on_unconnected(self);
}

static void on_opened(uv_work_t *work, int status) {
  postgres_backend *self = work->data;
  session *opened = &self->opened;
  bool is_open = status == 0 && opened->connection != NULL;
  self->is_connecting = false;
  if (self->is_closing) {
    if (is_open) {
      self->pq->finish(opened->connection);
    }
    postgres_release(self);
    return;
  }
  int64_t host = self->host;
  if (!is_open) {
    fail(self, self->open_error.message);
  } else if (!postgres_use_session(self)) {
    fail(self, "the loop has no room for the connection");
  } else {
    postgres_on_connected(self, host == opened->host);
  }
  free(opened->last_ids);
  opened->last_ids = NULL;
  postgres_release(self);
}

void postgres_connect(postgres_backend *self) {
  if (self->is_connecting || self->link.connection != NULL ||
      clock_steady_ms() < self->connect_at) {
    return;
  }
  self->work.data = self;
  free(self->opened.last_ids);
  self->opened.last_ids = NULL;
  self->is_connecting = postgres_write_request(self) &&
                        uv_queue_work(self->loop, &self->work, open_session, on_opened) == 0;
  if (!self->is_connecting) {
    fail(self, "out of memory");
    return;
  }
  self->users++;
}

void postgres_reconnect(postgres_backend *self) {
  self->lost_at = clock_steady_ms();
  self->connect_at = self->connected_at + WAIT_MIN_MS;
  postgres_connect(self);
}
