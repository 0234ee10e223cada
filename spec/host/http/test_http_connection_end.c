/* Tests of the HTTP server's end, and of the ends of its connections: clients that are gone, that
 * do not read, that still send. */
#include "http/internal.h"
#include "http_owner.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Who is to respond has the exchange until it does, though its connection is closed. */
SERVER_TEST(waits_for_responses_before_it_is_freed) {
  int first = connect_to(o);
  int second = connect_to(o);
  send_request(first);
  send_request(second);
  run_until(o, &o->count, 2);
  assert_int_equal(http_server_complete_requests(o->server), 2);
  http_server_close_listener(o->server);
  http_exchange_respond(o->deferred[0], 200, NULL, 0, "", 0);
  assert_int_equal(status_of(o, first), 200);
  assert_int_equal(http_server_complete_requests(o->server), 1);
  http_server_close(o->server, note_closed, o);
  for (int i = 0; i < 3; i++) {
    run_once(o);
  }
  assert_false(o->is_closed);
  assert_string_equal(http_exchange_path(o->deferred[1]), "/x");
  http_exchange_respond(o->deferred[1], 200, NULL, 0, "", 0);
  wait_closed(o);
  assert_int_equal(status_of_closed(second), -1);
  close(first);
  close(second);
}

/* Who is to respond learns nothing of it, and may respond in any way. Until then the request takes
 * memory, and its connection counts. */
UNIT_TEST(outlives_clients_that_do_not_wait) {
  static owner o;
  http_header type = {"Content-Type", "text/plain"};
  http_response *shared = http_response_new(201, &type, 1, "made", 4);
  pthread_t thread;
  open_server(&o, 4);
  for (int i = 0; i < 4; i++) {
    int fd = connect_to(&o);
    send_request(fd);
    run_until(&o, &o.count, (size_t)i + 1);
    reset(fd);
  }
  wait_inactive(&o);
  assert_int_equal(http_server_complete_requests(o.server), 0);
  int beyond = connect_to(&o);
  assert_int_equal(status_of(&o, beyond), 503);
  close(beyond);
  http_exchange_send_shared(o.deferred[0], shared);
  http_exchange_abort(o.deferred[1]);
  run_once(&o);
  int next = connect_to(&o);
  send_request(next);
  run_until(&o, &o.count, 5);
  o.deferred[0] = o.deferred[4];
  o.deferred[1] = o.deferred[3];
  o.count = 3;
  assert_int_equal(pthread_create(&thread, NULL, respond_to_all, &o), 0);
  pthread_join(thread, NULL);
  assert_int_equal(status_of(&o, next), 200);
  close_server(&o);
  http_response_free(shared);
  close(next);
}

/* Nor may one client have more requests in memory than it may have connections. */
UNIT_TEST(counts_deferred_requests_of_an_address) {
  static owner o;
  http_server_options options = options_of(&o);
  options.max_connections_per_address = 1;
  open_with(&o, &options);
  int first = connect_to(&o);
  send_request(first);
  run_until(&o, &o.count, 1);
  reset(first);
  wait_inactive(&o);
  int second = connect_to(&o);
  assert_int_equal(status_of(&o, second), 503);
  close(second);
  /* it is closed already when the server is */
  http_server_close(o.server, note_closed, &o);
  http_exchange_respond(o.deferred[0], 200, NULL, 0, "", 0);
  wait_closed(&o);
}

/* The client is informed: a connection that is only closed looks like a fault of the network. */
SERVER_TEST(responds_503_if_memory_does_not_suffice_for_the_response) {
  int fds[2];
  send_two_requests(o, fds);
  http_exchange_respond(o->deferred[0], 200, NULL, 0, "", SIZE_MAX);
  http_exchange_respond(o->deferred[1], 200, NULL, 0, "", 0);
  assert_int_equal(status_of(o, fds[0]), 503);
  assert_int_equal(status_of(o, fds[1]), 200);
  close_server(o);
  close(fds[0]);
  close(fds[1]);
}

/* A client whose body is too large, which goes on sending it. */
static int connect_rejected(owner *o) {
  static const char head[] = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n";
  int fd = connect_to(o);
  assert_int_equal(send(fd, head, sizeof head - 1, MSG_NOSIGNAL), sizeof head - 1);
  assert_int_equal(status_of(o, fd), 413);
  return fd;
}

/* Returns how much of it was taken. */
static size_t send_part(owner *o, int fd) {
  static char part[65536];
  memset(part, 'a', sizeof part);
  ssize_t sent = send(fd, part, sizeof part, MSG_NOSIGNAL | MSG_DONTWAIT);
  assert_true(sent > 0 || errno == EAGAIN);
  run_once(o);
  return sent > 0 ? (size_t)sent : 0;
}

/* A reset could overtake the response of a client that is still sending. */
SERVER_TEST(lingers_for_a_while_when_it_is_closed) {
  int fds[2];
  for (int i = 0; i < 2; i++) {
    fds[i] = connect_rejected(o);
  }
  http_server_close(o->server, note_closed, o);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(send(fds[0], "body", 4, MSG_NOSIGNAL), 4);
    run_once(o);
  }
  char end;
  assert_int_equal(recv(fds[0], &end, 1, MSG_DONTWAIT), 0); /* and not a reset */
  assert_false(o->is_closed);
  close(fds[0]);
  wait_closed(o); /* the other one never closes */
  close(fds[1]);
}

/* A body that the peer does not read is still queued when the listener is closed. */
SERVER_TEST(ends_without_clients_that_do_not_read) {
  static char body[20000000];
  int fds[2];
  send_two_requests(o, fds);
  http_exchange_respond(o->deferred[0], 200, NULL, 0, body, sizeof body);
  run_once(o);
  http_server_close_listener(o->server);
  int64_t until = clock_steady_ms() + TIMEOUT_MS; /* half of the idle timeout */
  while (http_server_active(o->server) > 1 && clock_steady_ms() < until) {
    run_once(o);
  }
  /* what has arrived and is not stored yet is still responded to */
  assert_int_equal(http_server_complete_requests(o->server), 1);
  http_exchange_respond(o->deferred[1], 200, NULL, 0, "", 0);
  assert_int_equal(status_of(o, fds[1]), 200);
  close(fds[1]);
  close_server(o);
  close(fds[0]);
}

/* Sends until nothing more is taken for several turns. Returns how much it was. */
static size_t send_endlessly(owner *o, int fd, size_t max) {
  size_t total = 0;
  for (int idle = 0; total < max && idle < 10;) {
    size_t sent = send_part(o, fd);
    total += sent;
    idle = sent > 0 ? 0 : idle + 1;
  }
  return total;
}

/* What it sends is of no use, and would take the processor from the others. */
SERVER_TEST(stops_reading_what_a_rejected_client_sends) {
  static const char *const starts[] = {
      "POST /x HTTP/1.1\r\nHost: a\r\nX: ",
      "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n",
  };
  static const int statuses[] = {431, 413};
  const size_t max = (size_t)64 * 1024 * 1024;
  int fds[2];
  for (int i = 0; i < 2; i++) {
    int room = 65536; /* what its own system holds back counts as sent */
    fds[i] = connect_to(o);
    assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    assert_true(send(fds[i], starts[i], strlen(starts[i]), MSG_NOSIGNAL) > 0);
    assert_in_range(send_endlessly(o, fds[i], max), 1024 * 1024, max / 4);
    assert_int_equal(status_of(o, fds[i]), statuses[i]);
  }
  int other = connect_to(o);
  send_request(other);
  run_until(o, &o->count, 1);
  respond_to_all(o);
  assert_int_equal(status_of(o, other), 200);
  o->server->skew += 6000; /* more than it lingers */
  for (int i = 0; i < 2; i++) {
    run_once(o);
  }
  assert_int_equal(send(fds[0], "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT), -1);
  assert_true(errno == EPIPE || errno == ECONNRESET);
  close_server(o);
  close(other);
  close(fds[0]);
  close(fds[1]);
}

/* Peers send as fast as they are read: the time that this takes would be that of other clients. */
SERVER_TEST(discards_a_bounded_amount_in_an_interval) {
  const uint64_t size = 512 * 1024;
  int fd = connect_rejected(o);
  const http_connection *c = (const void *)o->server->connections.waits[HTTP_WAIT_LINGER].oldest;
  assert_non_null(c);
  int64_t since = clock_steady_ms();
  while (c->discarded < size) {
    (void)send_part(o, fd);
  }
  assert_true(clock_steady_ms() - since >= 100);
  close(fd);
}

/* What waits to be discarded then would be waited for without end. */
SERVER_TEST(ends_while_what_a_client_sends_is_discarded) {
  int fd = connect_rejected(o);
  while (o->server->discarding.first == NULL) {
    (void)send_part(o, fd);
  }
  http_server_close(o->server, note_closed, o);
  usleep(20000); /* it is time to discard more */
  run_once(o);
  close(fd);
  wait_closed(o);
}

/* Those that are late at the same time do not hold up the others. */
SERVER_TEST(ends_some_of_the_late_in_each_turn) {
  enum {
    CLIENTS = 100
  };
  int fds[CLIENTS];
  for (int i = 0; i < CLIENTS; i++) {
    fds[i] = connect_to(o);
    assert_int_equal(send(fds[i], "P", 1, MSG_NOSIGNAL), 1);
  }
  int64_t until = clock_steady_ms() + TIMEOUT_MS;
  while (http_server_active(o->server) < CLIENTS && clock_steady_ms() < until) {
    run_once(o);
  }
  assert_int_equal(http_server_active(o->server), CLIENTS);
  o->server->skew += 20000; /* more than a request has */
  uv_run(&o->loop, UV_RUN_NOWAIT);
  assert_in_range(http_server_active(o->server), CLIENTS / 2, CLIENTS - 1);
  wait_inactive(o);
  for (int i = 0; i < CLIENTS; i++) {
    assert_int_equal(status_of_closed(fds[i]), 408);
    close(fds[i]);
  }
}

/* Whoever makes new connections without end does not hold up those that are there. */
SERVER_TEST(accepts_few_of_those_it_rejects_in_each_turn) {
  enum {
    CLIENTS = 16
  };
  int fds[CLIENTS], rejected = 0;
  for (int i = 0; i < CLIENTS; i++) {
    fds[i] = connect_to(o);
    assert_int_equal(send(fds[i], "?\r\n\r\n", 5, MSG_NOSIGNAL), 5);
  }
  uv_run(&o->loop, UV_RUN_NOWAIT);
  for (int i = 0; i < CLIENTS; i++) {
    rejected += is_readable(fds[i]);
  }
  assert_in_range(rejected, 1, CLIENTS / 2);
  for (int i = 0; i < CLIENTS; i++) {
    assert_int_equal(status_of(o, fds[i]), 400);
    close(fds[i]);
  }
}
