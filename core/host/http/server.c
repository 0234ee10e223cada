/* Runs an HTTP server on a libuv loop: its handles, and what it does in each turn. */
#include "clock.h"
#include "internal.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_BODY ((size_t)64 * 1024)
#define DEFAULT_HEAD ((size_t)8 * 1024)
#define DEFAULT_REQUEST_MS 10000
#define DEFAULT_IDLE_MS 60000
#define DEFAULT_CONNECTIONS ((size_t)2048)
#define HEADERS_MAX 100
/* Descriptors that the rest of the process must not be short of. */
#define DESCRIPTORS_OF_OTHERS ((size_t)512)
#define CONNECTIONS_MIN ((size_t)64)
/* What comes while responses are sent belongs to the same batch, but not for ever. */
#define TURNS_MAX 8
/* Connections of which there is more than fits into a turn, in one turn: the others wait for the
 * next ones, so that turns stay short whatever number of clients sends without end. */
#define QUEUED_MAX 8
/* Lingering connections that are read, once in an interval. Their peers send as fast as they are
 * read, and each byte would cost time that other clients wait for. */
#define DISCARDING_MAX 8
#define DISCARD_INTERVAL_MS 5

/* ---- one turn of the loop ------------------------------------------------------------------ */

static void on_idle(uv_idle_t *handle) {
  (void)handle;
}

static void keep_awake(http_server *server, bool is_awake) {
  if (server->is_awake == is_awake || server->is_closing) {
    return;
  }
  server->is_awake = is_awake;
  if (is_awake) {
    (void)uv_idle_start(&server->idle, on_idle);
  } else {
    (void)uv_idle_stop(&server->idle);
  }
}

static void on_wake(uv_async_t *handle) {
  (void)handle; /* the end of the turn sends what was responded */
}

static void on_timer(uv_timer_t *handle);

/* A timer that ends too early costs a turn, and setting it anew would cost some in each turn. */
static void set_timer(http_server *server) {
  int64_t next = http_connections_next_timeout(server);
  int64_t now = http_server_now(server);
  if (server->accept_at > 0 && server->accept_at < next) {
    next = server->accept_at;
  }
  if (!server->is_closing && server->discarding.first != NULL && server->discard_at < next) {
    next = server->discard_at;
  }
  if (next == INT64_MAX || (server->timer_at > 0 && server->timer_at <= next)) {
    return;
  }
  server->timer_at = next > 0 ? next : 1;
  (void)uv_timer_start(&server->timer, on_timer, next > now ? (uint64_t)(next - now) : 0, 0);
}

/* Timeouts are judged at the end of the turn, after what is ready has been read: it must not wait
 * for more. Of a server that is closed, only lingering connections are left. */
static void on_timer(uv_timer_t *handle) {
  http_server *server = handle->data;
  server->timer_at = 0;
  keep_awake(server, true);
  if (!server->is_closing) {
    return;
  }
  http_connections_end_overdue(server);
  set_timer(server);
}

static void append(http_connection_list *list, http_connection *c) {
  if (c->is_queued || c->state == HTTP_STATE_CLOSED) {
    return;
  }
  c->is_queued = true;
  c->next_queued = NULL;
  *list->end = c;
  list->end = &c->next_queued;
}

void http_server_queue(http_connection *c) {
  append(&c->server->queued, c);
  keep_awake(c->server, true);
}

void http_server_queue_discarding(http_connection *c) {
  append(&c->server->discarding, c);
}

/* Not those that are appended meanwhile. */
static void advance(http_connection_list *list, size_t max) {
  http_connection **end = list->end;
  bool is_last = list->first == NULL;
  for (size_t i = 0; i < max && !is_last; i++) {
    http_connection *c = list->first;
    is_last = &c->next_queued == end;
    list->first = c->next_queued;
    if (list->first == NULL) {
      list->end = &list->first;
    }
    c->is_queued = false;
    if (c->state == HTTP_STATE_CLOSED) {
      http_connection_free_if_done(c);
    } else {
      (void)http_connection_advance(c);
    }
  }
}

static void discard_some(http_server *server) {
  if (server->discarding.first != NULL && server->discard_at <= http_server_now(server)) {
    advance(&server->discarding, DISCARDING_MAX);
    server->discard_at = http_server_now(server) + DISCARD_INTERVAL_MS;
  }
}

static void record_thread(http_server *server) {
  if (server->has_thread) {
    return;
  }
  pthread_mutex_lock(&server->mutex);
  server->thread = pthread_self();
  server->has_thread = true;
  pthread_mutex_unlock(&server->mutex);
}

static void end_batch(http_server *server) {
  server->turns = 0;
  if (server->options.on_batch == NULL) {
    return;
  }
  server->options.on_batch(server->options.context);
  uv_update_time(server->loop); /* it may have waited for a disk */
}

static void close_if_done(http_server *server);

/* Those who have just sent something, or wait for a response, go before those of whom there is more
 * than fits into a turn. If there are any of the latter, the turns are long, and a batch does not
 * wait for another one. */
static void on_check(uv_check_t *handle) {
  http_server *server = handle->data;
  record_thread(server);
  server->is_in_turn = true;
  server->turn++;
  http_exchanges_send_responded(server);
  if (server->is_closing) {
    server->is_in_turn = false;
    advance(&server->queued, SIZE_MAX);
    advance(&server->discarding, SIZE_MAX);
    close_if_done(server);
    return;
  }
  http_accept_retry(server);
  http_connections_end_overdue(server);
  server->handshakes = server->rejections = 0;
  bool waits = server->made_progress && server->queued.first == NULL && ++server->turns < TURNS_MAX;
  server->made_progress = false;
  if (!waits) {
    end_batch(server);
    http_exchanges_send_responded(server);
  }
  server->is_in_turn = false;
  advance(&server->queued, QUEUED_MAX);
  discard_some(server);
  keep_awake(server, waits || server->made_progress || server->queued.first != NULL);
  set_timer(server);
}

/* ---- what the other files ask for ------------------------------------------------------------ */

const char *http_server_date(http_server *server) {
  int64_t seconds = clock_unix_ms() / 1000;
  if (seconds != server->date_at) {
    server->date_at = seconds;
    http_date_write(seconds, server->date);
  }
  return server->date;
}

struct ssl_st *http_server_open_tls(http_server *server, int fd, unsigned *reads) {
  if (!server->has_tls) {
    return NULL;
  }
  pthread_mutex_lock(&server->mutex);
  struct ssl_st *session = http_tls_open(server->tls, fd, reads);
  pthread_mutex_unlock(&server->mutex);
  return session;
}

void http_server_rejected(http_server *server, const http_exchange *exchange,
                          const net_address *peer, int status, const char *reason) {
  const http_server_options *options = &server->options;
  if (options->on_rejected != NULL) {
    options->on_rejected(options->context, exchange, peer, status, reason);
  }
}

void http_server_connection_freed(http_server *server) {
  if (server->is_closing) {
    close_if_done(server);
  }
}

/* ---- its start --------------------------------------------------------------------------------
 */

#define OR_DEFAULT(field, value) ((field) = (field) != 0 ? (field) : (value))

static void fill_in(http_server_options *options) {
  OR_DEFAULT(options->max_body, DEFAULT_BODY);
  OR_DEFAULT(options->max_head, DEFAULT_HEAD);
  OR_DEFAULT(options->request_ms, DEFAULT_REQUEST_MS);
  OR_DEFAULT(options->idle_ms, DEFAULT_IDLE_MS);
  OR_DEFAULT(options->max_connections, DEFAULT_CONNECTIONS);
}

/* As many connections as there may be descriptors; the program has asked for as many as it may. */
static void fit_connections(http_server_options *options) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 ||
      files.rlim_cur >= options->max_connections + DESCRIPTORS_OF_OTHERS) {
    return;
  }
  size_t left = files.rlim_cur > DESCRIPTORS_OF_OTHERS
                    ? (size_t)files.rlim_cur - DESCRIPTORS_OF_OTHERS
                    : (size_t)files.rlim_cur / 4;
  if (left < CONNECTIONS_MIN) {
    left = CONNECTIONS_MIN;
  }
  if (left < options->max_connections) {
    options->max_connections = left;
  }
}

static bool copy_names(http_server_options *options) {
  options->listen = NULL; /* the listener has it */
  if (options->tls_cert == NULL) {
    return true;
  }
  options->tls_cert = strdup(options->tls_cert);
  options->tls_key = strdup(options->tls_key != NULL ? options->tls_key : "");
  return options->tls_cert != NULL && options->tls_key != NULL;
}

static bool is_opened(http_server *server, uv_handle_t *handle, int status) {
  handle->data = server;
  server->handles += status == 0;
  return status == 0;
}

/* A handle that was not opened is marked by its type: it must not be closed. */
static bool open_handles(http_server *server) {
  uv_loop_t *loop = server->loop;
  int on = 1;
  /* accepted sockets inherit it; a Unix socket does not have it */
  (void)setsockopt(server->listener.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return is_opened(server, (uv_handle_t *)&server->wake,
                   uv_async_init(loop, &server->wake, on_wake)) &&
         is_opened(server, (uv_handle_t *)&server->check, uv_check_init(loop, &server->check)) &&
         is_opened(server, (uv_handle_t *)&server->idle, uv_idle_init(loop, &server->idle)) &&
         is_opened(server, (uv_handle_t *)&server->timer, uv_timer_init(loop, &server->timer)) &&
         is_opened(server, (uv_handle_t *)&server->accepting,
                   uv_poll_init(loop, &server->accepting, server->listener.fd)) &&
         uv_poll_start(&server->accepting, UV_READABLE, http_accept_ready) == 0 &&
         uv_check_start(&server->check, on_check) == 0;
}

static http_response *make_out_of_memory(void) {
  static const char body[] = "{\"error\":\"out of memory\"}\n";
  const http_header type = {"Content-Type", "application/json"};
  return http_response_new(503, &type, 1, body, sizeof body - 1);
}

static bool open_parts(http_server *server, host_error *error) {
  const http_server_options *options = &server->options;
  const char *listen = options->listen;
  if (options->passed_fd > 0 ? !http_listener_adopt(&server->listener, options->passed_fd, error)
                             : !http_listener_open(&server->listener, listen, error)) {
    return false;
  }
  server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  server->out_of_memory = make_out_of_memory();
  if (!copy_names(&server->options) || server->spare_fd < 0 || server->out_of_memory == NULL ||
      !open_handles(server)) {
    return host_error_set(error, HOST_FAILED, "%s: the HTTP server could not be started", listen);
  }
  if (options->tls_cert == NULL) {
    return true;
  }
  server->tls = http_tls_new(options->tls_cert, options->tls_key, error);
  server->has_tls = server->tls != NULL;
  return server->has_tls;
}

http_server *http_server_new(uv_loop_t *loop, const http_server_options *options,
                             host_error *error) {
  http_server *server = calloc(1, sizeof *server);
  if (server == NULL) {
    (void)host_error_set(error, HOST_FAILED, "%s: out of memory", options->listen);
    return NULL;
  }
  server->loop = loop;
  server->options = *options;
  server->listener.fd = server->spare_fd = -1;
  server->queued.end = &server->queued.first;
  server->discarding.end = &server->discarding.first;
  pthread_mutex_init(&server->mutex, NULL);
  fill_in(&server->options);
  fit_connections(&server->options);
  server->limits = (http_parser_limits){
      .max_head = server->options.max_head,
      .max_headers = HEADERS_MAX,
      .max_body = server->options.max_body,
  };
  if (open_parts(server, error)) {
    return server;
  }
  server->live = 0;
  http_server_close(server, NULL, NULL);
  return NULL;
}

/* ---- its end ----------------------------------------------------------------------------------
 */

void http_server_end_connections(http_server *server) {
  if (!server->is_ending) {
    server->ending_at = http_server_now(server);
  }
  server->is_ending = true;
}

void http_server_close_listener(http_server *server) {
  http_server_end_connections(server);
  if (server->listener.fd >= 0 && server->accepting.type == UV_POLL) {
    (void)uv_poll_stop(&server->accepting);
  }
  http_listener_close(&server->listener);
  server->accept_at = 0;
}

static void destroy(http_server *server) {
  void (*on_closed)(void *context) = server->on_closed;
  void *context = server->on_closed_context;
  while (server->spare_head_count > 0) {
    free(server->spare_heads[--server->spare_head_count]);
  }
  http_response_free(server->out_of_memory);
  http_tls_free(server->tls);
  if (server->spare_fd >= 0) {
    close(server->spare_fd);
  }
  if (server->options.tls_cert != NULL) {
    free((char *)(uintptr_t)server->options.tls_cert);
    free((char *)(uintptr_t)server->options.tls_key);
  }
  pthread_mutex_destroy(&server->mutex);
  free(server);
  if (on_closed != NULL) {
    on_closed(context);
  }
}

static void on_handle_closed(uv_handle_t *handle) {
  http_server *server = handle->data;
  if (--server->handles == 0) {
    destroy(server);
  }
}

static void close_handle(uv_handle_t *handle) {
  if (handle->data != NULL && handle->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handle)) {
    uv_close(handle, on_handle_closed);
  }
}

/* Who is to respond still needs the handle that wakes the loop, and the loop the one that sends. */
static void close_if_done(http_server *server) {
  if (server->live > 0 || server->deferred > 0) {
    return;
  }
  close_handle((uv_handle_t *)&server->wake);
  close_handle((uv_handle_t *)&server->check);
  close_handle((uv_handle_t *)&server->timer);
}

/* Those that linger are closed by their peers, or by the timer. */
static void close_connections(http_server *server) {
  http_entry *entry;
  for (http_wait wait = HTTP_WAIT_REQUEST; wait < HTTP_WAIT_LINGER; wait++) {
    while ((entry = server->connections.waits[wait].oldest) != NULL) {
      http_connection_close((http_connection *)(void *)entry);
    }
  }
  for (size_t i = 0; i < HTTP_ADDRESS_BUCKETS; i++) {
    while ((entry = server->connections.buckets[i]) != NULL) {
      http_connections_remove(&server->connections, entry); /* it may be closed already */
      http_connection_close((http_connection *)(void *)entry);
    }
  }
}

void http_server_close(http_server *server, void (*on_closed)(void *context), void *context) {
  server->on_closed = on_closed;
  server->on_closed_context = context;
  http_server_close_listener(server);
  server->is_closing = true;
  advance(&server->discarding, SIZE_MAX); /* from here on each turn does */
  close_connections(server);
  if (server->handles == 0) {
    destroy(server);
    return;
  }
  close_handle((uv_handle_t *)&server->accepting);
  close_handle((uv_handle_t *)&server->idle);
  set_timer(server);
  close_if_done(server);
}

bool http_server_reload_tls(http_server *server, host_error *error) {
  const http_server_options *options = &server->options;
  if (options->tls_cert == NULL) {
    return true;
  }
  struct ssl_ctx_st *tls = http_tls_new(options->tls_cert, options->tls_key, error);
  if (tls == NULL) {
    return false;
  }
  pthread_mutex_lock(&server->mutex);
  struct ssl_ctx_st *before = server->tls;
  server->tls = tls;
  pthread_mutex_unlock(&server->mutex);
  http_tls_free(before);
  return true;
}

/* ---- questions ----------------------------------------------------------------------------------
 */

size_t http_server_active(const http_server *server) {
  return server->active;
}

size_t http_server_complete_requests(const http_server *server) {
  return server->complete;
}

bool http_server_awaits(const http_server *server, int64_t ms) {
  const http_entry *newest = server->connections.waits[HTTP_WAIT_REQUEST].newest;
  return newest != NULL && newest->since > http_server_now(server) - ms;
}

size_t http_server_connections(const http_server *server) {
  return server->connections.count;
}

size_t http_server_reusable(const http_server *server) {
  return server->connections.waits[HTTP_WAIT_NEXT].count;
}

size_t http_server_max_connections(const http_server *server) {
  return server->options.max_connections;
}

const char *http_server_address(const http_server *server) {
  return server->listener.address;
}
