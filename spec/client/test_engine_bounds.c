/* Tests of the engine's bounds, and of the mistakes it rejects. */
#include "engine_fixture.h"

#include <stdio.h>
#include <string.h>

/* ---- Responses ---- */

static void assert_body_too_large(palenca_result *result, size_t limit) {
  assert_non_null(strstr(result->error.message, "body is larger than the bound"));
  assert_true(result->body_size <= limit);
  assert_failed(result, PALENCA_PROTOCOL, 1);
}

ENGINE_TEST(test_a_body_is_bounded) {
  START(f, RESPONSE("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"),
        RESPONSE("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n0123456789a"),
        RESPONSE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "6\r\n012345\r\n6\r\n6789ab\r\n0\r\n\r\n"),
        RESPONSE(OK_RESPONSE));
  palenca_request request = get(f);
  request.max_response = 10;
  assert_response(run(f, &request), 200, "0123456789", 1);
  assert_body_too_large(run(f, &request), 10);
  assert_body_too_large(run(f, &request), 10);
  assert_response(run(f, &request), 200, "ok", 1);
}

typedef struct {
  unsigned char data[16384];
  size_t bits;
} bit_stream;

static void put_bits(bit_stream *out, unsigned value, unsigned count) {
  for (unsigned i = 0; i < count; i++, out->bits++) {
    out->data[out->bits / 8] |= (unsigned char)(((value >> i) & 1) << (out->bits % 8));
  }
}

/* "aaaa…" in gzip: one letter, then that it comes 258 times more, again and again. */
static size_t make_bomb(bit_stream *out, unsigned repeats) {
  static const unsigned char head[10] = {0x1f, 0x8b, 8};
  memset(out, 0, sizeof *out);
  memcpy(out->data, head, sizeof head);
  out->bits = 8 * sizeof head;
  put_bits(out, 3, 3);    /* the last block, with fixed codes */
  put_bits(out, 0x89, 8); /* 'a', 0x91, as codes are written backwards */
  for (unsigned i = 0; i < repeats; i++) {
    put_bits(out, 0xa3, 8); /* length 258 is 0xc5 */
    put_bits(out, 0, 5);    /* distance 1 */
  }
  put_bits(out, 0, 7); /* the end, before a check sum that is not reached */
  return out->bits / 8 + 9;
}

ENGINE_TEST(test_a_small_response_cannot_unpack_to_a_large_one) {
  static bit_stream bomb;
  static char response[sizeof bomb.data + 200];
  size_t size = make_bomb(&bomb, 8000);
  assert_true(size < sizeof bomb.data);
  int head =
      snprintf(response, sizeof response,
               "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", size);
  memcpy(response + head, bomb.data, size);
  START(f, {response, (size_t)head + size, STUB_KEEP}, RESPONSE(OK_RESPONSE));
  palenca_request request = get(f);
  request.max_response = 100000; /* of 2 million */
  palenca_result *result = run(f, &request);
  assert_true(result->body_size > sizeof bomb.data);
  assert_int_equal(strspn(result->body, "a"), result->body_size);
  assert_body_too_large(result, request.max_response);
  assert_response(run(f, &request), 200, "ok", 1);
}

ENGINE_TEST(test_a_head_is_bounded) {
  enum {
    LINE = 1024,
    BOUND = 256 * 1024
  };
  static char responses[2][2 * BOUND];
  stub_response script[2];
  for (int i = 0; i < 2; i++) { /* one that has just room, and one that has not */
    char *at = responses[i] + sprintf(responses[i], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
    while (at - responses[i] < BOUND - 3 * LINE) {
      at += sprintf(at, "X-Line: %0*d\r\n", LINE - 10, 0);
    }
    int left = BOUND - (int)(at - responses[i]) - 2; /* the empty line counts */
    at += sprintf(at, "X-Line: %0*d\r\n\r\nok", left - 10 + i, 0);
    script[i] = (stub_response){responses[i], (size_t)(at - responses[i]), STUB_KEEP};
  }
  START(f, script[0], script[1]);
  palenca_request request = get(f);
  palenca_result *result = run(f, &request);
  assert_int_equal(result->headers_size, BOUND);
  assert_response(result, 200, "ok", 1);
  result = run(f, &request);
  assert_true(result->headers_size <= BOUND);
  assert_int_equal(result->body_size, 0);
  assert_non_null(strstr(result->error.message, "head is larger than the bound of 262144 bytes"));
  assert_null(strstr(result->error.message, "body"));
  assert_failed(result, PALENCA_PROTOCOL, 1);
}

/* ---- Mistakes of the caller ---- */

static void assert_rejected(fixture *f, const palenca_request *request, const char *part) {
  palenca_error error = {.kind = PALENCA_OK, .message = ""};
  assert_int_equal(palenca_engine_submit(f->engine, request, &error), 0);
  assert_int_equal(error.kind, PALENCA_USAGE);
  assert_non_null(strstr(error.message, part));
  assert_null(strstr(error.message, SECRET));
  assert_int_equal(palenca_engine_active(f->engine), 0);
  assert_int_equal(palenca_engine_next_deadline(f->engine), -1);
}

ENGINE_TEST(test_pointers_that_are_null_are_rejected) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = {.method = NULL};
  assert_rejected(f, NULL, "the request is NULL");
  assert_rejected(f, &request, "method");
  request.method = "GET";
  assert_rejected(f, &request, "field url of the request is NULL");
  request = get(f);
  request.headers = NULL;
  request.header_count = 1;
  assert_rejected(f, &request, "field headers of the request is NULL");
  request = get(f);
  request.body = NULL;
  request.body_size = 1;
  assert_rejected(f, &request, "field body of the request is NULL");
  request = get(f);
  request.rate_limit_key = NULL;
  request.rate_limit_key_size = 1;
  assert_rejected(f, &request, "field rate_limit_key of the request is NULL");
  palenca_header header = {"x-api-key", NULL, 3};
  request = get(f);
  request.headers = &header;
  request.header_count = 1;
  assert_rejected(f, &request, "the value of header x-api-key is NULL");
  header = (palenca_header){NULL, "v", 1};
  assert_rejected(f, &request, "name");
}

ENGINE_TEST(test_an_engine_that_could_not_be_made_rejects_requests) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = get(f);
  palenca_error error = {.kind = PALENCA_OK};
  assert_int_equal(palenca_engine_submit(NULL, &request, &error), 0);
  assert_int_equal(error.kind, PALENCA_USAGE);
  error.kind = PALENCA_OK;
  assert_false(palenca_engine_preconnect(NULL, &request, 1000, &error));
  assert_int_equal(error.kind, PALENCA_USAGE);
  assert_false(palenca_engine_preconnect(f->engine, NULL, 1000, NULL));
  request.url = NULL;
  assert_false(palenca_engine_preconnect(f->engine, &request, 1000, NULL));
}

static void assert_number_rejected(fixture *f, int max_retries, int timeout_ms, int deadline_ms,
                                   const char *part) {
  palenca_request request = get(f);
  request.max_retries = max_retries;
  request.timeout_ms = timeout_ms;
  request.deadline_ms = deadline_ms;
  assert_rejected(f, &request, part);
}

ENGINE_TEST(test_numbers_beyond_their_bounds_are_rejected) {
  START(f, RESPONSE(OK_RESPONSE));
  assert_number_rejected(f, -1, 0, 0, "max_retries must be 0 to 100");
  assert_number_rejected(f, PALENCA_MAX_RETRIES_MAX + 1, 0, 0, "max_retries");
  assert_number_rejected(f, 0, -1, 0, "timeout_ms must not be negative");
  assert_number_rejected(f, 0, 0, -1, "deadline_ms must not be negative");
}

ENGINE_TEST(test_mistakes_are_rejected_and_nothing_is_queued) {
  START(f, RESPONSE(OK_RESPONSE));
  static const char *const methods[] = {"", "get", "GET / HTTP/1.1\r\nX: y", "G T"};
  for (size_t i = 0; i < LENGTH(methods); i++) {
    palenca_request request = get(f);
    request.method = methods[i];
    assert_rejected(f, &request, "method");
  }
  static const int rates[] = {-1, PALENCA_RATE_LIMIT_MAX + 1};
  for (size_t i = 0; i < LENGTH(rates); i++) {
    palenca_request request = get(f);
    request.rate_limit = rates[i];
    assert_rejected(f, &request, "rate limit");
  }
  const palenca_header headers[] = {
      {"x-api-key", SECRET "\r\nX: y", strlen(SECRET "\r\nX: y")},
      {"x-api-key", SECRET "\0", sizeof SECRET},
      {"x-api-key: " SECRET, "", 0},
      {"", SECRET, strlen(SECRET)},
  };
  for (size_t i = 0; i < LENGTH(headers); i++) {
    const palenca_header both[] = {{"Accept", "*/*", 3}, headers[i]};
    palenca_request request = get(f);
    request.headers = both;
    request.header_count = 2;
    assert_rejected(f, &request, "header");
  }
  assert_int_equal(palenca_engine_step(f->engine, 0, NULL, 0), 0);
  assert_int_equal(stub_connections(f->server), 0);
}

ENGINE_TEST(test_a_header_is_bounded) {
  enum {
    BOUND = 32 * 1024
  };
  START(f, RESPONSE(OK_RESPONSE));
  static char value[3 * BOUND + 1], sent[2 * BOUND];
  memset(value, 'v', sizeof value - 1);
  memcpy(value, SECRET, strlen(SECRET));
  static const size_t sizes[] = {BOUND + 1, 2 * BOUND, 2 * BOUND + 1, 3 * BOUND};
  palenca_header header = {"x-api-key", value, 0};
  palenca_request request = get(f);
  request.headers = &header;
  request.header_count = 1;
  for (size_t i = 0; i < LENGTH(sizes); i++) {
    header.value_size = sizes[i];
    assert_rejected(f, &request, "header");
  }
  /* A line is no longer for being all name. */
  static char name[BOUND + 2];
  memset(name, 'n', sizeof name - 1);
  header = (palenca_header){name, "", 0};
  assert_rejected(f, &request, "header");
  assert_int_equal(stub_connections(f->server), 0);
  header = (palenca_header){"x-api-key", value, BOUND};
  assert_response(run(f, &request), 200, "ok", 1);
  stub_last_request(f->server, sent, sizeof sent);
  const char *line = strstr(sent, "\r\nx-api-key: ");
  assert_non_null(line);
  line += strlen("\r\nx-api-key: ");
  assert_memory_equal(line, value, BOUND);
  assert_memory_equal(line + BOUND, "\r\n", 2);
}

ENGINE_TEST(test_no_failure_contains_a_header_value) {
  static const stub_response responses[] = {
      HANG_UP,
      RESPOND_AND_CLOSE("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" SECRET),
      RESPOND_AND_CLOSE("HTTP/1.1 200 OK\r\nContent-Length: 99\r\nX-Echo: " SECRET
                        "\r\n\r\n" SECRET),
      RESPOND_AND_CLOSE(
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\n" SECRET),
      RESPOND_AND_CLOSE("HTTP/1.1 200 OK\r\nX-Echo " SECRET "\r\n\r\n"),
      RESPOND_AND_CLOSE(SECRET "\r\n\r\n"),
      SILENCE,
  };
  start_with(f, &(stub_script){responses, LENGTH(responses), 0}, &(palenca_engine_options){0});
  const palenca_header header = {"x-api-key", SECRET, strlen(SECRET)};
  for (size_t i = 0; i < LENGTH(responses); i++) {
    palenca_request request = get(f);
    request.headers = &header;
    request.header_count = 1;
    request.max_retries = 0;
    if (i + 1 == LENGTH(responses)) {
      request.timeout_ms = 50;
    }
    palenca_result *result = run(f, &request);
    assert_null(strstr(result->error.message, SECRET));
    palenca_result_free(result);
  }
}
