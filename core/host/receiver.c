/* The webhook endpoint: checks a request, has it stored, answers. */
#include "receiver.h"

#include "clock.h"
#include "http_server.h"
#include "webhook_body.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct receiver {
  http_server *server;
  event_store *store;
  char *path;
  pthread_t thread;
  int stop_fd;
  _Atomic int64_t patience_ms;
};

/* At the end, for requests of which only a part has arrived: their senders come again. */
#define HALF_PATIENCE_MS 1000

static void on_head(void *context, http_exchange *exchange) {
  const receiver *r = context;
  http_header headers[] = {{"Content-Type", "application/json"}, {"Allow", "POST"}};
  static const char wrong_method[] = "{\"error\":\"webhooks are sent with POST\"}\n";
  if (strcmp(http_exchange_path(exchange), r->path) != 0)
    http_exchange_refuse(exchange, 404, "no webhooks are received at this path");
  else if (strcmp(http_exchange_method(exchange), "POST") != 0)
    http_exchange_answer(exchange, 405, headers, 2, wrong_method, sizeof wrong_method - 1);
}

/* On the store's thread: the event is on disk, or it is not and the sender must come again. */
static void on_stored(void *context, const event_receipt *receipt) {
  char stored[64];
  http_header type = {"Content-Type", "application/json"};
  int size = snprintf(stored, sizeof stored, "{\"received\":true,\"id\":%lld}\n",
                      (long long)receipt->id);
  if (receipt->id > 0)
    http_exchange_answer(context, 200, &type, 1, stored, (size_t)size);
  else
    http_exchange_refuse(context, 503, "the event could not be stored");
}

static void on_request(void *context, http_exchange *exchange) {
  receiver *r = context;
  webhook_fields fields;
  char reason[128];
  event_record record = {.received_at = clock_unix_ms()};
  record.body = http_exchange_body(exchange, &record.body_size);
  if (!webhook_body_read(record.body, record.body_size, &fields, reason, sizeof reason)) {
    http_exchange_refuse(exchange, 400, reason);
    return;
  }
  record.action = fields.action;
  record.account_id = fields.account_id[0] != '\0' ? fields.account_id : NULL;
  http_exchange_defer(exchange);
  event_store_put(r->store, &record, on_stored, exchange);
}

/* Drained: a connection may still hold a request that has just arrived. */
static bool wait_and_run(receiver *r, int64_t most) {
  int64_t timeout = http_server_timeout(r->server);
  if (timeout < 0 || (most >= 0 && timeout > most))
    timeout = most;
  struct pollfd fds[2] = {
      {.fd = http_server_fd(r->server), .events = POLLIN},
      {.fd = r->stop_fd, .events = POLLIN},
  };
  if (poll(fds, most >= 0 ? 1 : 2, (int)timeout) < 0) {
    /* a machine short of memory must not end the receiving */
    struct timespec rest = {.tv_nsec = 10000000};
    nanosleep(&rest, NULL);
    fds[1].revents = 0;
  }
  http_server_run(r->server);
  return fds[1].revents == 0;
}

static void *loop(void *context) {
  receiver *r = context;
  while (wait_and_run(r, -1)) {
  }
  http_server_close_listener(r->server);
  int64_t began = clock_steady_ms();
  int64_t waited = 0;
  while ((http_server_whole(r->server) > 0 && waited < r->patience_ms) ||
         (http_server_active(r->server) > 0 && waited < HALF_PATIENCE_MS)) {
    wait_and_run(r, 50);
    waited = clock_steady_ms() - began;
  }
  return NULL;
}

static void destroy(receiver *r) {
  http_server_free(r->server);
  if (r->stop_fd >= 0)
    close(r->stop_fd);
  free(r->path);
  free(r);
}

receiver *receiver_start(const receiver_options *options, char *error, size_t error_size) {
  receiver *r = calloc(1, sizeof *r);
  if (r == NULL) {
    snprintf(error, error_size, "out of memory");
    return NULL;
  }
  r->store = options->store;
  r->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  r->path = strdup(options->path);
  http_server_options server = {
      .listen = options->listen,
      .max_body = options->max_body,
      .on_head = on_head,
      .on_request = on_request,
      .context = r,
  };
  r->server = http_server_new(&server, error, error_size);
  if (r->server == NULL || r->path == NULL || r->stop_fd < 0 ||
      pthread_create(&r->thread, NULL, loop, r) != 0) {
    if (r->server != NULL)
      snprintf(error, error_size, "the receiver could not be started");
    destroy(r);
    return NULL;
  }
  return r;
}

const char *receiver_address(const receiver *r) {
  return http_server_address(r->server);
}

void receiver_ask_stop(receiver *r, int64_t patience_ms) {
  uint64_t one = 1;
  r->patience_ms = patience_ms;
  ssize_t written = write(r->stop_fd, &one, sizeof one);
  (void)written; /* full: it is readable already */
}

bool receiver_join(receiver *r, int64_t patience_ms) {
  int64_t moment = clock_unix_ms() + patience_ms;
  struct timespec until = {.tv_sec = moment / 1000, .tv_nsec = (moment % 1000) * 1000000};
  if (pthread_timedjoin_np(r->thread, NULL, &until) != 0)
    return false;
  destroy(r);
  return true;
}
