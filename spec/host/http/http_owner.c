/* An owner of an HTTP server on a loop in the test itself, and clients. */
#include "http_owner.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void defer_all(void *context, http_exchange *exchange) {
  owner *o = context;
  http_exchange_defer(exchange);
  o->deferred[o->count++] = exchange;
}

static void count_rejected(void *context, const http_exchange *exchange, const net_address *peer,
                           int status, const char *reason) {
  owner *o = context;
  (void)exchange;
  (void)peer;
  (void)reason;
  o->rejected += status == 503;
}

static void count_batch(void *context) {
  ((owner *)context)->batches++;
}

static void count_writable(void *context, http_exchange *exchange) {
  (void)exchange;
  ((owner *)context)->writable++;
}

static void count_abandoned(void *context, http_exchange *exchange) {
  (void)exchange;
  ((owner *)context)->abandoned++;
}

http_server_options options_of(owner *o) {
  return (http_server_options){
      .listen = "127.0.0.1:0",
      .on_request = defer_all,
      .on_rejected = count_rejected,
      .on_batch = count_batch,
      .on_writable = count_writable,
      .on_abandoned = count_abandoned,
      .context = o,
  };
}

void open_with(owner *o, const http_server_options *options) {
  host_error error;
  memset(o, 0, sizeof *o);
  assert_int_equal(uv_loop_init(&o->loop), 0);
  o->server = http_server_new(&o->loop, options, &error);
  assert_non_null(o->server);
}

void open_server(owner *o, size_t max_connections) {
  http_server_options options = options_of(o);
  options.max_connections = max_connections;
  open_with(o, &options);
}

void note_closed(void *context) {
  ((owner *)context)->is_closed = true;
}

void wait_closed(owner *o) {
  uv_run(&o->loop, UV_RUN_DEFAULT);
  assert_true(o->is_closed);
  assert_int_equal(uv_loop_close(&o->loop), 0);
}

void close_server(owner *o) {
  http_server_close(o->server, note_closed, o);
  wait_closed(o);
}

int set_up_server(void **state) {
  owner *o = malloc(sizeof *o);
  assert_non_null(o);
  open_server(o, 0);
  *state = o;
  return 0;
}

int tear_down_server(void **state) {
  owner *o = *state;
  if (!o->is_closed) {
    close_server(o);
  }
  free(o);
  return 0;
}

int connect_to(const owner *o) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  const char *port = strchr(http_server_address(o->server), ':') + 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  address.sin_port = htons((uint16_t)atoi(port));
  assert_true(fd >= 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  return fd;
}

void send_request(int fd) {
  assert_int_equal(send(fd, REQUEST, strlen(REQUEST), MSG_NOSIGNAL), strlen(REQUEST));
}

void send_two_requests(owner *o, int fds[2]) {
  for (int i = 0; i < 2; i++) {
    send_request(fds[i] = connect_to(o));
    run_until(o, &o->count, (size_t)i + 1);
  }
}

static void on_timer(uv_timer_t *timer) {
  (void)timer;
}

void run_once(owner *o) {
  uv_timer_t timer;
  uv_timer_init(&o->loop, &timer);
  uv_timer_start(&timer, on_timer, 50, 0);
  uv_run(&o->loop, UV_RUN_ONCE);
  uv_close((uv_handle_t *)&timer, NULL);
  uv_run(&o->loop, UV_RUN_NOWAIT);
}

bool is_readable(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0) == 1;
}

int status_of_closed(int fd) {
  char text[512] = "";
  ssize_t got = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
  return got > 9 ? atoi(text + 9) : -1;
}

int status_of(owner *o, int fd) {
  int64_t until = clock_steady_ms() + TIMEOUT_MS;
  while (!is_readable(fd) && clock_steady_ms() < until) {
    run_once(o);
  }
  return status_of_closed(fd);
}

void run_until(owner *o, const size_t *count, size_t wanted) {
  int64_t until = clock_steady_ms() + TIMEOUT_MS;
  while (*count < wanted && clock_steady_ms() < until) {
    run_once(o);
  }
  assert_int_equal(*count, wanted);
}

void *respond_to_all(void *context) {
  owner *o = context;
  for (size_t i = 0; i < o->count; i++) {
    http_exchange_respond(o->deferred[i], 200, NULL, 0, "{}", 2);
  }
  return NULL;
}

void reset(int fd) {
  struct linger none = {.l_onoff = 1};
  assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none), 0);
  close(fd);
}

void wait_inactive(owner *o) {
  int64_t until = clock_steady_ms() + TIMEOUT_MS;
  while (http_server_active(o->server) > 0 && clock_steady_ms() < until) {
    run_once(o);
  }
  assert_int_equal(http_server_active(o->server), 0);
}
