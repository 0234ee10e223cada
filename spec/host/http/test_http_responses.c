/* Tests of the HTTP server's responses: in pieces, from files, without a body, one after another,
 * and of request bodies that are taken piece by piece. */
#include "clock.h"
#include "http/request_queue.h"
#include "http/response.h"
#include "http/server.h"
#include "support/unit_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Only against hanging forever. */
#define TIMEOUT_MS 30000
#define LARGE ((size_t)3000000)
/* More than the system keeps for a client that does not read. */
#define HUGE_SIZE ((size_t)30000000)

typedef struct {
  uv_loop_t loop;
  http_server *server;
  http_exchange *writing;
  size_t written, writable, abandoned, streamed;
  char *received; /* by the client */
  size_t received_size, received_capacity;
  bool is_closed, is_ended;
} owner;

/* ---- what the server responds ------------------------------------------------------------- */

static void write_on(owner *o) {
  static const char piece[1000] = "x";
  while (o->written < HUGE_SIZE) {
    o->written += sizeof piece;
    if (!http_exchange_write(o->writing, piece, sizeof piece)) {
      return;
    }
  }
  http_exchange *exchange = o->writing;
  o->writing = NULL;
  http_exchange_end(exchange);
}

static void on_writable(void *context, http_exchange *exchange) {
  owner *o = context;
  assert_ptr_equal(exchange, o->writing);
  o->writable++;
  write_on(o);
}

static void on_abandoned(void *context, http_exchange *exchange) {
  owner *o = context;
  assert_ptr_equal(exchange, o->writing);
  o->writing = NULL;
  o->abandoned++;
}

static void respond_in_two(http_exchange *exchange, int64_t size, const char *second) {
  http_header headers[] = {
      {"X-One", "1"}, {"Content-Length", "77"}, {"X-Two", "a\r\nX-Three: b"}, {"Bad name", "c"}};
  http_exchange_begin(exchange, 200, headers, 4, size);
  http_exchange_write(exchange, "first ", 6);
  http_exchange_write(exchange, second, strlen(second));
  http_exchange_end(exchange);
}

static void respond_with_file(http_exchange *exchange) {
  FILE *file = tmpfile();
  char block[1000];
  memset(block, 'f', sizeof block);
  fputs("start", file);
  for (size_t i = 0; i < LARGE / sizeof block; i++) {
    fwrite(block, 1, sizeof block, file);
  }
  fflush(file);
  http_exchange_respond_file(exchange, 200, NULL, 0, dup(fileno(file)), 5, LARGE);
  fclose(file);
}

static void on_head(void *context, http_exchange *exchange) {
  (void)context;
  const char *path = http_exchange_path(exchange);
  if (strcmp(path, "/rejected") == 0) {
    http_exchange_reject(exchange, 403, "no");
  } else if (strcmp(path, "/streamed") == 0) {
    http_exchange_stream_body(exchange);
  }
}

static bool on_body(void *context, http_exchange *exchange, const char *data, size_t size) {
  owner *o = context;
  (void)exchange;
  for (size_t i = 0; i < size; i++) {
    assert_int_equal(data[i], 'b');
  }
  o->streamed += size;
  return o->streamed <= 500000;
}

static void on_request(void *context, http_exchange *exchange) {
  owner *o = context;
  const char *path = http_exchange_path(exchange);
  if (strcmp(path, "/sized") == 0) {
    respond_in_two(exchange, 12, "second");
  } else if (strcmp(path, "/short") == 0) {
    respond_in_two(exchange, 13, "second");
  } else if (strcmp(path, "/chunked") == 0) {
    respond_in_two(exchange, -1, "second");
  } else if (strcmp(path, "/file") == 0) {
    respond_with_file(exchange);
  } else if (strcmp(path, "/empty") == 0) {
    http_exchange_respond(exchange, 204, NULL, 0, "none", 4);
  } else if (strcmp(path, "/large") == 0) {
    o->writing = exchange;
    http_exchange_begin(exchange, 200, NULL, 0, HUGE_SIZE);
    write_on(o);
  } else {
    http_exchange_respond(exchange, 200, NULL, 0, path, strlen(path));
  }
}

/* ---- the server and a client ------------------------------------------------------------------
 */

static void note_closed(void *context) {
  ((owner *)context)->is_closed = true;
}

static void open_server(owner *o) {
  host_error error;
  http_server_options options = {
      .listen = "127.0.0.1:0",
      .max_body = 1000000,
      .on_head = on_head,
      .on_body = on_body,
      .on_request = on_request,
      .on_writable = on_writable,
      .on_abandoned = on_abandoned,
      .context = o,
  };
  memset(o, 0, sizeof *o);
  assert_int_equal(uv_loop_init(&o->loop), 0);
  o->server = http_server_new(&o->loop, &options, &error);
  assert_non_null(o->server);
}

static void close_server(owner *o) {
  http_server_close(o->server, note_closed, o);
  uv_run(&o->loop, UV_RUN_DEFAULT);
  assert_true(o->is_closed);
  assert_int_equal(uv_loop_close(&o->loop), 0);
  free(o->received);
}

static int set_up_server(void **state) {
  owner *o = malloc(sizeof *o);
  assert_non_null(o);
  open_server(o);
  *state = o;
  return 0;
}

static int tear_down_server(void **state) {
  owner *o = *state;
  if (!o->is_closed) {
    close_server(o);
  }
  free(o);
  return 0;
}

#define SERVER_TEST(name) FIXTURE_TEST(name, owner *o, set_up_server, tear_down_server)

static int connect_to(const char *where) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  address.sin_port = htons((uint16_t)atoi(strchr(where, ':') + 1));
  assert_true(fd >= 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  return fd;
}

static void receive(owner *o, int fd) {
  if (o->received_capacity - o->received_size < 65536) {
    o->received_capacity += 1 << 20;
    o->received = realloc(o->received, o->received_capacity + 1);
    assert_non_null(o->received);
  }
  ssize_t got = recv(fd, o->received + o->received_size, 65536, MSG_DONTWAIT);
  o->is_ended = o->is_ended || got == 0;
  o->received_size += got > 0 ? (size_t)got : 0;
  o->received[o->received_size] = '\0';
}

static void run_turns(owner *o, int count) {
  for (int i = 0; i < count; i++) {
    uv_run(&o->loop, UV_RUN_NOWAIT);
  }
}

/* Until the response holds a text, or `size` bytes, or has ended. */
static void run_until(owner *o, int fd, const char *text, size_t size) {
  int64_t until = clock_steady_ms() + TIMEOUT_MS;
  do {
    uv_run(&o->loop, UV_RUN_NOWAIT);
    receive(o, fd);
    assert_true(clock_steady_ms() < until);
  } while (!o->is_ended && (text == NULL || strstr(o->received, text) == NULL) &&
           o->received_size < size);
}

static void ask(owner *o, int fd, const char *request, const char *text) {
  o->received_size = 0;
  o->is_ended = false;
  assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
  run_until(o, fd, text, SIZE_MAX);
}

static void assert_has(const owner *o, const char *text) {
  if (strstr(o->received, text) == NULL) {
    fail_msg("no %s in: %s", text, o->received);
  }
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* ---- the tests --------------------------------------------------------------------------------
 */

SERVER_TEST(sends_responses_in_pieces) {
  int fd = connect_to(http_server_address(o->server));
  ask(o, fd, GET("/sized"), "second");
  assert_has(o, "Content-Length: 12\r\nX-One: 1\r\n\r\nfirst second");
  assert_null(strstr(o->received, "77"));
  ask(o, fd, GET("/chunked"), "0\r\n\r\n");
  assert_has(
      o, "Transfer-Encoding: chunked\r\nX-One: 1\r\n\r\n6\r\nfirst \r\n6\r\nsecond\r\n0\r\n\r\n");
  /* a request after it, in the same bytes */
  ask(o, fd, GET("/chunked") GET("/next"), "/next");
  assert_has(o, "0\r\n\r\nHTTP/1.1 200 OK\r\n");
  /* one that promised more ends the connection */
  ask(o, fd, GET("/short") GET("/next"), "/next");
  assert_true(o->is_ended);
  close(fd);
  fd = connect_to(http_server_address(o->server));
  ask(o, fd, "GET /chunked HTTP/1.0\r\n\r\n", NULL);
  assert_true(o->is_ended);
  assert_has(o, "Connection: close\r\nX-One: 1\r\n\r\nfirst second");
  close(fd);
}

SERVER_TEST(sends_no_body_where_there_is_none) {
  int fd = connect_to(http_server_address(o->server));
  static const char *const paths[] = {"/sized", "/chunked", "/file", "/other", "/large"};
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    char request[128];
    snprintf(request, sizeof request, "HEAD %s HTTP/1.1\r\nHost: a\r\n\r\n" GET("/marker"),
             paths[i]);
    ask(o, fd, request, "/marker");
    assert_has(o, "\r\n\r\nHTTP/1.1 200 OK\r\n");
    if (strcmp(paths[i], "/file") == 0) {
      assert_has(o, "Content-Length: 3000000\r\n");
    }
  }
  ask(o, fd, GET("/empty") GET("/marker"), "/marker");
  assert_has(o, "HTTP/1.1 204 No Content\r\n");
  assert_has(o, "\r\n\r\nHTTP/1.1 200 OK\r\n");
  assert_null(strstr(o->received, "none"));
  close(fd);
}

static size_t body_size(const owner *o) {
  const char *body = strstr(o->received, "\r\n\r\n");
  assert_non_null(body);
  return o->received_size - (size_t)(body + 4 - o->received);
}

SERVER_TEST(sends_files) {
  int fd = connect_to(http_server_address(o->server));
  for (int i = 0; i < 2; i++) {
    o->received_size = 0;
    assert_true(send(fd, GET("/file"), strlen(GET("/file")), MSG_NOSIGNAL) > 0);
    run_until(o, fd, NULL, LARGE);
    while (body_size(o) < LARGE) {
      run_until(o, fd, NULL, o->received_size + 1);
    }
    assert_int_equal(body_size(o), LARGE);
    assert_int_equal(o->received[o->received_size - 1], 'f');
    assert_has(o, "\r\n\r\nff");
  }
  close(fd);
}

/* A writer that waits for on_writable needs no more memory than that. */
SERVER_TEST(waits_for_clients_that_read_slowly) {
  int fd = connect_to(http_server_address(o->server));
  assert_true(send(fd, GET("/large"), strlen(GET("/large")), MSG_NOSIGNAL) > 0);
  run_turns(o, 200);
  assert_non_null(o->writing);
  run_until(o, fd, NULL, HUGE_SIZE);
  assert_null(o->writing);
  assert_true(o->writable > 0);
  close(fd);
  /* and one that goes away */
  fd = connect_to(http_server_address(o->server));
  o->written = 0;
  assert_true(send(fd, GET("/large"), strlen(GET("/large")), MSG_NOSIGNAL) > 0);
  run_turns(o, 200);
  assert_non_null(o->writing);
  close(fd);
  run_turns(o, 200);
  assert_int_equal(o->abandoned, 1);
}

SERVER_TEST(hands_bodies_on_in_pieces) {
  static char body[400000];
  char head[128];
  memset(body, 'b', sizeof body);
  int fd = connect_to(http_server_address(o->server));
  snprintf(head, sizeof head, "POST /streamed HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
           sizeof body);
  for (int i = 0; i < 2; i++) {
    o->received_size = 0;
    assert_true(send(fd, head, strlen(head), MSG_NOSIGNAL) > 0);
    for (size_t sent = 0; sent < sizeof body;) {
      ssize_t one = send(fd, body + sent, sizeof body - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      sent += one > 0 ? (size_t)one : 0;
      uv_run(&o->loop, UV_RUN_NOWAIT);
      if (o->streamed > 500000) {
        break;
      }
    }
    run_until(o, fd, "/streamed", SIZE_MAX);
    assert_int_equal(o->is_ended, i == 1); /* on_body has had enough */
  }
  close(fd);
}

SERVER_TEST(asks_for_bodies_that_wait) {
  int fd = connect_to(http_server_address(o->server));
  ask(o, fd, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
      "\r\n\r\n");
  assert_string_equal(o->received, "HTTP/1.1 100 Continue\r\n\r\n");
  ask(o, fd, "{}", "/x");
  /* a body that is there already is not asked for */
  ask(o, fd, "POST /y HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n{}",
      "/y");
  assert_null(strstr(o->received, "100 Continue"));
  ask(o, fd,
      "POST /rejected HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
      NULL);
  assert_int_equal(strncmp(o->received, "HTTP/1.1 403 ", 13), 0);
  close(fd);
}

/* What comes after a request that closes the connection is discarded, wherever it was split. */
SERVER_TEST(drops_what_follows_a_closing_request) {
  static const char requests[] = GET("/first") "GET /last HTTP/1.1\r\nHost: a\r\nConnection: "
                                               "close\r\n\r\n" GET("/discarded");
  for (size_t cut = 1; cut < sizeof requests - 1; cut++) {
    int fd = connect_to(http_server_address(o->server));
    o->received_size = 0;
    o->is_ended = false;
    assert_true(send(fd, requests, cut, MSG_NOSIGNAL) > 0);
    run_turns(o, 3);
    (void)send(fd, requests + cut, sizeof requests - 1 - cut, MSG_NOSIGNAL);
    run_until(o, fd, NULL, SIZE_MAX);
    assert_has(o, "/first");
    assert_has(o, "/last");
    assert_null(strstr(o->received, "/discarded"));
    close(fd);
  }
}

UNIT_TEST(writes_dates) {
  char date[HTTP_DATE_SIZE];
  http_date_write(784111777, date);
  assert_string_equal(date, "Sun, 06 Nov 1994 08:49:37 GMT");
  http_date_write(0, date);
  assert_string_equal(date, "Thu, 01 Jan 1970 00:00:00 GMT");
}

/* ---- a queue ----------------------------------------------------------------------------------
 */

UNIT_TEST(hands_requests_to_another_thread) {
  host_error error;
  char text[1024];
  http_server_options options = {.listen = "127.0.0.1:0"};
  http_queue *queue = http_queue_start(&options, &error);
  assert_non_null(queue);
  assert_null(http_queue_take(queue));
  struct pollfd ready = {.fd = http_queue_fd(queue), .events = POLLIN};
  assert_int_equal(poll(&ready, 1, 0), 0);
  int fds[3];
  http_exchange *exchanges[3];
  for (int i = 0; i < 3; i++) {
    fds[i] = connect_to(http_queue_address(queue));
    assert_true(send(fds[i], GET("/a?b"), strlen(GET("/a?b")), MSG_NOSIGNAL) > 0);
    assert_int_equal(poll(&ready, 1, TIMEOUT_MS), 1);
    if (i < 2) {
      exchanges[i] = http_queue_take(queue);
    }
  }
  assert_string_equal(http_exchange_query(exchanges[0]), "b");
  http_exchange_respond(exchanges[0], 200, NULL, 0, "one", 3);
  ssize_t got = recv(fds[0], text, sizeof text - 1, 0);
  assert_true(got > 3);
  text[got] = '\0';
  assert_string_equal(text + got - 3, "one");
  /* the client of the second one has gone, and the third is taken by nobody */
  close(fds[1]);
  http_exchange_respond(exchanges[1], 200, NULL, 0, "two", 3);
  http_queue_stop(queue);
  assert_int_equal(recv(fds[2], text, sizeof text, 0), 0);
  close(fds[0]);
  close(fds[2]);
}

UNIT_TEST(says_why_a_queue_cannot_start) {
  host_error error;
  http_server_options options = {.listen = "nowhere"};
  assert_null(http_queue_start(&options, &error));
  assert_non_null(strstr(error.message, "nowhere: not an address"));
  options = (http_server_options){
      .listen = "127.0.0.1:0", .tls_cert = "/no/certificate", .tls_key = "/no/key"};
  assert_null(http_queue_start(&options, &error));
  assert_string_equal(error.message, "/no/certificate: No such file or directory");
}
