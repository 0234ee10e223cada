/* Tests of the engine, over real sockets: what is sent, what comes back, and many calls at once. */
#include "engine_fixture.h"

#include <stdio.h>
#include <string.h>

/* ---- Requests ---- */

ENGINE_TEST(test_a_request_is_sent_as_given_and_copied) {
  START(f, RESPONSE(OK_RESPONSE));
  char key[] = SECRET, body[] = "{\"a\":\"\xc3\xb1\"}", url[128], method[] = "PATCH";
  (void)snprintf(url, sizeof url, "%sv1/../a%%2Fb/?x=../y", stub_url(f->server));
  palenca_header headers[] = {{"x-api-key", key, strlen(key)}, {"X-Empty", "", 0}};
  palenca_request request = {.method = method,
                             .url = url,
                             .headers = headers,
                             .header_count = LENGTH(headers),
                             .body = body,
                             .body_size = strlen(body)};
  (void)submit(f->engine, &request);
  memset(key, '?', strlen(key));
  memset(body, '?', strlen(body));
  memset(url, '?', strlen(url));
  memset(method, '?', strlen(method));
  memset(headers, 0, sizeof headers);
  assert_response(wait_result(f->engine), 200, "ok", 1);
  char sent[4096];
  stub_last_request(f->server, sent, sizeof sent);
  assert_int_equal(strncmp(sent, "PATCH /v1/../a%2Fb/?x=../y HTTP/1.1\r\n", 37), 0);
  assert_non_null(strstr(sent, "\r\nx-api-key: " SECRET "\r\n"));
  assert_non_null(strstr(sent, "\r\nX-Empty:\r\n"));
  assert_non_null(strstr(sent, "\r\n\r\n{\"a\":\"\xc3\xb1\"}"));
  assert_null(strcasestr(sent, "\r\nexpect:"));
}

ENGINE_TEST(test_engine_without_options_has_the_defaults) {
  start_with(f, SCRIPT(RESPONSE(OK_RESPONSE)), NULL);
  palenca_request request = get(f);
  assert_response(run(f, &request), 200, "ok", 1);
}

ENGINE_TEST(test_methods_with_and_without_a_body) {
  START(f, RESPONSE("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), /* to HEAD: no body comes */
        RESPONSE(OK_RESPONSE));
  palenca_request request = get(f);
  request.method = "HEAD";
  assert_response(run(f, &request), 200, "", 1);
  request.method = "DELETE";
  assert_response(run(f, &request), 200, "ok", 1);
  char sent[4096];
  stub_last_request(f->server, sent, sizeof sent);
  assert_int_equal(strncmp(sent, "DELETE / ", 9), 0);
  assert_null(strcasestr(sent, "\r\ncontent-length:"));
  request = post(f);
  request.body = "";
  request.body_size = 0;
  assert_response(run(f, &request), 200, "ok", 1);
  stub_last_request(f->server, sent, sizeof sent);
  assert_non_null(strcasestr(sent, "\r\ncontent-length: 0\r\n"));
}

/* How many lines of a request's head begin so, in any case of the letters. */
static int count_lines(const char *sent, const char *beginning) {
  int count = 0;
  const char *head_end = strstr(sent, "\r\n\r\n");
  for (const char *at = strstr(sent, "\r\n"); at != head_end; at = strstr(at + 2, "\r\n")) {
    count += strncasecmp(at + 2, beginning, strlen(beginning)) == 0;
  }
  return count;
}

/* A server that waits for a body must learn that there is none. */
ENGINE_TEST(test_a_creation_without_a_body_says_so) {
  static const char *const methods[] = {"POST", "PUT", "PATCH"};
  START(f, RESPONSE(OK_RESPONSE));
  for (size_t i = 0; i < LENGTH(methods); i++) {
    palenca_request request = post(f);
    request.method = methods[i];
    request.body = NULL;
    request.body_size = 0;
    assert_response(run(f, &request), 200, "ok", 1);
    char sent[4096];
    stub_last_request(f->server, sent, sizeof sent);
    assert_int_equal(strncmp(sent, methods[i], strlen(methods[i])), 0);
    assert_int_equal(count_lines(sent, "content-length:"), 1);
    assert_non_null(strcasestr(sent, "\r\ncontent-length: 0\r\n"));
    assert_int_equal(count_lines(sent, "content-type:"), 0);
    assert_int_equal(count_lines(sent, "transfer-encoding:"), 0);
    assert_string_equal(strstr(sent, "\r\n\r\n"), "\r\n\r\n");
  }
}

ENGINE_TEST(test_no_content_type_is_made_up) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = post(f);
  char sent[4096];
  assert_response(run(f, &request), 200, "ok", 1);
  stub_last_request(f->server, sent, sizeof sent);
  assert_int_equal(count_lines(sent, "content-type"), 0);
  assert_null(strcasestr(sent, "x-www-form-urlencoded"));
  assert_non_null(strstr(sent, "\r\n\r\n{\"name\":1}"));
  static const palenca_header types[] = {{"Content-Type", "application/json", 16},
                                         {"content-type", "text/plain", 10}};
  static const char *const lines[] = {"\r\nContent-Type: application/json\r\n",
                                      "\r\ncontent-type: text/plain\r\n"};
  for (size_t i = 0; i < LENGTH(types); i++) {
    request.headers = &types[i];
    request.header_count = 1;
    assert_response(run(f, &request), 200, "ok", 1);
    stub_last_request(f->server, sent, sizeof sent);
    assert_int_equal(count_lines(sent, "content-type"), 1);
    assert_non_null(strstr(sent, lines[i]));
  }
}

/* ---- Responses ---- */

ENGINE_TEST(test_a_response_is_returned_complete) {
  START(f,
        RESPONSE(
            "HTTP/1.1 103 Early Hints\r\nX-Request-Id: early\r\nX-RateLimit-Limit: 5\r\n\r\n"
            "HTTP/1.1 201 Made\r\nX-Request-Id: r-1\r\nX-RateLimit-Remaining: 119\r\n"
            "X-RateLimit-Reset: 1700000000\r\nRetry-After: 3\r\nContent-Length: 5\r\n\r\na\0b\0c"));
  palenca_request request = get(f);
  palenca_result *result = run(f, &request);
  assert_int_equal(result->error.kind, PALENCA_OK);
  assert_int_equal(result->status, 201);
  assert_int_equal(result->attempts, 1);
  assert_int_equal(result->body_size, 5);
  assert_memory_equal(result->body, "a\0b\0c", 6);
  assert_string_equal(result->meta.request_id, "r-1");
  assert_int_equal(result->meta.rate_limit, -1);
  assert_int_equal(result->meta.rate_remaining, 119);
  assert_int_equal(result->meta.rate_reset, 1700000000);
  assert_int_equal(result->meta.retry_after_ms, 3000);
  assert_int_equal(strlen(result->headers), result->headers_size);
  assert_int_equal(strncmp(result->headers, "HTTP/1.1 201", 12), 0);
  assert_non_null(strstr(result->headers, "X-Request-Id: r-1\r\n"));
  assert_null(strstr(result->headers, "early"));
  palenca_result_free(result);
}

ENGINE_TEST(test_every_status_is_a_response) {
  static const int statuses[] = {204, 302, 404, 422, 501, 200};
  static const char *const bodies[] = {"", "", "no", "abc", "", "until the end"};
  START(f, RESPONSE("HTTP/1.1 204 Nothing\r\n\r\n"),
        RESPONSE("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"),
        RESPONSE("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno"),
        RESPONSE(
            "HTTP/1.1 422 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"),
        RESPONSE("HTTP/1.1 501 No\r\nContent-Length: 0\r\n\r\n"),
        RESPOND_AND_CLOSE("HTTP/1.0 200 OK\r\n\r\nuntil the end"));
  palenca_request request = get(f);
  for (size_t i = 0; i < LENGTH(statuses); i++) {
    assert_response(run(f, &request), statuses[i], bodies[i], 1);
  }
  assert_int_equal(stub_requests(f->server), LENGTH(statuses));
}

ENGINE_TEST(test_idempotent_requests_share_a_connection) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = get(f);
  for (int i = 0; i < 10; i++) {
    assert_response(run(f, &request), 200, "ok", 1);
  }
  assert_int_equal(stub_requests(f->server), 10);
  assert_int_equal(stub_connections(f->server), 1);
}

ENGINE_TEST(test_compressed_responses_are_unpacked) {
  START(f,
        RESPONSE(
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n"
            "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36"
            "\x05\x00\x00\x00"),
        RESPONSE("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"));
  palenca_request request = get(f);
  assert_response(run(f, &request), 200, "hello", 1);
  assert_failed(run(f, &request), PALENCA_PROTOCOL, 1);
}

/* ---- Many calls ---- */

ENGINE_TEST(test_no_more_than_max_in_flight) {
  enum {
    AT_ONCE = 3,
    CALLS = 10 * AT_ONCE
  };
  static const stub_response responses[] = {RESPONSE(OK_RESPONSE)};
  start_with(f, &(stub_script){responses, 1, AT_ONCE}, &(palenca_engine_options){NULL, AT_ONCE});
  palenca_request request = get(f);
  for (int i = 0; i < CALLS; i++) {
    (void)submit(f->engine, &request);
  }
  assert_int_equal(palenca_engine_active(f->engine), CALLS);
  for (int i = 0; i < CALLS; i++) {
    assert_response(wait_result(f->engine), 200, "ok", 1);
  }
  assert_int_equal(palenca_engine_active(f->engine), 0);
  assert_int_equal(stub_requests(f->server), CALLS);
  assert_int_equal(stub_max_waiting(f->server), AT_ONCE);
  assert_int_equal(stub_connections(f->server), AT_ONCE);
}

ENGINE_TEST(test_results_are_kept_in_order_until_they_are_taken) {
  enum {
    CALLS = 200
  };
  start_with(f, SCRIPT(RESPONSE(OK_RESPONSE)), &(palenca_engine_options){NULL, 1});
  palenca_request request = get(f);
  for (int i = 0; i < CALLS; i++) {
    (void)submit(f->engine, &request);
  }
  int64_t end = now_ms() + TIMEOUT_MS;
  while (palenca_engine_step(f->engine, 1000, NULL, 0) < CALLS) {
    assert_true(now_ms() < end);
  }
  for (uint64_t id = 1; id <= CALLS; id++) {
    palenca_result *result = palenca_engine_take(f->engine);
    assert_non_null(result);
    assert_int_equal(result->id, id);
    assert_response(result, 200, "ok", 1);
  }
}

/* Calls come and results are taken in uneven portions, so that all lists and the
 * ring of results grow, wrap and empty. */
ENGINE_TEST(test_many_calls_each_get_one_response) {
  enum {
    CALLS = 1500
  };
  static bool seen[CALLS + 1];
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = get(f);
  uint64_t seed = 88172645463325252u, submitted = 0;
  for (size_t taken = 0; taken < CALLS;) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    for (uint64_t n = 1 + (seed >> 57); n > 0 && submitted < CALLS; n--) {
      assert_int_equal(submit(f->engine, &request), ++submitted);
    }
    palenca_result *result = wait_result(f->engine);
    for (uint64_t n = (seed >> 40) % 100; result != NULL; n--) {
      assert_in_range(result->id, 1, submitted);
      assert_false(seen[result->id]);
      seen[result->id] = true;
      taken++;
      assert_response(result, 200, "ok", 1);
      result = n > 0 ? palenca_engine_take(f->engine) : NULL;
    }
  }
  assert_int_equal(palenca_engine_active(f->engine), 0);
  assert_null(palenca_engine_take(f->engine));
  assert_int_equal(stub_requests(f->server), CALLS);
}
