/* Tests of the HTTP server as its owner drives it: responses from other threads, in pieces and from
 * files, its end, its limits. */
#include "clock.h"
#include "http/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MANY 300
/* Only against hanging forever. */
#define PATIENCE_MS 30000
#define REQUEST "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"

typedef struct {
  uv_loop_t loop;
  http_server *server;
  http_exchange *deferred[MANY];
  size_t count;
  size_t rejected, batches, writable, abandoned;
  char body[256]; /* what on_body was given */
  bool is_closed;
} owner;

static void defer_all(void *context, http_exchange *exchange) {
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

static http_server_options options_of(owner *o) {
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

static void open_with(owner *o, const http_server_options *options) {
  char error[256];
  memset(o, 0, sizeof *o);
  assert_int_equal(uv_loop_init(&o->loop), 0);
  o->server = http_server_new(&o->loop, options, error, sizeof error);
  assert_non_null(o->server);
}

static void open_server(owner *o, size_t max_connections) {
  http_server_options options = options_of(o);
  options.max_connections = max_connections;
  open_with(o, &options);
}

static void note_closed(void *context) {
  ((owner *)context)->is_closed = true;
}

static void close_server(owner *o) {
  http_server_close(o->server, note_closed, o);
  uv_run(&o->loop, UV_RUN_DEFAULT);
  assert_true(o->is_closed);
  assert_int_equal(uv_loop_close(&o->loop), 0);
}

static int connect_to(const owner *o) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  const char *port = strchr(http_server_address(o->server), ':') + 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  address.sin_port = htons((uint16_t)atoi(port));
  assert_true(fd >= 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  return fd;
}

static void send_request(int fd) {
  assert_int_equal(send(fd, REQUEST, strlen(REQUEST), MSG_NOSIGNAL), strlen(REQUEST));
}

static void on_timer(uv_timer_t *timer) {
  (void)timer;
}

/* A turn of the loop, which waits for 50 ms at most. */
static void run_once(owner *o) {
  uv_timer_t timer;
  uv_timer_init(&o->loop, &timer);
  uv_timer_start(&timer, on_timer, 50, 0);
  uv_run(&o->loop, UV_RUN_ONCE);
  uv_close((uv_handle_t *)&timer, NULL);
  uv_run(&o->loop, UV_RUN_NOWAIT);
}

static bool is_readable(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0) == 1;
}

/* Runs the server until an answer is there, and reads its status. */
static int status_of(owner *o, int fd) {
  char text[512] = "";
  int64_t until = clock_steady_ms() + PATIENCE_MS;
  while (!is_readable(fd) && clock_steady_ms() < until)
    run_once(o);
  ssize_t got = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
  return got > 9 ? atoi(text + 9) : -1;
}

static int status_of_closed(int fd) {
  char text[512] = "";
  ssize_t got = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
  return got > 9 ? atoi(text + 9) : -1;
}

static void run_until(owner *o, const size_t *count, size_t wanted) {
  int64_t until = clock_steady_ms() + PATIENCE_MS;
  while (*count < wanted && clock_steady_ms() < until)
    run_once(o);
  assert_int_equal(*count, wanted);
}

static void *answer_all(void *context) {
  owner *o = context;
  for (size_t i = 0; i < o->count; i++)
    http_exchange_respond(o->deferred[i], 200, NULL, 0, "{}", 2);
  return NULL;
}

/* So that its owner has stored what belongs together in one go. */
static void ends_batches_when_all_is_read(void **state) {
  static owner o;
  int fds[8];
  (void)state;
  open_server(&o, 0);
  for (int i = 0; i < 8; i++)
    send_request(fds[i] = connect_to(&o));
  while (o.batches == 0)
    run_once(&o);
  assert_int_equal(o.count, 8);
  answer_all(&o);
  for (int i = 0; i < 8; i++) {
    assert_int_equal(status_of(&o, fds[i]), 200);
    close(fds[i]);
  }
  close_server(&o);
}

/* As many events as a loop takes from the kernel in one go, and one more or less. */
static void answers_any_number_at_once(void **state) {
  static const int numbers[] = {1, 127, 128, 129, 255, 256, 257};
  static owner o;
  int fds[MANY];
  (void)state;
  open_server(&o, 0);
  for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++) {
    pthread_t thread;
    for (int i = 0; i < numbers[n]; i++)
      send_request(fds[i] = connect_to(&o));
    o.count = 0;
    run_until(&o, &o.count, (size_t)numbers[n]);
    /* the second request of each arrives while the first is put aside */
    for (int i = 0; i < numbers[n]; i++)
      send_request(fds[i]);
    for (int round = 0; round < 2; round++) {
      assert_int_equal(pthread_create(&thread, NULL, answer_all, &o), 0);
      pthread_join(thread, NULL);
      o.count = 0;
      for (int i = 0; i < numbers[n]; i++)
        assert_int_equal(status_of(&o, fds[i]), 200);
      if (round == 0)
        run_until(&o, &o.count, (size_t)numbers[n]);
    }
    for (int i = 0; i < numbers[n]; i++)
      close(fds[i]);
  }
  close_server(&o);
}

/* Who is to respond has the exchange until it does, though its connection is closed. */
static void waits_for_responses_before_it_is_freed(void **state) {
  static owner o;
  (void)state;
  open_server(&o, 0);
  int first = connect_to(&o);
  int second = connect_to(&o);
  send_request(first);
  send_request(second);
  run_until(&o, &o.count, 2);
  assert_int_equal(http_server_complete_requests(o.server), 2);
  http_server_close_listener(o.server);
  http_exchange_respond(o.deferred[0], 200, NULL, 0, "", 0);
  assert_int_equal(status_of(&o, first), 200);
  assert_int_equal(http_server_complete_requests(o.server), 1);
  http_server_close(o.server, note_closed, &o);
  for (int i = 0; i < 3; i++)
    run_once(&o);
  assert_false(o.is_closed);
  assert_string_equal(http_exchange_path(o.deferred[1]), "/x");
  http_exchange_respond(o.deferred[1], 200, NULL, 0, "", 0);
  uv_run(&o.loop, UV_RUN_DEFAULT);
  assert_true(o.is_closed);
  assert_int_equal(uv_loop_close(&o.loop), 0);
  assert_int_equal(status_of_closed(second), -1);
  close(first);
  close(second);
}

static void sends_one_response_many_times(void **state) {
  static owner o;
  http_header type = {"Content-Type", "text/plain"};
  (void)state;
  open_server(&o, 0);
  http_response *response = http_response_new(201, &type, 1, "made", 4);
  int fd = connect_to(&o);
  for (int i = 0; i < 3; i++) {
    char text[512] = "";
    send_request(fd);
    o.count = 0;
    run_until(&o, &o.count, 1);
    http_exchange_send_shared(o.deferred[0], response);
    while (!is_readable(fd))
      run_once(&o);
    assert_true(recv(fd, text, sizeof text - 1, 0) > 0);
    assert_int_equal(strncmp(text, "HTTP/1.1 201 ", 13), 0);
    assert_non_null(strstr(text, "\r\n\r\nmade"));
  }
  /* one that is under way outlives it */
  send_request(fd);
  o.count = 0;
  run_until(&o, &o.count, 1);
  http_exchange_send_shared(o.deferred[0], response);
  http_response_free(response);
  close(fd);
  close_server(&o);
  http_response_free(NULL);
}

static void rejects_connections_beyond_its_limit(void **state) {
  static owner o;
  int fds[4];
  (void)state;
  open_server(&o, 2);
  for (int i = 0; i < 4; i++)
    send_request(fds[i] = connect_to(&o));
  run_until(&o, &o.count, 2);
  assert_int_equal(status_of(&o, fds[2]), 503);
  assert_int_equal(status_of(&o, fds[3]), 503);
  assert_int_equal(o.rejected, 2);
  answer_all(&o);
  assert_int_equal(status_of(&o, fds[0]), 200);
  close(fds[0]);
  for (int i = 0; i < 100 && o.count < 3; i++) {
    int fd = connect_to(&o);
    send_request(fd);
    for (int n = 0; n < 10 && o.count < 3; n++)
      run_once(&o);
    close(fd);
  }
  assert_int_equal(o.count, 3); /* there is room for another one */
  http_exchange_abort(o.deferred[2]);
  close_server(&o);
  for (int i = 1; i < 4; i++)
    close(fds[i]);
}

static void reset(int fd) {
  struct linger none = {.l_onoff = 1};
  assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none), 0);
  close(fd);
}

static void wait_inactive(owner *o) {
  int64_t until = clock_steady_ms() + PATIENCE_MS;
  while (http_server_active(o->server) > 0 && clock_steady_ms() < until)
    run_once(o);
  assert_int_equal(http_server_active(o->server), 0);
}

/* Whoever is to answer learns nothing of it, and may answer in any way. */
static void outlives_clients_that_do_not_wait(void **state) {
  static owner o;
  http_header type = {"Content-Type", "text/plain"};
  http_response *shared = http_response_new(201, &type, 1, "made", 4);
  pthread_t thread;
  (void)state;
  open_server(&o, 4);
  for (int i = 0; i < 4; i++) {
    int fd = connect_to(&o);
    send_request(fd);
    run_until(&o, &o.count, (size_t)i + 1);
    reset(fd);
  }
  wait_inactive(&o);
  assert_int_equal(http_server_complete_requests(o.server), 0);
  /* their places are free, though nobody has answered */
  int next = connect_to(&o);
  send_request(next);
  run_until(&o, &o.count, 5);
  http_exchange_send_shared(o.deferred[0], shared);
  http_exchange_abort(o.deferred[1]);
  o.deferred[0] = o.deferred[4];
  o.deferred[1] = o.deferred[3];
  o.count = 3;
  assert_int_equal(pthread_create(&thread, NULL, answer_all, &o), 0);
  pthread_join(thread, NULL);
  assert_int_equal(status_of(&o, next), 200);
  close_server(&o);
  http_response_free(shared);
  close(next);
}

static void serves_others_while_one_is_deferred(void **state) {
  static owner o;
  static const char head[] = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
  static const char end[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
  static char body[60000], long_head[12000];
  int fds[3];
  (void)state;
  memset(body, ' ', sizeof body);
  memset(long_head, 'a', sizeof long_head);
  memcpy(long_head, "GET /", 5);
  memcpy(long_head + sizeof long_head - sizeof end + 1, end, sizeof end - 1);
  open_server(&o, 0);
  for (int i = 0; i < 3; i++)
    fds[i] = connect_to(&o);
  send_request(fds[0]);
  run_until(&o, &o.count, 1);
  assert_int_equal(send(fds[1], head, sizeof head - 1, MSG_NOSIGNAL), sizeof head - 1);
  assert_int_equal(send(fds[1], body, sizeof body, MSG_NOSIGNAL), sizeof body);
  int64_t began = clock_steady_ms();
  while (o.count < 2)
    run_once(&o);
  assert_int_equal(send(fds[2], long_head, sizeof long_head, MSG_NOSIGNAL), sizeof long_head);
  while (!is_readable(fds[2]))
    run_once(&o);
  /* by what has come, and not by the first wait that ends */
  assert_in_range(clock_steady_ms() - began, 0, 9000);
  assert_int_equal(status_of(&o, fds[2]), 414);
  /* and the loop comes to rest */
  size_t batches = o.batches;
  for (int i = 0; i < 3; i++)
    run_once(&o);
  assert_in_range(o.batches - batches, 0, 12);
  answer_all(&o);
  assert_int_equal(status_of(&o, fds[0]), 200);
  assert_int_equal(status_of(&o, fds[1]), 200);
  for (int i = 0; i < 3; i++)
    close(fds[i]);
  close_server(&o);
}

static void sends_a_long_response_while_one_is_deferred(void **state) {
  static owner o;
  static char body[2000000], part[65536];
  int fds[2];
  (void)state;
  memset(body, 'a', sizeof body);
  open_server(&o, 0);
  for (int i = 0; i < 2; i++) {
    send_request(fds[i] = connect_to(&o));
    run_until(&o, &o.count, (size_t)i + 1);
  }
  http_exchange_respond_truncated(o.deferred[1], 200, NULL, 0, body, sizeof body);
  int64_t began = clock_steady_ms();
  size_t size = 0;
  for (ssize_t got = 1; got > 0;) {
    while (!is_readable(fds[1]))
      run_once(&o);
    got = recv(fds[1], part, sizeof part, 0);
    size += got > 0 ? (size_t)got : 0;
  }
  assert_in_range(size, sizeof body / 2, sizeof body / 2 + 512);
  assert_in_range(clock_steady_ms() - began, 0, 9000);
  http_exchange_abort(o.deferred[0]);
  close_server(&o);
  close(fds[0]);
  close(fds[1]);
}

/* So many files that no more can be opened: a client is told, and the loop does not spin. */
static void tells_clients_that_there_are_no_descriptors(void **state) {
  static owner o;
  struct rlimit before, low;
  (void)state;
  open_server(&o, 0);
  int first = connect_to(&o);
  int second = connect_to(&o);
  int next = dup(first);
  close(next);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  low = before;
  low.rlim_cur = (rlim_t)next;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  int first_status = status_of(&o, first);
  int second_status = status_of(&o, second);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_int_equal(first_status, 503);
  assert_int_equal(second_status, 503);
  int third = connect_to(&o);
  send_request(third);
  run_until(&o, &o.count, 1);
  http_exchange_respond(o.deferred[0], 200, NULL, 0, "", 0);
  assert_int_equal(status_of(&o, third), 200);
  close_server(&o);
  close(first);
  close(second);
  close(third);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ends_batches_when_all_is_read),
      cmocka_unit_test(answers_any_number_at_once),
      cmocka_unit_test(waits_for_responses_before_it_is_freed),
      cmocka_unit_test(sends_one_response_many_times),
      cmocka_unit_test(rejects_connections_beyond_its_limit),
      cmocka_unit_test(outlives_clients_that_do_not_wait),
      cmocka_unit_test(serves_others_while_one_is_deferred),
      cmocka_unit_test(sends_a_long_response_while_one_is_deferred),
      cmocka_unit_test(tells_clients_that_there_are_no_descriptors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
