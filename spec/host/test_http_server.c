/* Tests of the HTTP server as its owner drives it: answers from other threads, its end, its limits.
 */
#include "clock.h"
#include "http_server.h"

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
  http_server *server;
  http_exchange *deferred[MANY];
  size_t count;
  size_t refused;
} owner;

static void defer_all(void *context, http_exchange *exchange) {
  owner *o = context;
  http_exchange_defer(exchange);
  o->deferred[o->count++] = exchange;
}

static void count_refused(void *context, const http_exchange *exchange, const net_address *peer,
                          int status, const char *reason) {
  owner *o = context;
  (void)exchange;
  (void)peer;
  (void)reason;
  o->refused += status == 503;
}

static void open_server(owner *o, size_t max_connections) {
  char error[256];
  http_server_options options = {
      .listen = "127.0.0.1:0",
      .max_connections = max_connections,
      .on_request = defer_all,
      .on_refused = count_refused,
      .context = o,
  };
  memset(o, 0, sizeof *o);
  o->server = http_server_new(&options, error, sizeof error);
  assert_non_null(o->server);
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

static bool run_once(owner *o) {
  struct pollfd fd = {.fd = http_server_fd(o->server), .events = POLLIN};
  int64_t timeout = http_server_timeout(o->server);
  poll(&fd, 1, timeout < 0 || timeout > 50 ? 50 : (int)timeout);
  return http_server_run(o->server);
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

static void run_until(owner *o, const size_t *count, size_t wanted) {
  int64_t until = clock_steady_ms() + PATIENCE_MS;
  while (*count < wanted && clock_steady_ms() < until)
    run_once(o);
  assert_int_equal(*count, wanted);
}

static void *answer_all(void *context) {
  owner *o = context;
  for (size_t i = 0; i < o->count; i++)
    http_exchange_answer(o->deferred[i], 200, NULL, 0, "{}", 2);
  return NULL;
}

static void run_until_it_tells(owner *o, bool has_moved) {
  int64_t until = clock_steady_ms() + PATIENCE_MS;
  while (run_once(o) != has_moved)
    assert_true(clock_steady_ms() < until);
}

/* So that its owner knows whether others may have come meanwhile. */
static void tells_whether_something_has_moved(void **state) {
  static owner o;
  const size_t half = strlen(REQUEST) / 2;
  (void)state;
  open_server(&o, 0);
  int fd = connect_to(&o), leaving = connect_to(&o);
  run_until_it_tells(&o, false);
  assert_int_equal(send(fd, REQUEST, half, MSG_NOSIGNAL), half);
  run_until_it_tells(&o, true);
  run_until_it_tells(&o, false);
  assert_int_equal(send(fd, REQUEST + half, strlen(REQUEST) - half, MSG_NOSIGNAL),
                   strlen(REQUEST) - half);
  run_until_it_tells(&o, true);
  assert_int_equal(o.count, 1);
  run_until_it_tells(&o, false);
  http_exchange_answer(o.deferred[0], 200, NULL, 0, "{}", 2);
  assert_true(http_server_run(o.server));
  assert_int_equal(status_of(&o, fd), 200);
  assert_int_equal(send(leaving, REQUEST, half, MSG_NOSIGNAL), half);
  run_until_it_tells(&o, true);
  run_until_it_tells(&o, false);
  close(leaving);
  run_until_it_tells(&o, true);
  close(fd);
  assert_true(http_server_free(o.server));
}

/* As many events as libmicrohttpd takes from the kernel in one go, and one more or less. */
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
  assert_true(http_server_free(o.server));
}

/* libmicrohttpd aborts the process when it is stopped with suspended connections. */
static void waits_for_answers_before_it_is_freed(void **state) {
  static owner o;
  (void)state;
  open_server(&o, 0);
  int first = connect_to(&o);
  int second = connect_to(&o);
  send_request(first);
  send_request(second);
  run_until(&o, &o.count, 2);
  assert_int_equal(http_server_whole(o.server), 2);
  http_server_close_listener(o.server);
  assert_false(http_server_free(o.server));
  http_exchange_answer(o.deferred[0], 200, NULL, 0, "", 0);
  assert_int_equal(status_of(&o, first), 200);
  assert_int_equal(http_server_whole(o.server), 1);
  assert_false(http_server_free(o.server));
  http_exchange_answer(o.deferred[1], 200, NULL, 0, "", 0);
  assert_true(http_server_free(o.server));
  close(first);
  close(second);
}

static void gives_one_answer_many_times(void **state) {
  static owner o;
  http_header type = {"Content-Type", "text/plain"};
  (void)state;
  open_server(&o, 0);
  http_answer *answer = http_answer_new(201, &type, 1, "made", 4);
  int fd = connect_to(&o);
  for (int i = 0; i < 3; i++) {
    char text[512] = "";
    send_request(fd);
    o.count = 0;
    run_until(&o, &o.count, 1);
    http_exchange_give(o.deferred[0], answer);
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
  http_exchange_give(o.deferred[0], answer);
  http_answer_free(answer);
  close(fd);
  http_server_free(o.server);
  http_answer_free(NULL);
}

static void refuses_connections_beyond_its_limit(void **state) {
  static owner o;
  int fds[4];
  (void)state;
  open_server(&o, 2);
  for (int i = 0; i < 4; i++)
    send_request(fds[i] = connect_to(&o));
  run_until(&o, &o.count, 2);
  assert_int_equal(status_of(&o, fds[2]), 503);
  assert_int_equal(status_of(&o, fds[3]), 503);
  assert_int_equal(o.refused, 2);
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
  http_exchange_drop(o.deferred[2]);
  assert_true(http_server_free(o.server));
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
  http_answer *shared = http_answer_new(201, &type, 1, "made", 4);
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
  assert_int_equal(http_server_whole(o.server), 0);
  /* their places are free, though nobody has answered */
  int next = connect_to(&o);
  send_request(next);
  run_until(&o, &o.count, 5);
  assert_false(http_server_free(o.server));
  http_exchange_give(o.deferred[0], shared);
  http_exchange_drop(o.deferred[1]);
  o.deferred[0] = o.deferred[4];
  o.deferred[1] = o.deferred[3];
  o.count = 3;
  assert_int_equal(pthread_create(&thread, NULL, answer_all, &o), 0);
  pthread_join(thread, NULL);
  assert_int_equal(status_of(&o, next), 200);
  assert_true(http_server_free(o.server));
  http_answer_free(shared);
  close(next);
}

/* Waits for as long as the server says. */
static void run_as_told(owner *o) {
  struct pollfd fd = {.fd = http_server_fd(o->server), .events = POLLIN};
  int64_t timeout = http_server_timeout(o->server);
  poll(&fd, 1, timeout < 0 ? PATIENCE_MS : (int)timeout);
  http_server_run(o->server);
}

/* With one put aside libmicrohttpd does not say what else it has to do. */
static void serves_others_while_one_is_put_aside(void **state) {
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
    run_as_told(&o);
  assert_int_equal(send(fds[2], long_head, sizeof long_head, MSG_NOSIGNAL), sizeof long_head);
  while (!is_readable(fds[2]))
    run_as_told(&o);
  /* by what has come, and not by the first wait that ends */
  assert_in_range(clock_steady_ms() - began, 0, 9000);
  assert_int_equal(status_of(&o, fds[2]), 431);
  /* and the loop comes to rest */
  int64_t timeout = 0;
  for (int i = 0; i < 500 && timeout >= 0 && timeout < 100; i++) {
    run_as_told(&o);
    timeout = http_server_timeout(o.server);
  }
  assert_false(timeout >= 0 && timeout < 100);
  answer_all(&o);
  assert_int_equal(status_of(&o, fds[0]), 200);
  assert_int_equal(status_of(&o, fds[1]), 200);
  for (int i = 0; i < 3; i++)
    close(fds[i]);
  assert_true(http_server_free(o.server));
}

/* It goes out in many pieces, each at a run. */
static void sends_a_long_answer_while_one_is_put_aside(void **state) {
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
  http_exchange_cut(o.deferred[1], 200, NULL, 0, body, sizeof body);
  int64_t began = clock_steady_ms();
  size_t size = 0;
  for (ssize_t got = 1; got > 0;) {
    while (!is_readable(fds[1]))
      run_as_told(&o);
    got = recv(fds[1], part, sizeof part, 0);
    size += got > 0 ? (size_t)got : 0;
  }
  assert_in_range(size, sizeof body / 2, sizeof body / 2 + 512);
  assert_in_range(clock_steady_ms() - began, 0, 9000);
  http_exchange_drop(o.deferred[0]);
  assert_true(http_server_free(o.server));
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
  http_exchange_answer(o.deferred[0], 200, NULL, 0, "", 0);
  assert_int_equal(status_of(&o, third), 200);
  assert_true(http_server_free(o.server));
  close(first);
  close(second);
  close(third);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tells_whether_something_has_moved),
      cmocka_unit_test(answers_any_number_at_once),
      cmocka_unit_test(waits_for_answers_before_it_is_freed),
      cmocka_unit_test(gives_one_answer_many_times),
      cmocka_unit_test(refuses_connections_beyond_its_limit),
      cmocka_unit_test(outlives_clients_that_do_not_wait),
      cmocka_unit_test(serves_others_while_one_is_put_aside),
      cmocka_unit_test(sends_a_long_answer_while_one_is_put_aside),
      cmocka_unit_test(tells_clients_that_there_are_no_descriptors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
