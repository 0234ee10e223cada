/* Tests of the HTTP server as its owner drives it: responses from other threads,
 * batches, its limits. */
#include "http_owner.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* So that its owner has stored what belongs together in one go. */
SERVER_TEST(ends_batches_when_all_is_read) {
  int fds[8];
  for (int i = 0; i < 8; i++) {
    send_request(fds[i] = connect_to(o));
  }
  while (o->batches == 0) {
    run_once(o);
  }
  assert_int_equal(o->count, 8);
  respond_to_all(o);
  for (int i = 0; i < 8; i++) {
    assert_int_equal(status_of(o, fds[i]), 200);
    close(fds[i]);
  }
}

/* As many events as a loop takes from the kernel in one go, and one more or less. */
SERVER_TEST(responds_to_any_number_at_once) {
  static const int numbers[] = {1, 127, 128, 129, 255, 256, 257};
  int fds[MANY];
  for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++) {
    pthread_t thread;
    for (int i = 0; i < numbers[n]; i++) {
      send_request(fds[i] = connect_to(o));
    }
    o->count = 0;
    run_until(o, &o->count, (size_t)numbers[n]);
    /* the second request of each arrives while the first is put aside */
    for (int i = 0; i < numbers[n]; i++) {
      send_request(fds[i]);
    }
    for (int round = 0; round < 2; round++) {
      assert_int_equal(pthread_create(&thread, NULL, respond_to_all, o), 0);
      pthread_join(thread, NULL);
      o->count = 0;
      for (int i = 0; i < numbers[n]; i++) {
        assert_int_equal(status_of(o, fds[i]), 200);
      }
      if (round == 0) {
        run_until(o, &o->count, (size_t)numbers[n]);
      }
    }
    for (int i = 0; i < numbers[n]; i++) {
      close(fds[i]);
    }
  }
}

SERVER_TEST(sends_one_response_many_times) {
  http_header type = {"Content-Type", "text/plain"};
  http_response *response = http_response_new(201, &type, 1, "made", 4);
  int fd = connect_to(o);
  for (int i = 0; i < 3; i++) {
    char text[512] = "";
    send_request(fd);
    o->count = 0;
    run_until(o, &o->count, 1);
    http_exchange_send_shared(o->deferred[0], response);
    while (!is_readable(fd)) {
      run_once(o);
    }
    assert_true(recv(fd, text, sizeof text - 1, 0) > 0);
    assert_int_equal(strncmp(text, "HTTP/1.1 201 ", 13), 0);
    assert_non_null(strstr(text, "\r\n\r\nmade"));
  }
  /* one that is under way outlives it */
  send_request(fd);
  o->count = 0;
  run_until(o, &o->count, 1);
  http_exchange_send_shared(o->deferred[0], response);
  http_response_free(response);
  close(fd);
  close_server(o);
  http_response_free(NULL);
}

static void close_all(const int *fds, size_t count) {
  for (size_t i = 0; i < count; i++) {
    close(fds[i]);
  }
}

UNIT_TEST(rejects_connections_beyond_its_limit) {
  static owner o;
  int fds[4];
  open_server(&o, 2);
  for (int i = 0; i < 4; i++) {
    send_request(fds[i] = connect_to(&o));
  }
  run_until(&o, &o.count, 2);
  assert_int_equal(status_of(&o, fds[2]), 503);
  assert_int_equal(status_of(&o, fds[3]), 503);
  assert_int_equal(o.rejected, 2);
  respond_to_all(&o);
  assert_int_equal(status_of(&o, fds[0]), 200);
  close(fds[0]);
  for (int i = 0; i < 100 && o.count < 3; i++) {
    int fd = connect_to(&o);
    send_request(fd);
    for (int n = 0; n < 10 && o.count < 3; n++) {
      run_once(&o);
    }
    close(fd);
  }
  assert_int_equal(o.count, 3); /* there is room for another one */
  http_exchange_abort(o.deferred[2]);
  close_server(&o);
  close_all(fds + 1, 3);
}

SERVER_TEST(serves_others_while_one_is_deferred) {
  static const char head[] = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
  static const char end[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
  static char body[60000], long_head[12000];
  int fds[3];
  memset(body, ' ', sizeof body);
  memset(long_head, 'a', sizeof long_head);
  memcpy(long_head, "GET /", 5);
  memcpy(long_head + sizeof long_head - sizeof end + 1, end, sizeof end - 1);
  for (int i = 0; i < 3; i++) {
    fds[i] = connect_to(o);
  }
  send_request(fds[0]);
  run_until(o, &o->count, 1);
  assert_int_equal(send(fds[1], head, sizeof head - 1, MSG_NOSIGNAL), sizeof head - 1);
  assert_int_equal(send(fds[1], body, sizeof body, MSG_NOSIGNAL), sizeof body);
  int64_t began = clock_steady_ms();
  run_until(o, &o->count, 2);
  assert_int_equal(send(fds[2], long_head, sizeof long_head, MSG_NOSIGNAL), sizeof long_head);
  while (!is_readable(fds[2])) {
    run_once(o);
  }
  /* by what has come, and not by the first wait that ends */
  assert_in_range(clock_steady_ms() - began, 0, 9000);
  assert_int_equal(status_of(o, fds[2]), 414);
  /* and the loop comes to rest */
  size_t batches = o->batches;
  for (int i = 0; i < 3; i++) {
    run_once(o);
  }
  assert_in_range(o->batches - batches, 0, 12);
  respond_to_all(o);
  assert_int_equal(status_of(o, fds[0]), 200);
  assert_int_equal(status_of(o, fds[1]), 200);
  close_all(fds, 3);
}

SERVER_TEST(sends_a_long_response_while_one_is_deferred) {
  static char body[2000000], part[65536];
  int fds[2];
  memset(body, 'a', sizeof body);
  send_two_requests(o, fds);
  http_exchange_respond_truncated(o->deferred[1], 200, NULL, 0, body, sizeof body);
  int64_t began = clock_steady_ms();
  size_t size = 0;
  for (ssize_t got = 1; got > 0;) {
    while (!is_readable(fds[1])) {
      run_once(o);
    }
    got = recv(fds[1], part, sizeof part, 0);
    size += got > 0 ? (size_t)got : 0;
  }
  assert_in_range(size, sizeof body / 2, sizeof body / 2 + 512);
  assert_in_range(clock_steady_ms() - began, 0, 9000);
  http_exchange_abort(o->deferred[0]);
  close_server(o);
  close(fds[0]);
  close(fds[1]);
}

#define PIPELINES 60
#define PIPELINE 300

static struct { size_t handled, before_batch, others; } pipelines;

static void respond_to_pipelines(void *context, http_exchange *exchange) {
  if (strcmp(http_exchange_path(exchange), "/x") != 0) {
    defer_all(context, exchange);
    pipelines.others++;
    return;
  }
  pipelines.handled++;
  http_exchange_respond(exchange, 200, NULL, 0, "", 0);
}

static void note_batch(void *context) {
  owner *o = context;
  if (pipelines.others > 0 && o->batches++ == 0) {
    pipelines.before_batch = pipelines.handled;
  }
}

/* What others have sent is stored at once, whatever number of pipelines there is. */
UNIT_TEST(does_not_let_others_wait_for_pipelines) {
  static owner o;
  static const char request[] = "GET /other HTTP/1.1\r\nHost: a\r\n\r\n";
  static char requests[PIPELINE * sizeof REQUEST];
  http_server_options options = options_of(&o);
  int fds[PIPELINES];
  options.on_request = respond_to_pipelines;
  options.on_batch = note_batch;
  open_with(&o, &options);
  int other = connect_to(&o);
  for (size_t i = 0; i < PIPELINE; i++) {
    memcpy(requests + i * (sizeof REQUEST - 1), REQUEST, sizeof REQUEST - 1);
  }
  for (int i = 0; i < PIPELINES; i++) {
    assert_true(send(fds[i] = connect_to(&o), requests, strlen(requests), MSG_NOSIGNAL) > 0);
  }
  while (pipelines.handled < 3 * PIPELINES) {
    run_once(&o);
  }
  assert_int_equal(send(other, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
  size_t handled = pipelines.handled;
  assert_in_range(handled, 0, 10 * PIPELINES); /* of which none has ended */
  while (o.batches == 0) {
    run_once(&o);
  }
  assert_in_range(pipelines.before_batch - handled, 0, PIPELINES / 2);
  respond_to_all(&o);
  assert_int_equal(status_of(&o, other), 200);
  while (pipelines.handled < PIPELINE * PIPELINES) {
    run_once(&o);
  }
  close_server(&o);
  close(other);
  for (int i = 0; i < PIPELINES; i++) {
    close(fds[i]);
  }
}

/* So many files that no more can be opened: a client gets a response, and the loop does not spin.
 */
SERVER_TEST(responds_that_there_are_no_descriptors) {
  struct rlimit before, low;
  int first = connect_to(o);
  int second = connect_to(o);
  int next = dup(first);
  close(next);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  low = before;
  low.rlim_cur = (rlim_t)next;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  int first_status = status_of(o, first);
  int second_status = status_of(o, second);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_int_equal(first_status, 503);
  assert_int_equal(second_status, 503);
  int third = connect_to(o);
  send_request(third);
  run_until(o, &o->count, 1);
  http_exchange_respond(o->deferred[0], 200, NULL, 0, "", 0);
  assert_int_equal(status_of(o, third), 200);
  close_server(o);
  close(first);
  close(second);
  close(third);
}

/* Not even one to reject it with: the client waits, the loop does not spin, and it is logged once.
 */
SERVER_TEST(waits_while_no_connection_can_be_accepted) {
  struct rlimit before, none;
  int fd = connect_to(o);
  send_request(fd);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = before;
  none.rlim_cur = 3;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  int64_t started = clock_steady_ms();
  for (int i = 0; i < 9; i++) {
    run_once(o);
  }
  int64_t waited = clock_steady_ms() - started;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_true(waited >= 200);
  assert_int_equal(o->rejected, 1);
  run_until(o, &o->count, 1);
  http_exchange_respond(o->deferred[0], 200, NULL, 0, "", 0);
  assert_int_equal(status_of(o, fd), 200);
  close_server(o);
  close(fd);
}
