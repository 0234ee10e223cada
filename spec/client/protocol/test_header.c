/* Tests of the checks on a request's head, and of reading a response's headers. */
#include "palenca.h"
#include "support/random.h"
#include "support/unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Requests ---- */

UNIT_TEST(test_methods) {
  static const char *const good[] = {"GET", "POST", "DELETE", "X", "ABCDEFGHIJKLMNOP"};
  static const char *const bad[] = {
      "",     "get",  "Get",   "GET ",     "GE T",   "GET\r\n",
      "GET1", "G-T",  "GET\t", "\xc3\x91", "GET/",   "ABCDEFGHIJKLMNOPQ",
      " GET", "GET@", "GET[",  "{",        "GET\x7f"};
  palenca_error error = {.kind = PALENCA_OK};
  for (size_t i = 0; i < LENGTH(good); i++) {
    assert_true(palenca_method_check(good[i], &error));
  }
  assert_int_equal(error.kind, PALENCA_OK);
  for (size_t i = 0; i < LENGTH(bad); i++) {
    error.kind = PALENCA_OK;
    assert_false(palenca_method_check(bad[i], &error));
    assert_int_equal(error.kind, PALENCA_USAGE);
  }
}

UNIT_TEST(test_every_byte_of_a_header_name) {
  for (int byte = 1; byte < 256; byte++) {
    char name[4] = {'X', (char)byte, 'Y', '\0'};
    bool is_alnum = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                    (byte >= 'A' && byte <= 'Z');
    bool expected = is_alnum || strchr("!#$%&'*+-.^_`|~", byte) != NULL;
    assert_true(palenca_header_check(name, "v", 1, NULL) == expected);
  }
  assert_false(palenca_header_check("", "v", 1, NULL));
}

UNIT_TEST(test_names_and_values_that_are_null_are_rejected) {
  palenca_error error = {.kind = PALENCA_OK, .message = ""};
  assert_false(palenca_method_check(NULL, &error));
  assert_int_equal(error.kind, PALENCA_USAGE);
  error.kind = PALENCA_OK;
  assert_false(palenca_header_check(NULL, "v", 1, &error));
  assert_int_equal(error.kind, PALENCA_USAGE);
  error.kind = PALENCA_OK;
  assert_false(palenca_header_check("x-api-key", NULL, 1, &error));
  assert_int_equal(error.kind, PALENCA_USAGE);
  assert_string_equal(error.message, "the value of header x-api-key is NULL");
}

UNIT_TEST(test_every_byte_of_a_header_value) {
  for (int byte = 0; byte < 256; byte++) {
    bool expected = byte == '\t' || (byte >= ' ' && byte != 127);
    for (size_t at = 0; at < 3; at++) {
      char value[3] = {'a', 'b', 'c'};
      value[at] = (char)byte;
      assert_true(palenca_header_check("x-api-key", value, 3, NULL) == expected);
    }
  }
  assert_true(palenca_header_check("x-api-key", "", 0, NULL));
  assert_true(palenca_header_check("x-api-key", NULL, 0, NULL));
}

UNIT_TEST(test_headers_that_are_made_from_the_request) {
  static const char *const names[] = {
      "Content-Length", "content-length",
      "CONTENT-LENGTH", "Transfer-Encoding",
      "Connection",     "Keep-Alive",
      "Expect",         "Proxy-Connection",
      "Upgrade",        "TE",
      "Trailer",        "HTTP2-Settings",
      "Host",           "hOST",
  };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    palenca_error error = {.kind = PALENCA_OK, .message = ""};
    assert_false(palenca_header_check(names[i], "3", 1, &error));
    assert_int_equal(error.kind, PALENCA_USAGE);
    assert_non_null(strstr(error.message, names[i]));
  }
  static const char *const others[] = {"Content-Type", "Content-Length-X", "X-Host", "Forwarded"};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    assert_true(palenca_header_check(others[i], "3", 1, NULL));
  }
}

UNIT_TEST(test_a_rejection_names_the_header_but_not_its_value) {
  palenca_error error = {.kind = PALENCA_OK};
  assert_false(palenca_header_check("x-api-key", "hidden\r\nX: y", 12, &error));
  assert_int_equal(error.kind, PALENCA_USAGE);
  assert_non_null(strstr(error.message, "x-api-key"));
  assert_null(strstr(error.message, "hidden"));
  char name[5000];
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  assert_false(palenca_header_check(name, "\n", 1, &error));
  assert_true(strlen(error.message) < sizeof error.message - 1);
  assert_false(palenca_header_check("key: hidden", "", 0, &error));
  assert_null(strstr(error.message, "hidden"));
}

/* ---- Responses ---- */

#define NOW INT64_C(784111777) /* Sun, 06 Nov 1994 08:49:37 GMT */

/* The copy ends where the line does, so that sanitizers see a step beyond it. */
static void read_bytes(palenca_meta *meta, const char *line, size_t size, int64_t now) {
  char *copy = malloc(size + (size == 0));
  assert_non_null(copy);
  memcpy(copy, line, size);
  palenca_meta_read(meta, copy, size, now);
  free(copy);
}

static palenca_meta read_line(const char *line) {
  palenca_meta meta;
  palenca_meta_clear(&meta);
  read_bytes(&meta, line, strlen(line), NOW);
  return meta;
}

static void assert_nothing(const palenca_meta *meta) {
  assert_string_equal(meta->request_id, "");
  assert_int_equal(meta->rate_limit, -1);
  assert_int_equal(meta->rate_remaining, -1);
  assert_int_equal(meta->rate_reset, -1);
  assert_int_equal(meta->retry_after_ms, -1);
}

UNIT_TEST(test_all_headers_of_a_response) {
  static const char *const lines[] = {
      "HTTP/1.1 200 OK\r\n",
      "Content-Type: application/json\r\n",
      "X-Request-Id: 7f3a\r\n",
      "X-RateLimit-Limit: 120\r\n",
      "x-ratelimit-remaining:0\r\n",
      "X-RATELIMIT-RESET: \t 1700000000 \t\r\n",
      "Retry-After: 7",
      "\r\n",
  };
  palenca_meta meta;
  palenca_meta_clear(&meta);
  assert_nothing(&meta);
  for (size_t i = 0; i < LENGTH(lines); i++) {
    read_bytes(&meta, lines[i], strlen(lines[i]), NOW);
  }
  assert_string_equal(meta.request_id, "7f3a");
  assert_int_equal(meta.rate_limit, 120);
  assert_int_equal(meta.rate_remaining, 0);
  assert_int_equal(meta.rate_reset, 1700000000);
  assert_int_equal(meta.retry_after_ms, 7000);
  palenca_meta_clear(&meta);
  assert_nothing(&meta);
}

UNIT_TEST(test_lines_that_say_nothing) {
  static const char *const lines[] = {
      "",
      ":",
      "\r\n",
      " ",
      "X-Request-Id",
      "X-Request-Id 5",
      ": 5",
      "Retry-After",
      "Retry-After:",
      "Retry-After: \r\n",
      "X-RateLimit-Limits: 5",
      "X-RateLimit-Limi: 5",
      "-RateLimit-Limit: 5",
      "X-RateLimit-Limit : 5",
      " X-RateLimit-Limit: 5",
      "X-RateLimit: 5",
      "X-RateLimit-Limit:",
      "X-RateLimit-Limit: -5",
      "X-RateLimit-Limit: +5",
      "X-RateLimit-Limit: 5.0",
      "X-RateLimit-Limit: 5, 5",
      "X-RateLimit-Remaining: 0x5",
      "X-RateLimit-Remaining: none",
      "X-RateLimit-Reset: 1 2",
      "X-RateLimit-Reset: 1234567890123456",
      "X-Request-Id:\r\n",
  };
  for (size_t i = 0; i < LENGTH(lines); i++) {
    palenca_meta meta = read_line(lines[i]);
    assert_nothing(&meta);
  }
  palenca_meta largest = read_line("X-RateLimit-Reset: 999999999999999");
  assert_int_equal(largest.rate_reset, INT64_C(999999999999999));
}

UNIT_TEST(test_a_later_line_replaces_an_earlier_one) {
  palenca_meta meta = read_line("X-Request-Id: a longer one");
  read_bytes(&meta, "X-Request-Id: b", 15, NOW);
  assert_string_equal(meta.request_id, "b");
}

UNIT_TEST(test_request_ids_are_bounded_and_keep_colons) {
  palenca_meta meta = read_line("X-Request-Id: a:b c\r\n");
  assert_string_equal(meta.request_id, "a:b c");
  for (size_t length = 120; length < 300; length++) {
    char line[400];
    (void)snprintf(line, sizeof line, "X-Request-Id: %0*d\r\n", (int)length, 7);
    meta = read_line(line);
    size_t kept = length < sizeof meta.request_id ? length : sizeof meta.request_id - 1;
    assert_int_equal(strlen(meta.request_id), kept);
    assert_memory_equal(meta.request_id, line + strlen("X-Request-Id: "), kept);
  }
}

UNIT_TEST(test_retry_after_forms) {
  static const struct {
    const char *value;
    int64_t expected;
  } rows[] = {
      {"0", 0},
      {"1", 1000},
      {"00120", 120000},
      {"86400", 86400000},
      {"86401", 86400000},
      {"999999999999999", 86400000},
      {"1234567890123456", 86400000},
      {"99999999999999999999999.5", 86400000},
      {"1234567890123456x", -1},
      {"-1", -1},
      {"1.5", 1500},
      {"2.5", 2500},
      {"0.25", 250},
      {"2.0001", 2001},
      {"2.0000", 2000},
      {"0.00000000000000000001", 1},
      {"86400.5", 86400000},
      {"2.", -1},
      {".5", -1},
      {"2.5.1", -1},
      {"2.-5", -1},
      {"2,5", -1},
      {"2e1", -1},
      {"1s", -1},
      {"-5", -1},
      {"abc", -1},
      {"soon", -1},
      {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
      {"Sun, 06 Nov 1994 08:49:38 GMT", 1000},
      {"Sun, 06 Nov 1994 08:49:36 GMT", 0},
      {"Sun, 06 Nov 1994 09:00:00 GMT", 623000},
      {"Mon, 07 Nov 1994 08:49:37 GMT", 86400000},
      {"Mon, 07 Nov 1994 08:49:38 GMT", 86400000},
      {"Fri, 31 Dec 9999 23:59:60 GMT", 86400000},
      {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
      {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
      {"Sun, 06 Nov 1994 08:49:37 GM", -1},
      {"Sun, 06 Nov 1994 08:49:37 GMT+1", -1},
      {"Sun; 06 Nov 1994 08:49:37 GMT", -1},
      {"Sun, 06 Nox 1994 08:49:37 GMT", -1},
      {"Sun, 06 ovD 1994 08:49:37 GMT", -1},
      {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
      {"Sun, 32 Nov 1994 08:49:37 GMT", -1},
      {"Sun, -6 Nov 1994 08:49:37 GMT", -1},
      {"Sun, 06 Nov 1969 08:49:37 GMT", -1},
      {"Sun, 06 Nov 19x4 08:49:37 GMT", -1},
      {"Sun, 06 Nov 1994 24:49:37 GMT", -1},
      {"Sun, 06 Nov 1994 08:60:37 GMT", -1},
      {"Sun, 06 Nov 1994 08:49:61 GMT", -1},
      {"Sunday, 06-Nov-94 08:49:39 GMT", 2000},
      {"Sunday, 06-Nov-94 08:49:36 GMT", 0},
      {"Sunday, 06-Nov-1994 08:49:39 GMT", -1},
      {"Sunday, 06-Nov-94 08:49:39", -1},
      {"Sunday, 6-Nov-94 08:49:39 GMT", -1},
      {"Sunday, 06-Nov-44 08:49:39 GMT", 86400000},
      {"Sunday, 06-Nov-45 08:49:39 GMT", -1},
      {"Sun Nov  6 08:49:39 1994", 2000},
      {"Sun Nov 06 08:49:39 1994", 2000},
      {"Sun Nov 10 08:49:39 1994", 86400000},
      {"Sun Nov  6 08:49:36 1994", 0},
      {"Sun Nov 6 08:49:39 1994", -1},
      {"Sun Nov  16 08:49:39 1994", -1},
      {"Sun Nov  6 08:49:39 1994 GMT", -1},
      {"Su Nov  6 08:49:39 1994", -1},
  };
  for (size_t i = 0; i < LENGTH(rows); i++) {
    char line[128];
    (void)snprintf(line, sizeof line, "Retry-After: %s\r\n", rows[i].value);
    palenca_meta meta = read_line(line);
    if (meta.retry_after_ms != rows[i].expected) {
      fail_msg("%s: %lld", rows[i].value, (long long)meta.retry_after_ms);
    }
  }
}

/* The response's own date is the server's clock, wherever it stands. */
UNIT_TEST(test_dates_are_counted_from_that_of_the_response) {
  static const char date[] = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
                    retry[] = "Retry-After: Sun, 06 Nov 1994 08:49:39 GMT\r\n",
                    reset[] = "X-RateLimit-Reset: 784111780\r\n";
  static const int64_t clocks[] = {NOW, NOW - 600, NOW + 600, NOW - 86400 * 365, 0};
  for (size_t i = 0; i < LENGTH(clocks) * 2; i++) {
    palenca_meta meta;
    palenca_meta_clear(&meta);
    int64_t clock = clocks[i / 2];
    read_bytes(&meta, i % 2 == 0 ? date : retry, strlen(i % 2 == 0 ? date : retry), clock);
    read_bytes(&meta, reset, strlen(reset), clock);
    read_bytes(&meta, i % 2 == 0 ? retry : date, strlen(i % 2 == 0 ? retry : date), clock);
    assert_int_equal(meta.retry_after_ms, 2000);
    assert_int_equal(palenca_meta_window_left(&meta, clock * 1000), 3000);
  }
}

UNIT_TEST(test_a_date_that_is_none_changes_nothing) {
  static const char *const lines[] = {"Retry-After: Sun, 06 Nov 1994 08:49:39 GMT\r\n",
                                      "Date: yesterday\r\n", "X-RateLimit-Reset: 784111780\r\n"};
  palenca_meta meta;
  palenca_meta_clear(&meta);
  assert_int_equal(palenca_meta_window_left(&meta, NOW * 1000), -1);
  for (size_t i = 0; i < LENGTH(lines); i++) {
    read_bytes(&meta, lines[i], strlen(lines[i]), NOW);
  }
  assert_int_equal(meta.retry_after_ms, 2000);
  assert_int_equal(palenca_meta_window_left(&meta, NOW * 1000 + 1), 2999);
  assert_int_equal(palenca_meta_window_left(&meta, NOW * 1000 + 3001), 0);
  read_bytes(&meta, "Retry-After: 7\r\n", 16, NOW);
  read_bytes(&meta, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 37, NOW);
  assert_int_equal(meta.retry_after_ms, 7000);
}

static void assert_waits(const char *line, time_t now, int64_t expected) {
  palenca_meta meta;
  palenca_meta_clear(&meta);
  read_bytes(&meta, line, strlen(line), (int64_t)now);
  assert_int_equal(meta.retry_after_ms, expected);
}

/* Against the C library's calendar, over all months of two centuries and their ends. */
UNIT_TEST(test_dates_agree_with_the_calendar) {
  for (int64_t day = 1; day < 80000; day += 13) {
    time_t moment = (time_t)(day * 86400 + day % 86400);
    struct tm parts;
    char line[128];
    assert_non_null(gmtime_r(&moment, &parts));
    assert_true(strftime(line, sizeof line, "Retry-After: %a, %d %b %Y %H:%M:%S GMT", &parts) > 0);
    assert_waits(line, moment - 41, 41000);
    size_t size = strftime(line, sizeof line, "Retry-After: %A, %d-%b-", &parts);
    size += (size_t)snprintf(line + size, sizeof line - size, "%02d ", parts.tm_year % 100);
    assert_true(strftime(line + size, sizeof line - size, "%H:%M:%S GMT", &parts) > 0);
    assert_waits(line, moment - 41, 41000);
    assert_true(strftime(line, sizeof line, "Retry-After: %a %b %e %H:%M:%S %Y", &parts) > 0);
    assert_waits(line, moment - 41, 41000);
  }
}

/* Lines that nearly say something: bytes of a good one replaced, or cut off. */
UNIT_TEST(test_garbage_leaves_sane_values) {
  static const char *const lines[] = {"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
                                      "Retry-After: Sunday, 06-Nov-94 08:49:37 GMT\r\n",
                                      "Retry-After: Sun Nov  6 08:49:37 1994\r\n",
                                      "Retry-After: 2.5\r\n",
                                      "X-RateLimit-Remaining: 119\r\n",
                                      "X-Request-Id: 7f3a\r\n"};
  uint64_t seed = 88172645463325252u;
  for (int round = 0; round < 100000; round++) {
    char line[64];
    const char *from = lines[next_random(&seed) % LENGTH(lines)];
    size_t size = strlen(from);
    memcpy(line, from, size);
    for (uint64_t changes = next_random(&seed) % 4; changes > 0; changes--) {
      line[next_random(&seed) % size] = (char)next_random(&seed);
    }
    if (next_random(&seed) % 4 == 0) {
      size = next_random(&seed) % size;
    }
    palenca_meta meta;
    palenca_meta_clear(&meta);
    read_bytes(&meta, line, size, NOW);
    assert_non_null(memchr(meta.request_id, '\0', sizeof meta.request_id));
    assert_in_range(meta.rate_remaining + 1, 0, INT64_C(1000000000000000));
    assert_in_range(meta.retry_after_ms + 1, 0, 86400001);
  }
}
