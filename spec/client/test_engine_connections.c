/* Tests of the engine's connections: what comes on an idle one unrequested, how many are kept, and
 * what a proxy says before the server is reached. The test is the server itself, on plain sockets.
 */
#include "engine_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- A server that does nothing by itself ---- */

typedef struct {
  int fd;
  char url[64];
} listener;

static listener start_listening(void) {
  listener one = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  assert_int_equal(bind(one.fd, (const struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(one.fd, 16), 0);
  assert_int_equal(getsockname(one.fd, (struct sockaddr *)&address, &size), 0);
  (void)snprintf(one.url, sizeof one.url, "http://127.0.0.1:%d/", (int)ntohs(address.sin_port));
  return one;
}

static bool is_readable(int fd) {
  struct pollfd one = {.fd = fd, .events = POLLIN};
  return poll(&one, 1, 0) == 1;
}

static void wait_readable(fixture *f, int fd) {
  int64_t end = now_ms() + TIMEOUT_MS;
  while (!is_readable(fd)) {
    assert_true(now_ms() < end);
    (void)palenca_engine_step(f->engine, 1000, &fd, 1);
  }
}

static int accept_next(fixture *f, const listener *from) {
  wait_readable(f, from->fd);
  int fd = accept(from->fd, NULL, NULL);
  assert_true(fd >= 0);
  return fd;
}

/* Reads a request that has no body. */
static void receive(fixture *f, int fd, char *request, size_t size) {
  size_t used = 0;
  do {
    wait_readable(f, fd);
    ssize_t count = recv(fd, request + used, size - 1 - used, 0);
    assert_true(count > 0);
    used += (size_t)count;
    request[used] = '\0';
  } while (strstr(request, "\r\n\r\n") == NULL);
}

/* Until it has arrived. */
static void send_text(int fd, const char *text) {
  int left = 1;
  assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
  while (left > 0) {
    assert_int_equal(ioctl(fd, SIOCOUTQ, &left), 0);
  }
}

static palenca_request get_from(const char *url) {
  return (palenca_request){.method = "GET",
                           .url = url,
                           .idempotent = true,
                           .keep_headers = true,
                           .timeout_ms = TIMEOUT_MS};
}

#define LETTER_RESPONSE(letter) "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" letter

/* ---- Responses that nobody asked for ---- */

ENGINE_TEST(test_a_response_on_an_idle_connection_is_not_the_next_one) {
  static const char *const strays[] = {LETTER_RESPONSE("S"),
                                       LETTER_RESPONSE("S") LETTER_RESPONSE("T"), "x", "\r\n"};
  f->engine = new_engine(&(palenca_engine_options){NULL, 0});
  listener server = start_listening();
  palenca_request request = get_from(server.url);
  char text[4096];
  for (size_t i = 0; i < LENGTH(strays); i++) {
    (void)submit(f->engine, &request);
    int first = accept_next(f, &server);
    receive(f, first, text, sizeof text);
    send_text(first, LETTER_RESPONSE("A"));
    assert_response(wait_result(f->engine), 200, "A", 1);
    send_text(first, strays[i]);
    (void)submit(f->engine, &request);
    int second = accept_next(f, &server);
    receive(f, second, text, sizeof text);
    send_text(second, LETTER_RESPONSE("B"));
    assert_response(wait_result(f->engine), 200, "B", 1);
    wait_readable(f, first); /* the client has closed it */
    assert_true(recv(first, text, sizeof text, 0) <= 0);
    (void)close(first);
    (void)shutdown(second, SHUT_WR);
    (void)close(second);
  }
  (void)close(server.fd);
}

/* Behind one with a length, a chunked one, one without a body, and with their parts apart. */
ENGINE_TEST(test_a_response_right_after_another_is_dropped) {
  static const char *const firsts[][2] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nA", ""},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", "A"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n0\r\n\r\n", ""},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nA\r\n0\r\n\r\n"},
      {"HTTP/1.1 204 OK\r\n\r\n", ""},
      {"HTTP/1.1 304 OK\r\nContent-Length: 1\r\n\r\n", ""},
  };
  for (size_t i = 0; i < LENGTH(firsts); i++) {
    char response[512];
    (void)snprintf(response, sizeof response, "%s%s" LETTER_RESPONSE("S"), firsts[i][0],
                   firsts[i][1]);
    START(f, {response, strlen(response), STUB_KEEP}, RESPONSE(OK_RESPONSE));
    palenca_request request = get(f);
    palenca_result_free(run(f, &request));
    assert_response(run(f, &request), 200, "ok", 1);
    assert_response(run(f, &request), 200, "ok", 1);
    palenca_engine_free(f->engine);
    stub_stop(f->server);
    f->engine = NULL;
    f->server = NULL;
  }
}

/* ---- How many connections there are ---- */

ENGINE_TEST(test_a_hundred_requests_share_one_connection) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = get(f);
  for (int i = 0; i < 100; i++) {
    assert_response(run(f, &request), 200, "ok", 1);
  }
  assert_int_equal(stub_connections(f->server), 1);
}

ENGINE_TEST(test_creations_leave_no_idle_connections) {
  enum {
    CALLS = 150
  };
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request creation = post(f), reading = get(f);
  for (int i = 0; i < CALLS; i++) {
    assert_response(run(f, &creation), 200, "ok", 1);
  }
  assert_response(run(f, &reading), 200, "ok", 1);
  assert_int_equal(stub_connections(f->server), CALLS + 1);
  int64_t end = now_ms() + TIMEOUT_MS;
  while (stub_open_connections(f->server) > 1) {
    assert_true(now_ms() < end);
  }
}

/* Programs that are started must not keep a connection open. */
ENGINE_TEST(test_connections_are_not_inherited) {
  f->engine = new_engine(&(palenca_engine_options){NULL, 0});
  listener server = start_listening();
  palenca_request request = get_from(server.url);
  (void)submit(f->engine, &request);
  int fd = accept_next(f, &server), found = 0;
  struct sockaddr_in peer, own;
  socklen_t size = sizeof peer;
  assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &size), 0);
  for (int i = 0; i < 1024; i++) {
    size = sizeof own;
    if (getsockname(i, (struct sockaddr *)&own, &size) == 0 && own.sin_family == AF_INET &&
        own.sin_port == peer.sin_port) {
      found++;
      assert_true((fcntl(i, F_GETFD) & FD_CLOEXEC) != 0);
    }
  }
  assert_int_equal(found, 1);
  (void)close(fd);
  (void)close(server.fd);
}

/* ---- Proxies ---- */

typedef struct {
  const char *response;
  bool is_retried;
  const char *message; /* a part of it */
} rejection;

static void check_rejection(fixture *f, const rejection *one) {
  START(f, {one->response, strlen(one->response), STUB_CLOSE});
  palenca_request request = post(f); /* what cannot have reached the server may be repeated */
  request.url = "https://server.invalid/";
  request.proxy = stub_url(f->server);
  request.deadline_ms = TIMEOUT_MS / 2;
  palenca_result *result = run(f, &request);
  assert_int_equal(result->error.kind, PALENCA_NETWORK);
  if (strstr(result->error.message, one->message) == NULL) {
    fail_msg("%s", result->error.message);
  }
  assert_int_equal(result->status, 0);
  if (result->attempts != (one->is_retried ? 2 : 1)) {
    fail_msg("%d attempts: %s", result->attempts, result->error.message);
  }
  assert_string_equal(result->meta.request_id, "");
  assert_int_equal(result->meta.retry_after_ms, -1);
  assert_int_equal(result->meta.rate_limit, -1);
  assert_int_equal(result->meta.rate_remaining, -1);
  assert_null(result->headers != NULL ? strstr(result->headers, "proxy's") : NULL);
  assert_int_equal(result->body_size, 0);
  palenca_result_free(result);
  palenca_engine_free(f->engine);
  stub_stop(f->server);
  f->engine = NULL;
  f->server = NULL;
}

#define PROXY_HEADERS                                                                              \
  "X-Request-Id: proxy's\r\nX-RateLimit-Limit: 1\r\nX-RateLimit-Remaining: 0\r\n"                  \
  "Retry-After: 77\r\nContent-Length: 2\r\n\r\nno"

ENGINE_TEST(test_a_proxy_that_rejects_is_no_server) {
  static const rejection rejections[] = {
      {"HTTP/1.1 407 Who are you\r\n" PROXY_HEADERS, false, "status 407 (it requires credentials)"},
      {"HTTP/1.1 403 No\r\n" PROXY_HEADERS, false, "status 403"},
      {"HTTP/1.1 302 There\r\nLocation: http://elsewhere/\r\n" PROXY_HEADERS, false, "status 302"},
      {"HTTP/1.1 429 Slow\r\n" PROXY_HEADERS, true, "status 429"},
      {"HTTP/1.1 502 Bad\r\n" PROXY_HEADERS, true, "status 502"},
      {"HTTP/1.1 503 Busy\r\n" PROXY_HEADERS, true, "status 503"},
      {"HTTP/1.1 200 Connected\r\nX-Request-Id: proxy's\r\nRetry-After: 77\r\n\r\nno TLS here\r\n",
       true, ""},
      {"no HTTP\r\n\r\n", true, ""},
  };
  for (size_t i = 0; i < LENGTH(rejections); i++) {
    check_rejection(f, &rejections[i]);
  }
}
