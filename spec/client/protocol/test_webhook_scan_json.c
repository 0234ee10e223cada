/* Tests of the scan of webhook bodies: what is JSON, and what is not. */
#include "support/random.h"
#include "support/unit_test.h"
#include "webhook_scan_fixture.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char every_token[] =
    " {\t\"data\" : { \"x\" : [ ] , \"y\" : { } , \"z\" : [ { } , [ 0 , -1 , 20.05 , 3e4 , 5E+67 , "
    "8.9e-10 ] , true , false , null , "
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00f1\\u20ac\\ud83d\\ude97 "
    "\xc3\xb1\xe2\x82\xac\xf0\x9f\x9a\x97\" , \"\" ] , " BOTH " } , \"\": 1 }";

UNIT_TEST(test_bodies_that_are_no_json) {
  static const char *const bodies[] = {"",
                                       " ",
                                       "x",
                                       "webhook_action=login.success",
                                       "<data/>",
                                       "\xef\xbb\xbf{\"data\":{" BOTH "}}",
                                       "{\"data\":{" BOTH "}}x",
                                       "{\"data\":{" BOTH "}}{}",
                                       "{\"data\":{" BOTH "}},",
                                       "{\"data\":{" BOTH "}}}",
                                       "{\"data\":{" BOTH ",}}",
                                       "{\"data\":{" BOTH "}]",
                                       "{\"data\":{" BOTH " \"x\":1}}",
                                       "{\"data\":{" BOTH ",\"x\":01}}",
                                       "{\"data\":{" BOTH ",\"x\":1.}}",
                                       "{\"data\":{" BOTH ",\"x\":+1}}",
                                       "{\"data\":{" BOTH ",\"x\":NaN}}",
                                       "{\"data\":{" BOTH ",\"x\":nul}}",
                                       "{\"data\":{" BOTH ",\"x\":'a'}}",
                                       "{\"data\":{" BOTH ",x:1}}",
                                       "{\"data\":{" BOTH ",\"x\":\"\\x41\"}}",
                                       "{\"data\":{" BOTH ",\"x\":\"\\u00g1\"}}",
                                       "{\"data\":{" BOTH ",\"x\":\"a\nb\"}}",
                                       "{\"data\":{" BOTH "}} /* said */",
                                       "{\"data\":{" BOTH "}}\"",
                                       "{\"data\":{" BOTH "}}\"x",
                                       "{\"data\":{" BOTH "}}-",
                                       "{\"data\":{" BOTH "}}{",
                                       "\f{\"data\":{" BOTH "}}",
                                       "{\"data\":{" BOTH "}}\v"};
  for (size_t i = 0; i < LENGTH(bodies); i++) {
    assert_rejected(bodies[i], strlen(bodies[i]), "not JSON");
  }
}

/* At each place relative to the words in which ASCII is looked at. */
static void assert_utf8(const char *text, bool is_good) {
  for (int before = 0; before < 9; before++) {
    for (int after = 0; after < 9; after += 8) {
      char body[128];
      (void)snprintf(body, sizeof body, "{\"data\":{" BOTH ",\"%.*s%s%.*s\":1}}", before,
                     "12345678", text, after, "12345678");
      if (is_good) {
        assert_fields(body, "login.success", "a-1");
      } else {
        assert_rejected(body, strlen(body), "not JSON");
      }
    }
  }
}

UNIT_TEST(test_utf8_is_strict) {
  static const char *const good[] = {"\xc2\x80",         "\xdf\xbf",         "\xe0\xa0\x80",
                                     "\xec\xbf\xbf",     "\xed\x9f\xbf",     "\xee\x80\x80",
                                     "\xef\xbf\xbf",     "\xf0\x90\x80\x80", "\xf3\xbf\xbf\xbf",
                                     "\xf4\x8f\xbf\xbf", "\xc3\xb1\xc3\xb1", "\x7f"};
  static const char *const bad[] = {"\x80",
                                    "\xbf",
                                    "\xc3",
                                    "\xc3(",
                                    "\xc3\xc3\xb1",
                                    "\xe2\x82",
                                    "\xe2(\xac",
                                    "\xe2\x82(",
                                    "\xf0\x9f\x98",
                                    "\xf0\x9f\x98(",
                                    "\xc0\x80",
                                    "\xc0\xaf",
                                    "\xc1\xbf",
                                    "\xe0\x80\xaf",
                                    "\xe0\x9f\xbf",
                                    "\xf0\x80\x80\xaf",
                                    "\xf0\x8f\xbf\xbf",
                                    "\xed\xa0\x80",
                                    "\xed\xbf\xbf",
                                    "\xf4\x90\x80\x80",
                                    "\xf5\x80\x80\x80",
                                    "\xf8\x88\x80\x80\x80",
                                    "\xfe",
                                    "\xff"};
  for (size_t i = 0; i < LENGTH(good); i++) {
    assert_utf8(good[i], true);
  }
  for (size_t i = 0; i < LENGTH(bad); i++) {
    assert_utf8(bad[i], false);
  }
}

static const char *const good_values[] = {"0",           "-0",
                                          "7",           "-10",
                                          "1.0",         "0.00",
                                          "1e0",         "1E00",
                                          "1e+5",        "1e-5",
                                          "0.5e10",      "-0.0E-0",
                                          "1e400",       "12345678901234567890",
                                          "true",        "false",
                                          "null",        "[]",
                                          "{}",          "[[],{}]",
                                          "{\"\":{}}",   "\"\"",
                                          "\"/\"",       "\"\\/\"",
                                          "\"\x7f\"",    "\"\\u0000\"",
                                          "\"\\uFFFF\"", "[1,2]",
                                          "[ 1 ]",       "{ }",
                                          "[\n[\r]\t]",  "\"{[,:]}\"",
                                          "\"\\\\\"",    "\"\\\"\\\\\""};
static const char *const bad_values[] = {"",
                                         "00",
                                         "01",
                                         "-01",
                                         "-",
                                         "--1",
                                         "+1",
                                         "1.",
                                         "1.e1",
                                         ".5",
                                         "-.5",
                                         "1e",
                                         "1e+",
                                         "1e1.5",
                                         "1ee1",
                                         "1e++1",
                                         "0x10",
                                         "1_0",
                                         "1 0",
                                         "1-1",
                                         "nan",
                                         "-nan",
                                         "NaN",
                                         "inf",
                                         "-inf",
                                         "Infinity",
                                         "True",
                                         "nul",
                                         "nulll",
                                         "tru",
                                         "truefalse",
                                         "falsy",
                                         "[,]",
                                         "[1,]",
                                         "[,1]",
                                         "[1,,2]",
                                         "[1 2]",
                                         "[1:2]",
                                         "[",
                                         "]",
                                         "[}",
                                         "{]",
                                         "[1}",
                                         "{\"a\"}",
                                         "{\"a\":}",
                                         "{\"a\":1,}",
                                         "{,}",
                                         "{:1}",
                                         "{1:2}",
                                         "{a:1}",
                                         "{'a':1}",
                                         "{\"a\" 1}",
                                         "{\"a\"::1}",
                                         "{\"a\",1}",
                                         "{\"a\":1]",
                                         "{\"a\":1 \"b\":2}",
                                         "'a'",
                                         "\"",
                                         "\"\\\"",
                                         "\"\\\\\\\"",
                                         "\"\\a\"",
                                         "\"\\0\"",
                                         "\"\\U0041\"",
                                         "\"\\u\"",
                                         "\"\\u12\"",
                                         "\"\\u123\"",
                                         "\"\\u123g\"",
                                         "\"\\u 123\"",
                                         "\"\\u-123\"",
                                         "\"\\u+123\"",
                                         "\"\\x41\"",
                                         "\"\n\"",
                                         "\"\t\"",
                                         "\"\x01\"",
                                         "\"\x1f\"",
                                         "\"a\"b",
                                         "\"a\"\"b\"",
                                         "/**/1",
                                         "1//",
                                         "\x0b"
                                         "1",
                                         "\x0c"
                                         "1",
                                         "\xa0"
                                         "1",
                                         "\xc2\xa0"
                                         "1",
                                         "\xef\xbb\xbf"
                                         "1"};

/* In the place of a value of data, and of one in a list. */
UNIT_TEST(test_values) {
  static const char *const places[] = {"{\"data\":{" BOTH ",\"x\":%s}}",
                                       "{\"x\":[0,%s],\"data\":{" BOTH "}}"};
  for (size_t i = 0; i < LENGTH(places) * (LENGTH(good_values) + LENGTH(bad_values)); i++) {
    static const char mark[] = "%s";
    const char *place = places[i % LENGTH(places)], *at = strstr(place, mark);
    size_t row = i / LENGTH(places);
    const char *value =
        row < LENGTH(good_values) ? good_values[row] : bad_values[row - LENGTH(good_values)];
    char body[256];
    (void)snprintf(body, sizeof body, "%.*s%s%s", (int)(at - place), place, value, at + 2);
    if (row < LENGTH(good_values)) {
      assert_fields(body, "login.success", "a-1");
    } else {
      assert_rejected(body, strlen(body), "not JSON");
    }
  }
}

/* Strings are looked at in words of eight bytes. */
UNIT_TEST(test_what_ends_a_string_is_found_at_any_place) {
  for (int before = 0; before < 20; before++) {
    for (int c = 1; c < 256; c++) {
      char body[128];
      (void)snprintf(body, sizeof body, "{\"data\":{" BOTH ",\"x\":\"%.*s%cnaaaaaaa\"}}", before,
                     "aaaaaaaaaaaaaaaaaaaaaaaa", c);
      if (c >= ' ' && c < 0x80 && c != '"') {
        assert_fields(body, "login.success", "a-1");
      } else {
        assert_rejected(body, strlen(body), "not JSON");
      }
    }
  }
}

UNIT_TEST(test_zero_bytes) {
  static const char after[] = "{\"data\":{" BOTH "}}";
  assert_rejected(after, sizeof after, "not JSON");
  static const char within[] = "{\"data\":{" BOTH ",\"x\":\"a\0b\"}}";
  assert_rejected(within, sizeof within - 1, "not JSON");
  palenca_webhook_text fields[PALENCA_WEBHOOK_FIELDS];
  assert_false(palenca_webhook_scan(NULL, 0, fields, NULL));
}

UNIT_TEST(test_half_a_surrogate_pair_is_rejected) {
  static const struct {
    const char *text;
    bool is_whole;
  } rows[] = {
      {"\\ud83d\\ude97", true},
      {"\\uD83D\\uDE97", true},
      {"\\ud7ff", true},
      {"\\ue000", true},
      {"\\\\ud83d", true},
      {"\\\\\\\\ud83d", true},
      {"\\ud83d\\ude97\\u0041", true},
      {"\\ud83d", false},
      {"\\ude97", false},
      {"\\ud83d\\ud83d", false},
      {"\\ude97\\ud83d", false},
      {"\\ud83dude97", false},
      {"\\ude97\\ude97", false},
      {"\\ud83d \\ude97", false},
      {"\\ud83d\\u0041", false},
      {"\\\\\\ud83d", false},
      {"\\ud83d\\ude97\\ude97", false},
      {"\\ud83d\\n", false},
  };
  static const char *const places[] = {"{\"data\":{" BOTH ",\"x\":\"%s\"}}",
                                       "{\"data\":{" BOTH ",\"%s\":1}}",
                                       "{\"%s\":[],\"data\":{" BOTH "}}"};
  for (size_t i = 0; i < LENGTH(rows) * LENGTH(places); i++) {
    const char *text = rows[i / LENGTH(places)].text;
    char body[256];
    const char *place = places[i % LENGTH(places)], *at = strstr(place, "%s");
    (void)snprintf(body, sizeof body, "%.*s%s%s", (int)(at - place), place, text, at + 2);
    if (rows[i / LENGTH(places)].is_whole) {
      assert_fields(body, "login.success", "a-1");
    } else {
      assert_rejected(body, strlen(body), "surrogate");
    }
  }
}

/* Objects and arrays by turns, `depth` of them in all, in the place of a value of data. */
static char *nested(size_t depth, size_t *size) {
  static const char head[] = "{\"data\":{" BOTH ",\"x\":", tail[] = "}}";
  size_t inner = depth - 2;
  char *body = malloc(sizeof head + sizeof tail + inner * 6 + 1);
  assert_non_null(body);
  char *at = body;
  at += sprintf(at, "%s", head);
  for (size_t i = 0; i < inner; i++) {
    at += sprintf(at, "%s", i % 2 == 0 ? "[" : "{\"\":");
  }
  at += sprintf(at, "1");
  for (size_t i = inner; i-- > 0;) {
    at += sprintf(at, "%s", i % 2 == 0 ? "]" : "}");
  }
  at += sprintf(at, "%s", tail);
  *size = (size_t)(at - body);
  return body;
}

UNIT_TEST(test_depth_is_bounded) {
  static const size_t depths[] = {2, 3, 10, 64, 65, 66, 1000, 200000};
  for (size_t i = 0; i < LENGTH(depths); i++) {
    size_t size;
    char *body = nested(depths[i], &size);
    if (depths[i] <= 64) {
      assert_fields(body, "login.success", "a-1");
    } else {
      assert_rejected(body, size, "too deeply");
    }
    free(body);
  }
  static char brackets[1000000];
  memset(brackets, '[', sizeof brackets);
  assert_rejected(brackets, sizeof brackets, "not a JSON object");
  memcpy(brackets, "{\"\":", 4);
  assert_rejected(brackets, sizeof brackets, "too deeply");
}

/* ---- Anything ---- */

UNIT_TEST(test_no_beginning_of_a_body_is_a_body) {
  static const char *const bodies[] = {DOCUMENTED, every_token};
  for (size_t i = 0; i < LENGTH(bodies); i++) {
    assert_fields(bodies[i], "login.success", "a-1");
    for (size_t size = 0; size < strlen(bodies[i]); size++) {
      assert_rejected(bodies[i], size, "not JSON");
    }
  }
}

/* Replaces, inserts, removes or repeats something at a random place. */
static size_t mutate(uint64_t *seed, char *body, size_t size, size_t capacity) {
  static const char marks[][2] = {"\"", "{", "}", "[", "]", ":", ",", "\\", "\xc3", "\xff", "-"};
  static const char *const words[] = {
      "\\u0000",         "null",     "\"data\":",   "\"webhook_action\":",
      "\"account_id\":", "\"None\"", "{\"data\":{", "1e9"};
  size_t at = size > 0 ? next_random(seed) % size : 0;
  bool is_word = next_random(seed) % 2 == 0;
  const char *part =
      is_word ? words[next_random(seed) % LENGTH(words)] : marks[next_random(seed) % LENGTH(marks)];
  size_t length = strlen(part);
  switch (next_random(seed) % 4) {
  case 0:
    if (size > 0) {
      body[at] = (char)next_random(seed);
    }
    return size;
  case 1:
    length = next_random(seed) % 20;
    length = length < size - at ? length : size - at;
    memmove(body + at, body + at + length, size - at - length);
    return size - length;
  case 2:
    part = body + next_random(seed) % (size + 1);
    length = next_random(seed) % 60;
    length = length < (size_t)(body + size - part) ? length : (size_t)(body + size - part);
    break;
  default:
    break;
  }
  char copy[64];
  if (size + length > capacity) {
    return size;
  }
  memcpy(copy, part, length);
  memmove(body + at + length, body + at, size - at);
  memcpy(body + at, copy, length);
  return size + length;
}

UNIT_TEST(test_random_bodies) {
  uint64_t seed = 88172645463325252u;
  int accepted = 0, rejected = 0;
  for (int round = 0; round < 60000; round++) {
    char body[1024];
    size_t size = strlen(DOCUMENTED);
    memcpy(body, DOCUMENTED, size);
    for (uint64_t changes = 1 + next_random(&seed) % 5; changes > 0; changes--) {
      size = mutate(&seed, body, size, sizeof body);
    }
    strings out;
    palenca_error error;
    *(scan_strings(body, size, &out, &error) ? &accepted : &rejected) += 1;
    free_strings(&out);
  }
  /* the run reaches both ways out */
  assert_true(accepted > 1000 && rejected > 1000);
}
