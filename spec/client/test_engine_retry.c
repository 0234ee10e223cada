/* Tests of the engine's failures, and of what it repeats by itself. */
#include "engine_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- Failures ---- */

/* A port that is taken, but on which nobody listens. */
static int deaf_socket(char *url, size_t size) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
  (void)snprintf(url, size, "http://127.0.0.1:%d/", (int)ntohs(address.sin_port));
  return fd;
}

ENGINE_TEST(test_a_rejected_connection_is_retried_even_to_create) {
  START(f, RESPONSE(OK_RESPONSE));
  char url[64];
  int fd = deaf_socket(url, sizeof url);
  palenca_request request = post(f);
  request.url = url;
  palenca_result *result = run(f, &request);
  assert_int_equal(result->status, 0);
  assert_null(result->body);
  assert_failed(result, PALENCA_NETWORK, 2);
  request.max_retries = 0;
  assert_failed(run(f, &request), PALENCA_NETWORK, 1);
  request = get(f);
  request.url = url;
  assert_failed(run(f, &request), PALENCA_NETWORK, 2);
  (void)close(fd);
}

ENGINE_TEST(test_an_idempotent_request_without_a_response_is_retried) {
  START(f, HANG_UP, RESPONSE(OK_RESPONSE), HANG_UP);
  palenca_request request = get(f);
  assert_response(run(f, &request), 200, "ok", 2);
  assert_int_equal(stub_requests(f->server), 2);
}

ENGINE_TEST(test_a_creation_without_a_response_is_not_retried) {
  START(f, HANG_UP, RESPONSE(OK_RESPONSE));
  palenca_request request = post(f);
  request.max_retries = 5;
  assert_failed(run(f, &request), PALENCA_NETWORK, 1);
  assert_int_equal(stub_requests(f->server), 1);
}

/* A kept connection that turns out dead must not lead to a second sending either. */
ENGINE_TEST(test_a_creation_is_not_sent_twice_over_an_idle_connection) {
  START(f, RESPONSE(OK_RESPONSE), HANG_UP, RESPONSE(OK_RESPONSE));
  palenca_request idempotent = get(f), creation = post(f);
  assert_response(run(f, &idempotent), 200, "ok", 1);
  assert_failed(run(f, &creation), PALENCA_NETWORK, 1);
  assert_int_equal(stub_requests(f->server), 2);
  assert_response(run(f, &idempotent), 200, "ok", 1);
}

/* libcurl sends it again by itself. */
ENGINE_TEST(test_a_request_that_an_idle_connection_lost_is_sent_again_to_its_own_url) {
  char url[128], sent[4096];
  START(f, RESPONSE(OK_RESPONSE), HANG_UP, RESPONSE(OK_RESPONSE));
  palenca_request request = get(f);
  assert_response(run(f, &request), 200, "ok", 1);
  (void)snprintf(url, sizeof url, "%ssecond", stub_url(f->server));
  request.url = url;
  request.max_retries = 0;
  assert_response(run(f, &request), 200, "ok", 1);
  assert_int_equal(stub_requests(f->server), 3);
  stub_last_request(f->server, sent, sizeof sent);
  assert_ptr_equal(strstr(sent, "GET /second HTTP/1.1\r\n"), sent);
}

ENGINE_TEST(test_a_truncated_response_is_a_network_failure) {
  START(f, RESPOND_AND_CLOSE("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        RESPOND_AND_CLOSE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf"),
        RESPOND_AND_CLOSE("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), RESPONSE(OK_RESPONSE));
  palenca_request creation = post(f), idempotent = get(f);
  assert_failed(run(f, &creation), PALENCA_NETWORK, 1);
  assert_failed(run(f, &creation), PALENCA_NETWORK, 1);
  assert_response(run(f, &idempotent), 200, "ok", 2);
  assert_int_equal(stub_requests(f->server), 4);
}

/* The libraries below take half a head for a complete response without a body. */
ENGINE_TEST(test_a_truncated_head_is_a_network_failure) {
  START(
      f, RESPOND_AND_CLOSE("HTTP/1.1 200 OK\r\n"),
      RESPOND_AND_CLOSE("HTTP/1.1 200 OK\r\nContent-Le"),
      RESPOND_AND_CLOSE("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nX-Request-Id: r-1\r\n"),
      RESPONSE(OK_RESPONSE));
  palenca_request creation = post(f), idempotent = get(f);
  assert_failed(run(f, &creation), PALENCA_NETWORK, 1);
  assert_failed(run(f, &creation), PALENCA_NETWORK, 1);
  assert_response(run(f, &idempotent), 200, "ok", 2);
}

ENGINE_TEST(test_what_is_no_http_is_a_protocol_failure) {
  START(f, RESPOND_AND_CLOSE("hello\r\n\r\n"));
  palenca_request request = get(f);
  assert_failed(run(f, &request), PALENCA_PROTOCOL, 1);
  request.url = "gopher://127.0.0.1/";
  assert_failed(run(f, &request), PALENCA_USAGE, 1);
}

ENGINE_TEST(test_an_earlier_attempts_body_is_gone) {
  START(f, RESPONSE(BUSY_RESPONSE), RESPONSE("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        RESPONSE(BUSY_RESPONSE), HANG_UP);
  palenca_request request = get(f);
  assert_response(run(f, &request), 200, "", 2);
  palenca_result *result = run(f, &request);
  assert_string_equal(result->body != NULL ? result->body : "", "");
  assert_string_equal(result->headers != NULL ? result->headers : "", "");
  assert_failed(result, PALENCA_NETWORK, 2);
}

ENGINE_TEST(test_silence_ends_with_the_timeout) {
  START(f, SILENCE);
  palenca_request idempotent = get(f), creation = post(f);
  idempotent.timeout_ms = 50;
  idempotent.max_retries = 0;
  assert_failed(run(f, &idempotent), PALENCA_TIMEOUT, 1);
  idempotent.max_retries = 1;
  assert_failed(run(f, &idempotent), PALENCA_TIMEOUT, 2);
  /* Whether the request gets out in so short a time is the machine's to say; twice it does not. */
  size_t before = stub_requests(f->server);
  creation.timeout_ms = 50;
  creation.max_retries = 2;
  palenca_result *result = run(f, &creation);
  assert_failed(result, PALENCA_TIMEOUT, result->attempts);
  assert_true(stub_requests(f->server) <= before + 1);
}

ENGINE_TEST(test_a_body_that_stops_ends_with_the_timeout) {
  START(f, RESPONSE("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"));
  palenca_request request = get(f);
  request.timeout_ms = 300;
  request.max_retries = 0;
  assert_failed(run(f, &request), PALENCA_TIMEOUT, 1);
}

/* ---- Temporary responses ---- */

ENGINE_TEST(test_temporary_responses) {
  START(f, RESPONSE(BUSY_RESPONSE), RESPONSE(OK_RESPONSE), RESPONSE(BUSY_RESPONSE));
  palenca_request idempotent = get(f), creation = post(f);
  assert_response(run(f, &idempotent), 200, "ok", 2);
  assert_response(run(f, &creation), 503, "busy", 1);
  assert_response(run(f, &idempotent), 503, "busy", 2);
  idempotent.max_retries = 0;
  assert_response(run(f, &idempotent), 503, "busy", 1);
  assert_int_equal(stub_requests(f->server), 6);
}

ENGINE_TEST(test_a_status_of_a_server_in_between_is_temporary) {
  START(f, RESPONSE("HTTP/1.1 520 Unknown\r\nContent-Length: 0\r\n\r\n"), RESPONSE(OK_RESPONSE),
        RESPONSE("HTTP/1.1 507 Full\r\nContent-Length: 0\r\n\r\n"), RESPONSE(OK_RESPONSE),
        RESPONSE("HTTP/1.1 501 Never\r\nContent-Length: 0\r\n\r\n"), RESPONSE(OK_RESPONSE));
  palenca_request request = get(f);
  assert_response(run(f, &request), 200, "ok", 2);
  assert_response(run(f, &request), 200, "ok", 2);
  assert_response(run(f, &request), 501, "", 1);
}

ENGINE_TEST(test_429_is_repeated_when_the_server_says_even_to_create) {
  START(f, RESPONSE("HTTP/1.1 429 Slow\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"),
        RESPONSE("HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"),
        RESPONSE(OK_RESPONSE));
  palenca_request request = post(f);
  request.max_retries = 2;
  int64_t start = now_ms();
  assert_response(run(f, &request), 200, "ok", 3);
  assert_true(now_ms() - start >= 1000);
  assert_int_equal(stub_requests(f->server), 3);
}

/* A 429 from a server whose clock is `ahead` seconds ahead of this one, with or without a Date. */
static stub_response limited_response(char text[300], int ahead, bool has_date) {
  time_t server = time(NULL) + ahead;
  struct tm parts;
  char date[64] = "";
  assert_non_null(gmtime_r(&server, &parts));
  if (has_date) {
    assert_true(strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts) > 0);
  }
  int size = snprintf(text, 300,
                      "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nX-RateLimit-Reset: %lld\r\n%s"
                      "Content-Length: 0\r\n\r\n",
                      (long long)server + 1, date);
  return (stub_response){text, (size_t)size, STUB_KEEP};
}

static void assert_limited_for_a_second(fixture *f, int ahead, bool has_date) {
  char text[300];
  START(f, limited_response(text, ahead, has_date), RESPONSE(OK_RESPONSE));
  palenca_request request = limited(f, has_date ? "date" : "no date", 100);
  request.max_retries = 1;
  request.deadline_ms = 30000; /* half a window */
  int64_t start = now_ms();
  assert_response(run(f, &request), 200, "ok", 2);
  assert_true(now_ms() - start >= 1000);
}

ENGINE_TEST(test_the_clock_of_the_server_is_ahead) {
  assert_limited_for_a_second(f, 600, true);
}

ENGINE_TEST(test_the_clock_of_the_server_is_a_little_ahead) {
  assert_limited_for_a_second(f, 45, true);
}

ENGINE_TEST(test_the_clock_of_the_server_is_slow) {
  assert_limited_for_a_second(f, -600, true);
}

ENGINE_TEST(test_the_clock_of_the_server_is_ahead_and_it_sends_no_date) {
  assert_limited_for_a_second(f, 600, false);
}

ENGINE_TEST(test_a_wait_too_long_is_left_to_the_caller) {
  START(f, RESPONSE("HTTP/1.1 429 Slow\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"));
  palenca_request request = get(f);
  palenca_result *result = run(f, &request);
  assert_int_equal(result->meta.retry_after_ms, 3600000);
  assert_response(result, 429, "", 1);
}
