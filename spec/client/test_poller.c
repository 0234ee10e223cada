/* Tests of what waits for many sockets: of connections that come, rest, are replaced and go. */
#include "poller.h"

#include "idle_sockets.h"
#include "palenca.h"
#include "support/unit_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_MS 20000

/* Both ends of a connection over TCP. */
static void new_connection(int ends[2]) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(listener, 1), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
  ends[0] = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(connect(ends[0], (struct sockaddr *)&address, sizeof address), 0);
  ends[1] = accept(listener, NULL, NULL);
  assert_true(ends[1] >= 0);
  close(listener);
}

static void close_both(const int ends[2]) {
  close(ends[0]);
  close(ends[1]);
}

static void send_byte(int fd) {
  assert_int_equal(send(fd, "x", 1, 0), 1);
}

static void read_byte(int fd) {
  char byte;
  assert_int_equal(recv(fd, &byte, 1, 0), 1);
}

/* The socket that a wait finds; -1: none. */
static int found(poller *p, int max_wait) {
  int fd;
  short what;
  poller_wait(p, max_wait, NULL, 0);
  return poller_take(p, &fd, &what) ? fd : -1;
}

static bool is_readable(int fd) {
  struct pollfd one = {.fd = fd, .events = POLLIN};
  return poll(&one, 1, 0) == 1;
}

/* Each way to wait: with an epoll, and as where there is none. */
static void init(poller *p, bool has_epoll) {
  poller_init(p);
  p->has_tried = !has_epoll;
}

UNIT_TEST(test_a_socket_is_found_for_what_it_is_watched_for) {
  for (int way = 0; way < 2; way++) {
    poller p;
    int one[2], fd;
    short what;
    init(&p, way == 0);
    new_connection(one);
    assert_true(poller_watch(&p, one[0], true, false));
    assert_int_equal(found(&p, 0), -1);
    assert_true(poller_watch(&p, one[0], true, true));
    poller_wait(&p, TIMEOUT_MS, NULL, 0);
    assert_true(poller_take(&p, &fd, &what));
    assert_int_equal(what, POLLOUT);
    assert_false(poller_take(&p, &fd, &what));
    assert_true(poller_watch(&p, one[0], true, false));
    send_byte(one[1]);
    assert_int_equal(found(&p, TIMEOUT_MS), one[0]);
    poller_forget(&p, one[0]);
    assert_int_equal(found(&p, 0), -1);
    assert_true(poller_watch(&p, one[0], true, false)); /* what has come meanwhile is still there */
    assert_int_equal(found(&p, TIMEOUT_MS), one[0]);
    poller_free(&p);
    close_both(one);
  }
}

UNIT_TEST(test_an_idle_connection_is_found_once_it_is_readable) {
  for (int way = 0; way < 2; way++) {
    poller p;
    int one[2], other[2];
    init(&p, way == 0);
    new_connection(one);
    new_connection(other);
    assert_true(poller_watch(&p, one[0], true, false));
    assert_true(poller_set_idle(&p, one[0])); /* the next call has it already */
    send_byte(one[1]);
    assert_int_equal(poller_next_readable_idle(&p), -1);
    assert_int_equal(found(&p, TIMEOUT_MS), one[0]);
    read_byte(one[0]);
    poller_forget(&p, one[0]);
    assert_true(poller_set_idle(&p, one[0]));
    assert_true(poller_set_idle(&p, other[0]));
    assert_int_equal(poller_next_readable_idle(&p), -1);
    send_byte(one[1]);
    while (!is_readable(one[0])) {
    }
    assert_int_equal(poller_next_readable_idle(&p), one[0]);
    poller_drop(&p, one[0]);
    assert_int_equal(poller_next_readable_idle(&p), -1);
    assert_true(poller_watch(&p, other[0], true, false));
    send_byte(other[1]);
    assert_int_equal(poller_next_readable_idle(&p), -1);
    assert_int_equal(found(&p, TIMEOUT_MS), other[0]);
    poller_free(&p);
    close_both(one);
    close_both(other);
  }
}

UNIT_TEST(test_idle_connections_are_asked_for_once_in_a_millisecond) {
  poller p;
  idle_sockets idle;
  int one[2], other[2];
  init(&p, true);
  idle_sockets_init(&idle, &p);
  new_connection(one);
  new_connection(other);
  idle_sockets_add(&idle, one[0]);
  assert_int_equal(idle_sockets_next_readable(&idle, 5), -1);
  send_byte(one[1]);
  while (!is_readable(one[0])) {
  }
  assert_int_equal(idle_sockets_next_readable(&idle, 5), -1);
  assert_int_equal(idle_sockets_next_readable(&idle, 6), one[0]);
  idle_sockets_remove(&idle, one[0]);
  assert_int_equal(idle_sockets_next_readable(&idle, 7), -1);
  send_byte(other[1]);
  while (!is_readable(other[0])) {
  }
  idle_sockets_add(&idle, other[0]); /* of this one nothing is known yet */
  assert_int_equal(idle_sockets_next_readable(&idle, 7), other[0]);
  idle_sockets_free(&idle);
  poller_free(&p);
  close_both(one);
  close_both(other);
}

UNIT_TEST(test_an_idle_connection_that_a_wait_has_found_is_not_asked_for_again) {
  poller p;
  idle_sockets idle;
  int one[2];
  init(&p, true);
  idle_sockets_init(&idle, &p);
  new_connection(one);
  idle_sockets_add(&idle, one[0]);
  assert_int_equal(idle_sockets_next_readable(&idle, 5), -1);
  send_byte(one[1]);
  assert_int_equal(found(&p, TIMEOUT_MS), -1);
  assert_int_equal(idle_sockets_next_readable(&idle, 5), one[0]);
  idle_sockets_free(&idle);
  poller_free(&p);
  close_both(one);
}

/* A program that watches the descriptor would call for nothing, again and again. */
UNIT_TEST(test_what_comes_on_an_idle_connection_ends_one_wait) {
  poller p;
  int one[2];
  init(&p, true);
  new_connection(one);
  assert_true(poller_set_idle(&p, one[0]));
  int fd = poller_fd(&p);
  if (fd < 0) {
    skip();
  }
  assert_false(is_readable(fd));
  close(one[1]);
  struct pollfd watched = {.fd = fd, .events = POLLIN};
  assert_int_equal(poll(&watched, 1, TIMEOUT_MS), 1);
  assert_int_equal(found(&p, 0), -1);
  assert_false(is_readable(fd));
  assert_int_equal(poller_next_readable_idle(&p), one[0]);
  poller_free(&p);
  close(one[0]);
}

/* As curl does with those by which it waits for a name. */
UNIT_TEST(test_a_forgotten_socket_that_a_child_has_open_wakes_nobody) {
  poller p;
  int pair[2], one[2], until[2];
  init(&p, true);
  assert_int_equal(pipe(until), 0);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  assert_true(poller_watch(&p, pair[0], true, false));
  send_byte(pair[1]);
  assert_int_equal(found(&p, TIMEOUT_MS), pair[0]);
  pid_t child = fork();
  if (child == 0) {
    char byte;
    close(until[1]);
    _exit(read(until[0], &byte, 1) == 0 ? 0 : 1);
  }
  poller_forget(&p, pair[0]);
  int fd = poller_fd(&p);
  close_both(pair);
  assert_true(fd < 0 || !is_readable(fd));
  new_connection(one); /* has the number of the pair */
  assert_true(poller_watch(&p, one[0], true, false));
  assert_int_equal(found(&p, 0), -1);
  send_byte(one[1]);
  assert_int_equal(found(&p, TIMEOUT_MS), one[0]);
  close_both(until);
  assert_child_succeeds(child);
  poller_free(&p);
  close_both(one);
}

/* The call that waits on a connection is not to wait for ever because its socket is another one. */
UNIT_TEST(test_another_socket_of_the_same_number_is_watched) {
  for (int way = 0; way < 3; way++) {
    poller p;
    int one[2], other[2];
    init(&p, true);
    new_connection(one);
    new_connection(other);
    assert_true(poller_watch(&p, one[0], true, false));
    if (way != 1) {
      poller_forget(&p, one[0]);
    }
    assert_int_equal(dup2(other[0], one[0]), one[0]);
    close(other[0]);
    if (way != 0) { /* else nobody says so, and it has left the epoll by itself */
      poller_replaced(&p, one[0]);
    }
    assert_true(way == 1 || poller_watch(&p, one[0], true, false));
    send_byte(other[1]);
    assert_int_equal(found(&p, TIMEOUT_MS), one[0]);
    poller_free(&p);
    close_both(one);
    close(other[1]);
  }
}

UNIT_TEST(test_more_sockets_than_are_read_at_a_time_are_all_found) {
  enum {
    SOCKETS = 150
  };
  static int all[SOCKETS][2];
  for (int way = 0; way < 2; way++) {
    poller p;
    init(&p, way == 0);
    for (int i = 0; i < SOCKETS; i++) {
      new_connection(all[i]);
      assert_true(i >= SOCKETS - SOCKETS / 3 ? poller_set_idle(&p, all[i][0])
                                             : poller_watch(&p, all[i][0], true, false));
      send_byte(all[i][1]);
    }
    int idle = 0, watched = 0;
    for (int fd; (fd = poller_next_readable_idle(&p)) >= 0; idle++) {
      poller_drop(&p, fd);
    }
    for (int fd; (fd = found(&p, 0)) >= 0; watched++) {
      poller_forget(&p, fd);
    }
    assert_int_equal(idle, SOCKETS / 3);
    assert_int_equal(watched, SOCKETS - SOCKETS / 3);
    for (int i = 0; i < SOCKETS; i++) {
      close_both(all[i]);
    }
    poller_free(&p);
  }
}

UNIT_TEST(test_a_descriptor_of_the_callers_ends_a_wait) {
  for (int way = 0; way < 2; way++) {
    poller p;
    int one[2], wake[2], fd;
    short what;
    init(&p, way == 0);
    new_connection(one);
    assert_int_equal(pipe(wake), 0);
    assert_true(poller_watch(&p, one[0], true, false));
    assert_int_equal(write(wake[1], "x", 1), 1);
    poller_wait(&p, INT64_MAX, wake, 1);
    assert_false(poller_take(&p, &fd, &what));
    send_byte(one[1]);
    while (!is_readable(one[0])) {
    }
    poller_wait(&p, INT64_MAX, wake, 1);
    assert_true(poller_take(&p, &fd, &what));
    assert_int_equal(fd, one[0]);
    poller_free(&p);
    close_both(one);
    close_both(wake);
  }
}
