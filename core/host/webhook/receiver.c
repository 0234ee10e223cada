/* The webhook endpoint: checks a request, has it stored, responds. */
#include "receiver.h"

#include "clock.h"
#include "common/metrics.h"
#include "http/server.h"
#include "palenca.h"
#include "trace.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct receiver {
  host_loop *loop;
  uv_async_t stop;
  uv_timer_t log_timer, stop_timer;
  http_server *server;
  event_store *store; /* NULL: not yet */
  char *path;
  net_block *trusted, *allowed;
  size_t trusted_count, allowed_count;
  webhook_signature *signature; /* NULL: none is asked for; guarded by the mutex */
  rejection_log *log;           /* NULL: not logged */
  http_response *not_stored, *no_access;
  bool is_passed;      /* the socket: others accept from it afterwards */
  int64_t ending_at;   /* when each response became the last one of its connection; 0: it is not */
  int64_t stopping_at; /* 0: it runs */
  _Atomic bool may_stop; /* it was asked for */
  int open;              /* handles, and the server */
  bool is_closing;
  _Atomic int64_t timeout_ms; /* at the end, for requests that have arrived */
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool has_ended; /* guarded by the mutex */
};

/* At the end, for requests of which only a part has arrived: their senders will retry. For clients
 * of a passed socket also to send again on a connection. */
#define PARTIAL_TIMEOUT_MS 1000
/* For clients of a passed socket to send on a connection that was accepted. */
#define FIRST_TIMEOUT_MS 300
#define STOP_INTERVAL_MS 50
/* More headers of one name than any chain of proxies sends. */
#define FORWARDED_MAX 16

/* ---- who may send what ---------------------------------------------------------------- */

static net_address client_of(const receiver *r, const http_exchange *exchange) {
  const char *values[FORWARDED_MAX];
  const net_address *peer = http_exchange_peer(exchange);
  if (r->trusted_count == 0) {
    return *peer;
  }
  size_t count = http_exchange_values(exchange, "X-Forwarded-For", values, FORWARDED_MAX);
  if (count > FORWARDED_MAX) {
    return (net_address){.kind = NET_UNKNOWN};
  }
  return net_address_forwarded(peer, r->trusted, r->trusted_count, values, count);
}

/* The exchange is NULL if all that is known is from whom its connection comes. */
static void on_log_timer(uv_timer_t *handle);

static void set_log_timer(receiver *r) {
  int64_t timeout = rejection_log_timeout(r->log, clock_steady_ms());
  if (timeout >= 0 && !r->is_closing && !uv_is_active((uv_handle_t *)&r->log_timer)) {
    (void)uv_timer_start(&r->log_timer, on_log_timer, (uint64_t)timeout, 0);
  }
}

static void on_log_timer(uv_timer_t *handle) {
  receiver *r = handle->data;
  rejection_log_run(r->log, clock_steady_ms());
  set_log_timer(r);
}

static void note(receiver *r, const http_exchange *exchange, const net_address *peer, int status,
                 const char *cause) {
  if (r->log == NULL) {
    return;
  }
  net_address client = exchange != NULL ? client_of(r, exchange) : *peer;
  bool is_proxy = net_blocks_hold(r->trusted, r->trusted_count, &client);
  rejection_log_record(r->log, clock_steady_ms(), status, cause, &client, is_proxy);
  set_log_timer(r);
}

static void note_exchange(receiver *r, const http_exchange *exchange, int status,
                          const char *cause) {
  note(r, exchange, http_exchange_peer(exchange), status, cause);
}

static void reject(receiver *r, http_exchange *exchange, int status, const char *reason) {
  note_exchange(r, exchange, status, reason);
  http_exchange_reject(exchange, status, reason);
}

static void on_rejected(void *context, const http_exchange *exchange, const net_address *peer,
                        int status, const char *reason) {
  note(context, exchange, peer, status, reason);
}

static bool is_allowed(const receiver *r, const http_exchange *exchange) {
  if (r->allowed_count == 0) {
    return true;
  }
  net_address client = client_of(r, exchange);
  return net_blocks_hold(r->allowed, r->allowed_count, &client);
}

static bool is_path(const receiver *r, const char *path) {
  size_t size = strlen(r->path);
  return strlen(path) == size && CRYPTO_memcmp(path, r->path, size) == 0;
}

static void on_head(void *context, http_exchange *exchange) {
  receiver *r = context;
  http_header headers[] = {{"Content-Type", "application/json"}, {"Allow", "POST"}};
  static const char wrong_method[] = "{\"error\":\"webhooks are sent with POST\"}\n";
  if (!is_allowed(r, exchange)) {
    note_exchange(r, exchange, 403, "this address is not allowed");
    http_exchange_reject(exchange, 403, "forbidden");
  } else if (!is_path(r, http_exchange_path(exchange))) {
    note_exchange(r, exchange, 404, "another path");
    http_exchange_reject(exchange, 404, "not found");
  } else if (strcmp(http_exchange_method(exchange), "POST") != 0) {
    note_exchange(r, exchange, 405, "another method than POST");
    http_exchange_respond(exchange, 405, headers, 2, wrong_method, sizeof wrong_method - 1);
  }
}

/* NULL if it is signed, or need not be. */
static const char *signature_rejection(receiver *r, http_exchange *exchange) {
  const char *values[2], *cause = NULL;
  size_t size;
  const char *body = http_exchange_body(exchange, &size);
  pthread_mutex_lock(&r->mutex);
  const webhook_signature *asked = r->signature;
  if (asked != NULL) {
    size_t count = http_exchange_values(exchange, webhook_signature_header(asked), values, 2);
    cause = webhook_signature_rejection(asked, values, count, body, size);
  }
  pthread_mutex_unlock(&r->mutex);
  return cause;
}

static bool is_signed(receiver *r, http_exchange *exchange) {
  const char *cause = signature_rejection(r, exchange);
  if (cause == NULL) {
    return true;
  }
  note_exchange(r, exchange, 401, cause);
  http_exchange_send_shared(exchange, r->no_access);
  return false;
}

/* ---- storing --------------------------------------------------------------------------- */

/* The event is on disk, or it is not and the sender must retry. */
static void on_stored(void *context, const event_receipt *receipt) {
  const receiver *r = http_exchange_context(context);
  char stored[64];
  http_header type = {"Content-Type", "application/json"};
  int size =
      snprintf(stored, sizeof stored, "{\"received\":true,\"id\":%lld}\n", (long long)receipt->id);
  if (receipt->id > 0) {
    http_exchange_respond(context, 200, &type, 1, stored, (size_t)size);
  } else {
    http_exchange_send_shared(context, r->not_stored);
  }
}

static void on_response(void *context, int status) {
  (void)context;
  metric_add(METRIC_WEBHOOKS, metric_code_label(status), 1);
}

/* What was ready has been read. */
static void on_batch(void *context) {
  receiver *r = context;
  event_store_end_turn(r->store);
}

/* A login that has started: its end, 10 s to 10 minutes later, is what handlers call the API for.
 */
static bool announces_others(const char *action) {
  return strcmp(action, "login.created") == 0 || strcmp(action, "login.retry") == 0;
}

static void on_request(void *context, http_exchange *exchange) {
  receiver *r = context;
  palenca_webhook_text fields[PALENCA_WEBHOOK_FIELDS];
  palenca_error error;
  char action[PALENCA_WEBHOOK_NAME_MAX + 1], account_id[PALENCA_WEBHOOK_NAME_MAX + 1];
  event_record record = {.received_at = clock_unix_ms(), .action = action};
  if (!is_signed(r, exchange)) {
    return;
  }
  record.body = http_exchange_body(exchange, &record.body_size);
  if (!palenca_webhook_scan(record.body, record.body_size, fields, &error)) {
    reject(r, exchange, 400, error.message);
    return;
  }
  palenca_webhook_decode(&fields[PALENCA_WEBHOOK_ACTION], action);
  if (strncmp(action, EVENT_RESERVED, sizeof EVENT_RESERVED - 1) == 0) {
    reject(r, exchange, 400, "the actions palenca.* are reserved");
    return;
  }
  palenca_webhook_decode(&fields[PALENCA_WEBHOOK_ACCOUNT_ID], account_id);
  record.account_id = account_id[0] != '\0' ? account_id : NULL;
  record.trace = webhook_trace(exchange);
  http_exchange_defer(exchange);
  if (announces_others(action)) {
    event_store_announce(r->store);
  }
  event_store_put(r->store, &record, on_stored, exchange);
}

/* ---- its end on the loop ---------------------------------------------------------------- */

static void count_closed(receiver *r) {
  if (--r->open > 0) {
    return;
  }
  pthread_mutex_lock(&r->mutex);
  r->has_ended = true;
  pthread_cond_signal(&r->changed);
  pthread_mutex_unlock(&r->mutex);
}

static void on_handle_closed(uv_handle_t *handle) {
  count_closed(handle->data);
}

static void on_server_closed(void *context) {
  count_closed(context);
}

static void close_handles(receiver *r) {
  uv_close((uv_handle_t *)&r->stop, on_handle_closed);
  uv_close((uv_handle_t *)&r->log_timer, on_handle_closed);
  uv_close((uv_handle_t *)&r->stop_timer, on_handle_closed);
}

static void close_all(receiver *r) {
  r->is_closing = true;
  if (r->store != NULL) {
    event_store_end_turns_itself(r->store, true);
  }
  close_handles(r);
  http_server_close(r->server, on_server_closed, r);
}

/* Those who find their connection closed just as they send cannot know whether they were heard. */
static bool waits_for_reuse(const receiver *r) {
  return r->is_passed && http_server_reusable(r->server) > 0 &&
         clock_steady_ms() - r->ending_at < PARTIAL_TIMEOUT_MS;
}

static bool waits_for_requests(const receiver *r) {
  int64_t waited = clock_steady_ms() - r->stopping_at;
  bool has_some = http_server_active(r->server) > 0 ||
                  (r->is_passed && http_server_awaits(r->server, FIRST_TIMEOUT_MS));
  return (http_server_complete_requests(r->server) > 0 && waited < r->timeout_ms) ||
         (has_some && waited < PARTIAL_TIMEOUT_MS);
}

/* When what has arrived is responded to, or has taken too long. */
static void on_stop_timer(uv_timer_t *handle) {
  receiver *r = handle->data;
  if (r->stopping_at == 0 && !waits_for_reuse(r)) {
    r->stopping_at = clock_steady_ms();
    http_server_close_listener(r->server);
  } else if (r->stopping_at > 0 && !waits_for_requests(r)) {
    http_server_read_waiting(r->server);
    if (!waits_for_requests(r)) {
      close_all(r);
    }
  }
}

static void on_stop(uv_async_t *handle) {
  receiver *r = handle->data;
  if (r->ending_at == 0) {
    r->ending_at = clock_steady_ms();
    http_server_end_connections(r->server);
  }
  if (!r->may_stop || uv_is_active((uv_handle_t *)&r->stop_timer)) {
    return;
  }
  (void)uv_timer_start(&r->stop_timer, on_stop_timer, 0, STOP_INTERVAL_MS);
  on_stop_timer(&r->stop_timer);
}

/* ---- its start and end ------------------------------------------------------------------ */

static void destroy(receiver *r) {
  http_response_free(r->not_stored);
  http_response_free(r->no_access);
  if (r->log != NULL) {
    rejection_log_run(r->log, INT64_MAX / 2);
  }
  rejection_log_free(r->log);
  webhook_signature_free(r->signature);
  pthread_cond_destroy(&r->changed);
  pthread_mutex_destroy(&r->mutex);
  free(r->trusted);
  free(r->allowed);
  free(r->path);
  free(r);
}

static http_response *constant(int status, const char *body) {
  http_header type = {"Content-Type", "application/json"};
  return http_response_new(status, &type, 1, body, strlen(body));
}

static bool copy_blocks(net_block **out, size_t *count, const net_block *blocks, size_t number) {
  *out = malloc(number * sizeof *blocks + 1);
  if (*out == NULL) {
    return false;
  }
  if (number > 0) {
    memcpy(*out, blocks, number * sizeof *blocks);
  }
  *count = number;
  return true;
}

static bool prepare(receiver *r, const receiver_options *options, host_error *error) {
  r->path = strdup(options->path);
  r->not_stored = constant(503, "{\"error\":\"the event could not be stored\"}\n");
  r->no_access = constant(401, "{\"error\":\"unauthorized\"}\n");
  if (r->path == NULL || r->not_stored == NULL || r->no_access == NULL ||
      !copy_blocks(&r->trusted, &r->trusted_count, options->trusted, options->trusted_count) ||
      !copy_blocks(&r->allowed, &r->allowed_count, options->allowed, options->allowed_count) ||
      (options->log != NULL &&
       (r->log = rejection_log_new(options->log, options->log_context)) == NULL)) {
    return host_error_set(error, HOST_FAILED, "out of memory");
  }
  if (options->signature != NULL) {
    r->signature = webhook_signature_new(options->signature, error);
  }
  return options->signature == NULL || r->signature != NULL;
}

static bool open_handles(receiver *r) {
  uv_loop_t *loop = host_loop_uv(r->loop);
  if (uv_async_init(loop, &r->stop, on_stop) != 0) {
    return false;
  }
  (void)uv_timer_init(loop, &r->log_timer); /* cannot fail */
  (void)uv_timer_init(loop, &r->stop_timer);
  r->stop.data = r->log_timer.data = r->stop_timer.data = r;
  r->open = 3;
  return true;
}

static void run_until_closed(receiver *r) {
  while (r->open > 0) {
    (void)uv_run(host_loop_uv(r->loop), UV_RUN_ONCE);
  }
}

static bool bind_address(receiver *r, const receiver_options *options, host_error *error) {
  http_server_options server = {
      .listen = options->listen,
      .passed_fd = options->passed_fd,
      .max_body = options->max_body,
      .max_head = options->max_head,
      .request_ms = options->request_ms,
      .idle_ms = options->idle_ms,
      .max_connections = options->max_connections,
      .max_connections_per_address = options->max_connections_per_address,
      .on_head = on_head,
      .on_request = on_request,
      .on_rejected = on_rejected,
      .on_response = on_response,
      .on_batch = on_batch,
      .tls_cert = options->tls_cert,
      .tls_key = options->tls_key,
      .context = r,
  };
  r->is_passed = options->passed_fd > 0;
  if (!open_handles(r)) {
    return host_error_set(error, HOST_FAILED, "the receiver could not be started");
  }
  r->server = http_server_new(host_loop_uv(r->loop), &server, error);
  if (r->server != NULL) {
    r->open++;
    return true;
  }
  close_handles(r);
  run_until_closed(r);
  return false;
}

static receiver *allocate(host_loop *loop) {
  receiver *r = calloc(1, sizeof *r);
  pthread_condattr_t attributes;
  if (r == NULL) {
    return NULL;
  }
  r->loop = loop;
  pthread_mutex_init(&r->mutex, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&r->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  return r;
}

receiver *receiver_new(const receiver_options *options, host_error *error) {
  receiver *r = allocate(options->loop);
  if (r == NULL) {
    (void)host_error_set(error, HOST_FAILED, "out of memory");
    return NULL;
  }
  if (prepare(r, options, error) && bind_address(r, options, error)) {
    return r;
  }
  destroy(r);
  return NULL;
}

void receiver_serve(receiver *r, event_store *store) {
  r->store = store;
  event_store_end_turns_itself(store, false);
}

size_t receiver_max_connections(const receiver *r) {
  return http_server_max_connections(r->server);
}

const char *receiver_address(const receiver *r) {
  return http_server_address(r->server);
}

bool receiver_reload_tls(receiver *r, host_error *error) {
  return http_server_reload_tls(r->server, error);
}

bool receiver_replace_signature(receiver *r, const webhook_signature_options *options,
                                host_error *error) {
  webhook_signature *next = webhook_signature_new(options, error);
  if (next == NULL) {
    return false;
  }
  pthread_mutex_lock(&r->mutex);
  webhook_signature *before = r->signature;
  r->signature = next;
  pthread_mutex_unlock(&r->mutex);
  webhook_signature_free(before);
  return true;
}

void receiver_end_connections(receiver *r) {
  (void)uv_async_send(&r->stop);
}

void receiver_ask_stop(receiver *r, int64_t timeout_ms) {
  r->timeout_ms = timeout_ms;
  r->may_stop = true;
  (void)uv_async_send(&r->stop);
}

bool receiver_join(receiver *r, int64_t timeout_ms) {
  int64_t end = clock_steady_ms() + timeout_ms;
  struct timespec until = {.tv_sec = end / 1000, .tv_nsec = (end % 1000) * 1000000};
  if (!host_loop_is_started(r->loop)) {
    close_all(r);
    run_until_closed(r);
  }
  pthread_mutex_lock(&r->mutex);
  while (!r->has_ended && pthread_cond_timedwait(&r->changed, &r->mutex, &until) != ETIMEDOUT) {
  }
  bool has_ended = r->has_ended;
  pthread_mutex_unlock(&r->mutex);
  if (has_ended) {
    destroy(r);
  }
  return has_ended;
}
