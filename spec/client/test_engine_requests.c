/* Tests of the engine, over real sockets: a request is the same whatever was sent before it. */
#include "engine_fixture.h"

#include <stdio.h>
#include <string.h>

#define EMPTY_RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define SENT_MAX 4096

static const palenca_header key[] = {{"x-api-key", SECRET, sizeof SECRET - 1}};
static const palenca_header text[] = {{"x-api-key", "another", 7}, {"Content-Type", "text/a", 6}};

/* Each differs from the others by one option at least. */
static const palenca_request requests[] = {
    {.method = "GET"},
    {.method = "HEAD"},
    {.method = "DELETE"},
    {.method = "GET", .body = "asked", .body_size = 5},
    {.method = "POST", .body = "short", .body_size = 5},
    {.method = "POST", .body = "a longer one", .body_size = 12},
    {.method = "POST"},
    {.method = "PATCH", .body = "short", .body_size = 5},
    {.method = "GET", .url = "v1/another?path=/"},
    {.method = "GET", .headers = key, .header_count = LENGTH(key)},
    {.method = "POST",
     .body = "short",
     .body_size = 5,
     .headers = text,
     .header_count = LENGTH(text)},
    {.method = "GET", .timeout_ms = 40000},
    {.method = "GET", .url = "http://server.invalid/", .proxy = ""},
};

/* The server stands in for a proxy as well. */
static palenca_request made(const fixture *f, size_t at, char url[256]) {
  palenca_request one = requests[at];
  one.idempotent = true;
  if (one.proxy != NULL) {
    one.proxy = stub_url(f->server);
    return one;
  }
  (void)snprintf(url, 256, "%s%s", stub_url(f->server), one.url != NULL ? one.url : "");
  one.url = url;
  return one;
}

static void send(fixture *f, size_t at, char sent[SENT_MAX]) {
  char url[256];
  palenca_request request = made(f, at, url);
  assert_response(run(f, &request), 200, "", 1);
  stub_last_request(f->server, sent, SENT_MAX);
}

static void replace_engine(fixture *f) {
  palenca_engine_free(f->engine);
  f->engine = new_engine(NULL);
}

ENGINE_TEST(test_a_request_is_the_same_after_any_other) {
  START(f, RESPONSE(EMPTY_RESPONSE));
  for (size_t second = 0; second < LENGTH(requests); second++) {
    char alone[SENT_MAX], sent[SENT_MAX];
    replace_engine(f);
    send(f, second, alone);
    for (size_t first = 0; first < LENGTH(requests); first++) {
      replace_engine(f);
      send(f, first, sent);
      send(f, second, sent);
      assert_string_equal(sent, alone);
    }
  }
}

/* After a request with that timeout, which is responded to. */
static void assert_deadline(fixture *f, int before_ms, int timeout_ms) {
  palenca_request request = get(f);
  request.timeout_ms = before_ms;
  assert_response(run(f, &request), 200, "ok", 1);
  request.timeout_ms = timeout_ms;
  uint64_t id = submit(f->engine, &request);
  size_t before = stub_requests(f->server);
  wait_requests(f, before + 1);
  int64_t left = palenca_engine_next_deadline(f->engine);
  assert_in_range(left, timeout_ms / 2, timeout_ms);
  assert_true(palenca_engine_cancel(f->engine, id));
}

ENGINE_TEST(test_a_timeout_is_that_of_its_request) {
  START(f, RESPONSE(OK_RESPONSE), SILENCE, RESPONSE(OK_RESPONSE), SILENCE);
  assert_deadline(f, 20000, 50000);
  assert_deadline(f, 50000, 20000);
}
