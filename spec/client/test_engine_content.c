/* Tests of what the engine makes of a response's bytes: compressed bodies, whole, truncated and
 * with something after them, and heads whose lines are folded, repeated or not the response's own.
 */
#include "content_decoder.h"
#include "engine_fixture.h"
#include "response_sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* ---- Bytes to send ---- */

typedef enum {
  GZIP = MAX_WBITS + 16,
  ZLIB = MAX_WBITS,
  BARE = -MAX_WBITS, /* deflate without the zlib format around it */
} format;

typedef struct {
  char data[8192];
  size_t size;
} bytes;

static void add(bytes *to, const void *data, size_t size) {
  assert_true(to->size + size < sizeof to->data);
  memcpy(to->data + to->size, data, size);
  to->size += size;
}

static void add_text(bytes *to, const char *text) {
  add(to, text, strlen(text));
}

static void add_compressed(bytes *to, format as, const char *text, size_t size) {
  z_stream stream = {.next_in = (unsigned char *)(uintptr_t)text, .avail_in = (uInt)size};
  unsigned char packed[4096];
  assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, as, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_out = packed;
  stream.avail_out = sizeof packed;
  assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
  add(to, packed, sizeof packed - stream.avail_out);
  (void)deflateEnd(&stream);
}

/* A response that is as long as it says. */
static bytes response_of(const char *coding, const bytes *body, bool is_chunked) {
  bytes response = {.size = 0};
  char head[256];
  (void)snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n", coding);
  add_text(&response, head);
  if (is_chunked) {
    (void)snprintf(head, sizeof head, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", body->size);
  } else {
    (void)snprintf(head, sizeof head, "Content-Length: %zu\r\n\r\n", body->size);
  }
  add_text(&response, head);
  add(&response, body->data, body->size);
  if (is_chunked) {
    add_text(&response, "\r\n0\r\n\r\n");
  }
  return response;
}

static palenca_result *get_response(fixture *f, const bytes *response, size_t max_response) {
  START(f, {response->data, response->size, STUB_KEEP});
  palenca_request request = get(f);
  request.max_response = max_response;
  palenca_result *result = run(f, &request);
  palenca_engine_free(f->engine);
  stub_stop(f->server);
  f->engine = NULL;
  f->server = NULL;
  return result;
}

static void assert_malformed(palenca_result *result, const char *why) {
  if (result->error.kind != PALENCA_PROTOCOL || strstr(result->error.message, why) == NULL) {
    fail_msg("kind %d, body of %zu bytes, %s", (int)result->error.kind, result->body_size,
             result->error.message);
  }
  assert_int_equal(result->attempts, 1);
  palenca_result_free(result);
}

static const struct {
  const char *coding;
  format as;
} formats[] = {{"gzip", GZIP}, {"X-GZIP", GZIP}, {"deflate", ZLIB}, {"Deflate", BARE}};

#define TEXT "some text that is longer than its compressed form would be if it were longer"

/* ---- Compressed bodies ---- */

ENGINE_TEST(test_compressed_bodies_are_decoded) {
  for (size_t i = 0; i < LENGTH(formats) * 2; i++) {
    bytes body = {.size = 0};
    add_compressed(&body, formats[i / 2].as, TEXT, strlen(TEXT));
    bytes response = response_of(formats[i / 2].coding, &body, i % 2 == 1);
    assert_response(get_response(f, &response, 0), 200, TEXT, 1);
  }
}

ENGINE_TEST(test_every_truncated_body_is_an_error) {
  for (size_t i = 0; i < LENGTH(formats); i++) {
    bytes whole = {.size = 0};
    add_compressed(&whole, formats[i].as, TEXT, strlen(TEXT));
    for (size_t size = 1; size < whole.size; size += 3) {
      bytes body = {.size = 0};
      add(&body, whole.data, size);
      bytes response = response_of(formats[i].coding, &body, size % 2 == 1);
      assert_malformed(get_response(f, &response, 0), "compressed body is truncated");
    }
  }
}

ENGINE_TEST(test_bodies_may_come_byte_by_byte) {
  for (size_t i = 0; i < LENGTH(formats); i++) {
    bytes whole = {.size = 0};
    palenca_buffer out = {.limit = 0};
    add_compressed(&whole, formats[i].as, TEXT, strlen(TEXT));
    content_decoder *decoder =
        content_decoder_new(formats[i].as == GZIP ? CODING_GZIP : CODING_DEFLATE);
    assert_non_null(decoder);
    for (size_t at = 0; at < whole.size; at++) {
      assert_int_equal(content_decoder_is_complete(decoder), at == 0);
      char *alone = malloc(1); /* so that sanitizers see a step beyond it */
      assert_non_null(alone);
      *alone = whole.data[at];
      assert_int_equal(content_decoder_feed(decoder, alone, 1, &out), DECODER_OK);
      free(alone);
    }
    assert_true(content_decoder_is_complete(decoder));
    assert_string_equal(out.data, TEXT);
    /* of gzip it could be the first byte of another stream */
    assert_true(content_decoder_feed(decoder, "x", 1, &out) == DECODER_MALFORMED ||
                !content_decoder_is_complete(decoder));
    content_decoder_free(decoder);
    palenca_buffer_free(&out);
  }
}

ENGINE_TEST(test_what_follows_a_stream_is_an_error) {
  for (size_t i = 0; i < LENGTH(formats); i++) {
    bytes body = {.size = 0};
    add_compressed(&body, formats[i].as, TEXT, strlen(TEXT));
    add_text(&body, "garbage");
    bytes response = response_of(formats[i].coding, &body, false);
    assert_malformed(get_response(f, &response, 0), "compressed body is malformed");
  }
}

ENGINE_TEST(test_a_changed_byte_is_an_error) {
  bytes body = {.size = 0};
  add_compressed(&body, GZIP, TEXT, strlen(TEXT));
  body.data[body.size - 6] ^= 1; /* of the checksum */
  bytes response = response_of("gzip", &body, false);
  assert_malformed(get_response(f, &response, 0), "compressed body is malformed");
}

ENGINE_TEST(test_gzip_streams_in_a_row_are_one_body) {
  bytes body = {.size = 0};
  add_compressed(&body, GZIP, "one ", 4);
  add_compressed(&body, GZIP, "and two", 7);
  bytes response = response_of("gzip", &body, false);
  assert_response(get_response(f, &response, 0), 200, "one and two", 1);
  body.size -= 4;
  response = response_of("gzip", &body, false);
  assert_malformed(get_response(f, &response, 0), "truncated");
}

ENGINE_TEST(test_other_encodings_are_rejected) {
  static const char *const codings[] = {"br", "zstd", "gzip, gzip", "compress", "gzip\r\n br"};
  for (size_t i = 0; i < LENGTH(codings); i++) {
    bytes body = {.size = 0};
    add_compressed(&body, GZIP, TEXT, strlen(TEXT));
    bytes response = response_of(codings[i], &body, false);
    assert_malformed(get_response(f, &response, 0), "content encoding");
  }
}

ENGINE_TEST(test_bodies_without_an_encoding_stay_as_they_are) {
  static const char *const codings[] = {"identity", "", "identity, ,"};
  for (size_t i = 0; i < LENGTH(codings); i++) {
    bytes body = {.size = 0};
    add_text(&body, TEXT);
    bytes response = response_of(codings[i], &body, false);
    assert_response(get_response(f, &response, 0), 200, TEXT, 1);
  }
  bytes empty = {.size = 0};
  bytes response = response_of("gzip", &empty, false);
  assert_response(get_response(f, &response, 0), 200, "", 1);
}

ENGINE_TEST(test_the_bound_counts_what_is_decoded) {
  static char zeros[100000];
  bytes body = {.size = 0};
  add_compressed(&body, GZIP, zeros, sizeof zeros);
  bytes response = response_of("gzip", &body, false);
  assert_true(body.size < 1000);
  palenca_result *result = get_response(f, &response, sizeof zeros);
  assert_int_equal(result->error.kind, PALENCA_OK);
  assert_int_equal(result->body_size, sizeof zeros);
  palenca_result_free(result);
  assert_malformed(get_response(f, &response, sizeof zeros - 1),
                   "body is larger than the bound of 99999 bytes");
}

/* As large as no memory is. */
#define HUGE_SIZE (SIZE_MAX / 8)

ENGINE_TEST(test_a_lack_of_memory_is_no_bound) {
#ifdef __SANITIZE_ADDRESS__ /* it ends the program instead */
  skip();
#endif
  palenca_buffer head = {.limit = 100}, body = {.limit = SIZE_MAX / 4};
  response_sink sink;
  response_sink_init(&sink, &head, &body);
  assert_false(response_sink_add_body(&sink, "", HUGE_SIZE));
  assert_int_equal(sink.failure.kind, PALENCA_NO_MEMORY);
  assert_string_equal(sink.failure.message, "out of memory");
  assert_false(response_sink_add_line(&sink, "HTTP/1.1 200 OK", HUGE_SIZE));
  assert_non_null(strstr(sink.failure.message, "head is larger than the bound of 100 bytes"));

  bytes packed = {.size = 0};
  add_compressed(&packed, GZIP, "text", 4);
  palenca_buffer out = {.size = HUGE_SIZE, .capacity = HUGE_SIZE};
  content_decoder *decoder = content_decoder_new(CODING_GZIP);
  assert_int_equal(content_decoder_feed(decoder, packed.data, packed.size, &out),
                   DECODER_NO_MEMORY);
  content_decoder_free(decoder);
}

ENGINE_TEST(test_only_what_can_be_decoded_is_asked_for) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = get(f);
  assert_response(run(f, &request), 200, "ok", 1);
  char sent[4096];
  stub_last_request(f->server, sent, sizeof sent);
  assert_non_null(strstr(sent, "\r\nAccept-Encoding: gzip\r\n"));
  const palenca_header own = {.name = "accept-encoding", .value = "identity", .value_size = 8};
  request.headers = &own;
  request.header_count = 1;
  assert_response(run(f, &request), 200, "ok", 1);
  stub_last_request(f->server, sent, sizeof sent);
  assert_null(strstr(sent, "Accept-Encoding: gzip"));
}

/* ---- Heads ---- */

static palenca_result *get_text(fixture *f, const char *text) {
  bytes response = {.size = 0};
  add_text(&response, text);
  return get_response(f, &response, 0);
}

ENGINE_TEST(test_folded_lines_are_joined) {
  palenca_result *result = get_text(f, "HTTP/1.1 200 OK\r\nX-Folded: one\r\n \t two \r\n\tthree\r\n"
                                       "X-Request-Id:\r\n r-1\r\nRetry-After: \r\n 3\r\n"
                                       "Content-Length: 2\r\n\r\nok");
  assert_int_equal(result->error.kind, PALENCA_OK);
  assert_non_null(strstr(result->headers, "\r\nX-Folded: one two three\r\n"));
  assert_string_equal(result->meta.request_id, "r-1");
  assert_int_equal(result->meta.retry_after_ms, 3000);
  palenca_result_free(result);
}

ENGINE_TEST(test_trailers_are_no_headers) {
  palenca_result *result =
      get_text(f, "HTTP/1.1 200 OK\r\nX-Own: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "2\r\nok\r\n0\r\nX-Request-Id: trailer\r\nRetry-After: 77\r\n"
                  "HTTP/1.1 500: no\r\nX-RateLimit-Remaining: 0\r\n\r\n");
  assert_int_equal(result->error.kind, PALENCA_OK);
  assert_int_equal(result->status, 200);
  assert_string_equal(result->meta.request_id, "");
  assert_int_equal(result->meta.retry_after_ms, -1);
  assert_int_equal(result->meta.rate_remaining, -1);
  assert_string_equal(result->headers,
                      "HTTP/1.1 200 OK\r\nX-Own: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
  palenca_result_free(result);
}

ENGINE_TEST(test_a_line_like_a_status_line_starts_no_head) {
  palenca_result *result =
      get_text(f, "HTTP/1.1 103 Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-First: 1\r\n"
                  "HTTP/1.1: 5\r\nContent-Length: 2\r\n\r\nok");
  assert_int_equal(result->error.kind, PALENCA_OK);
  assert_string_equal(result->headers, "HTTP/1.1 200 OK\r\nX-First: 1\r\nHTTP/1.1: 5\r\n"
                                       "Content-Length: 2\r\n\r\n");
  palenca_result_free(result);
}

ENGINE_TEST(test_a_switch_of_protocols_is_an_error) {
  assert_malformed(get_text(f, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n"
                               "Connection: Upgrade\r\n\r\nbytes"),
                   "switched to another protocol");
}
