/* The webhook endpoint: checks a request, has it stored, answers. */
#include "receiver.h"

#include "clock.h"
#include "http_server.h"
#include "palenca.h"
#include "prompt.h"

#include <openssl/crypto.h>
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
  net_block *trusted, *allowed;
  size_t trusted_count, allowed_count;
  webhook_signature *signature; /* NULL: none is asked for */
  refusal_log *log;             /* NULL: nobody wants to know */
  http_answer *not_stored, *no_access;
  pthread_t thread;
  size_t not_pushed; /* since the store was last asked to go on */
  int stop_fd;
  _Atomic int64_t patience_ms;
};

/* At the end, for requests of which only a part has arrived: their senders come again. */
#define HALF_PATIENCE_MS 1000
/* A batch for the store, which need not wait until all that have arrived are read. */
#define PUSH_AT 16
/* What comes while answers are sent is read before the store is asked to go on, but not for ever:
 * so many runs in a row. */
#define RUNS_MOST 8
/* More headers of one name than any chain of proxies sends. */
#define FORWARDED_MAX 16

/* ---- who may send what ---------------------------------------------------------------- */

static net_address client_of(const receiver *r, const http_exchange *exchange) {
  const char *values[FORWARDED_MAX];
  const net_address *peer = http_exchange_peer(exchange);
  if (r->trusted_count == 0)
    return *peer;
  size_t count = http_exchange_values(exchange, "X-Forwarded-For", values, FORWARDED_MAX);
  if (count > FORWARDED_MAX)
    return (net_address){.kind = NET_UNKNOWN};
  return net_address_forwarded(peer, r->trusted, r->trusted_count, values, count);
}

/* The exchange is NULL if all that is known is from whom its connection comes. */
static void note(const receiver *r, const http_exchange *exchange, const net_address *peer,
                 int status, const char *cause) {
  if (r->log == NULL)
    return;
  net_address client = exchange != NULL ? client_of(r, exchange) : *peer;
  bool is_proxy = net_blocks_hold(r->trusted, r->trusted_count, &client);
  refusal_log_note(r->log, clock_steady_ms(), status, cause, &client, is_proxy);
}

static void note_exchange(const receiver *r, const http_exchange *exchange, int status,
                          const char *cause) {
  note(r, exchange, http_exchange_peer(exchange), status, cause);
}

static void refuse(const receiver *r, http_exchange *exchange, int status, const char *reason) {
  note_exchange(r, exchange, status, reason);
  http_exchange_refuse(exchange, status, reason);
}

static void on_refused(void *context, const http_exchange *exchange, const net_address *peer,
                       int status, const char *reason) {
  note(context, exchange, peer, status, reason);
}

static bool is_allowed(const receiver *r, const http_exchange *exchange) {
  if (r->allowed_count == 0)
    return true;
  net_address client = client_of(r, exchange);
  return net_blocks_hold(r->allowed, r->allowed_count, &client);
}

static bool is_path(const receiver *r, const char *path) {
  size_t size = strlen(r->path);
  return strlen(path) == size && CRYPTO_memcmp(path, r->path, size) == 0;
}

static void on_head(void *context, http_exchange *exchange) {
  const receiver *r = context;
  http_header headers[] = {{"Content-Type", "application/json"}, {"Allow", "POST"}};
  static const char wrong_method[] = "{\"error\":\"webhooks are sent with POST\"}\n";
  if (!is_allowed(r, exchange)) {
    note_exchange(r, exchange, 403, "this address is not allowed");
    http_exchange_refuse(exchange, 403, "forbidden");
  } else if (!is_path(r, http_exchange_path(exchange))) {
    note_exchange(r, exchange, 404, "another path");
    http_exchange_refuse(exchange, 404, "not found");
  } else if (strcmp(http_exchange_method(exchange), "POST") != 0) {
    note_exchange(r, exchange, 405, "another method than POST");
    http_exchange_answer(exchange, 405, headers, 2, wrong_method, sizeof wrong_method - 1);
  }
}

static bool is_signed(const receiver *r, http_exchange *exchange) {
  if (r->signature == NULL)
    return true;
  const char *values[2];
  size_t size;
  const char *body = http_exchange_body(exchange, &size);
  size_t count = http_exchange_values(exchange, webhook_signature_header(r->signature), values, 2);
  const char *cause = webhook_signature_refusal(r->signature, values, count, body, size);
  if (cause == NULL)
    return true;
  note_exchange(r, exchange, 401, cause);
  http_exchange_give(exchange, r->no_access);
  return false;
}

/* ---- storing --------------------------------------------------------------------------- */

/* On the store's thread: the event is on disk, or it is not and the sender must come again. */
static void on_stored(void *context, const event_receipt *receipt) {
  const receiver *r = http_exchange_context(context);
  char stored[64];
  http_header type = {"Content-Type", "application/json"};
  int size =
      snprintf(stored, sizeof stored, "{\"received\":true,\"id\":%lld}\n", (long long)receipt->id);
  if (receipt->id > 0)
    http_exchange_answer(context, 200, &type, 1, stored, (size_t)size);
  else
    http_exchange_give(context, r->not_stored);
}

static void on_request(void *context, http_exchange *exchange) {
  receiver *r = context;
  palenca_webhook_text fields[PALENCA_WEBHOOK_FIELDS];
  palenca_error error;
  char action[PALENCA_WEBHOOK_NAME_MAX + 1], account_id[PALENCA_WEBHOOK_NAME_MAX + 1];
  event_record record = {.received_at = clock_unix_ms(), .action = action};
  if (!is_signed(r, exchange))
    return;
  record.body = http_exchange_body(exchange, &record.body_size);
  if (!palenca_webhook_scan(record.body, record.body_size, fields, &error)) {
    refuse(r, exchange, 400, error.message);
    return;
  }
  palenca_webhook_decode(&fields[PALENCA_WEBHOOK_ACTION], action);
  palenca_webhook_decode(&fields[PALENCA_WEBHOOK_ACCOUNT_ID], account_id);
  record.account_id = account_id[0] != '\0' ? account_id : NULL;
  http_exchange_defer(exchange);
  event_store_put(r->store, &record, on_stored, exchange);
  if (++r->not_pushed == PUSH_AT) {
    event_store_push(r->store);
    r->not_pushed = 0;
  }
}

/* ---- the thread ------------------------------------------------------------------------ */

static int64_t next_timeout(const receiver *r, int64_t most) {
  int64_t timeout = http_server_timeout(r->server);
  int64_t of_log = r->log != NULL ? refusal_log_timeout(r->log, clock_steady_ms()) : -1;
  if (timeout < 0 || (of_log >= 0 && of_log < timeout))
    timeout = of_log;
  if (timeout < 0 || (most >= 0 && timeout > most))
    timeout = most;
  return timeout;
}

/* Drained: a connection may still hold a request that has just arrived. */
static bool wait_and_run(receiver *r, int64_t most) {
  int64_t timeout = next_timeout(r, most);
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
  for (int runs = 1; http_server_run(r->server) && runs < RUNS_MOST; runs++) {
  }
  event_store_push(r->store);
  r->not_pushed = 0;
  if (r->log != NULL)
    refusal_log_run(r->log, clock_steady_ms());
  return fds[1].revents == 0;
}

static void *loop(void *context) {
  receiver *r = context;
  prompt_thread();
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
  if (!http_server_free(r->server))
    return; /* somebody is still to answer */
  http_answer_free(r->not_stored);
  http_answer_free(r->no_access);
  if (r->log != NULL)
    refusal_log_run(r->log, INT64_MAX / 2);
  refusal_log_free(r->log);
  webhook_signature_free(r->signature);
  if (r->stop_fd >= 0)
    close(r->stop_fd);
  free(r->trusted);
  free(r->allowed);
  free(r->path);
  free(r);
}

static http_answer *constant(int status, const char *body) {
  http_header type = {"Content-Type", "application/json"};
  return http_answer_new(status, &type, 1, body, strlen(body));
}

static bool copy_blocks(net_block **out, size_t *count, const net_block *blocks, size_t number) {
  *out = malloc(number * sizeof *blocks + 1);
  if (*out == NULL)
    return false;
  if (number > 0)
    memcpy(*out, blocks, number * sizeof *blocks);
  *count = number;
  return true;
}

static bool prepare(receiver *r, const receiver_options *options, char *error, size_t error_size) {
  snprintf(error, error_size, "out of memory");
  r->path = strdup(options->path);
  r->not_stored = constant(503, "{\"error\":\"the event could not be stored\"}\n");
  r->no_access = constant(401, "{\"error\":\"unauthorized\"}\n");
  if (r->stop_fd < 0 || r->path == NULL || r->not_stored == NULL || r->no_access == NULL ||
      !copy_blocks(&r->trusted, &r->trusted_count, options->trusted, options->trusted_count) ||
      !copy_blocks(&r->allowed, &r->allowed_count, options->allowed, options->allowed_count))
    return false;
  if (options->log != NULL &&
      (r->log = refusal_log_new(options->log, options->log_context)) == NULL)
    return false;
  if (options->signature != NULL)
    r->signature = webhook_signature_new(options->signature, error, error_size);
  return options->signature == NULL || r->signature != NULL;
}

static bool start(receiver *r, const receiver_options *options, char *error, size_t error_size) {
  http_server_options server = {
      .listen = options->listen,
      .max_body = options->max_body,
      .max_head = options->max_head,
      .request_ms = options->request_ms,
      .idle_ms = options->idle_ms,
      .max_connections = options->max_connections,
      .max_connections_per_address = options->max_connections_per_address,
      .on_head = on_head,
      .on_request = on_request,
      .on_refused = on_refused,
      .context = r,
  };
  r->server = http_server_new(&server, error, error_size);
  if (r->server == NULL)
    return false;
  snprintf(error, error_size, "the receiver's thread could not be started");
  return pthread_create(&r->thread, NULL, loop, r) == 0;
}

receiver *receiver_start(const receiver_options *options, char *error, size_t error_size) {
  receiver *r = calloc(1, sizeof *r);
  if (r == NULL) {
    snprintf(error, error_size, "out of memory");
    return NULL;
  }
  r->store = options->store;
  r->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (prepare(r, options, error, error_size) && start(r, options, error, error_size))
    return r;
  destroy(r);
  return NULL;
}

size_t receiver_max_connections(const receiver *r) {
  return http_server_max_connections(r->server);
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
