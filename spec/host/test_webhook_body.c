/* Tests of the reader of webhook bodies: what it accepts, refuses and takes out. */
#include "webhook_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

/* The copy ends where the body does, so that sanitizers see a step beyond it. */
static bool read_bytes(const char *body, size_t size, webhook_fields *fields, char reason[128]) {
  char *copy = malloc(size + (size == 0));
  assert_non_null(copy);
  memcpy(copy, body, size);
  memset(fields, 'x', sizeof *fields);
  reason[0] = '\0';
  bool ok = webhook_body_read(copy, size, fields, reason, 128);
  free(copy);
  assert_true(ok == (reason[0] == '\0'));
  assert_non_null(memchr(fields->action, '\0', sizeof fields->action));
  assert_non_null(memchr(fields->account_id, '\0', sizeof fields->account_id));
  assert_true(!ok || fields->action[0] != '\0');
  return ok;
}

static void assert_fields(const char *body, const char *action, const char *account_id) {
  webhook_fields fields;
  char reason[128];
  if (!read_bytes(body, strlen(body), &fields, reason)) {
    fail_msg("%s: %s", body, reason);
  }
  assert_string_equal(fields.action, action);
  assert_string_equal(fields.account_id, account_id);
}

static void assert_refused(const char *body, size_t size, const char *part_of_reason) {
  webhook_fields fields;
  char reason[128];
  if (read_bytes(body, size, &fields, reason)) {
    fail_msg("accepted: %s", body);
  }
  if (strstr(reason, part_of_reason) == NULL) {
    fail_msg("%s: %s", body, reason);
  }
}

#define BOTH "\"webhook_action\":\"login.success\",\"account_id\":\"a-1\""

static const char documented[] =
    "{\"webhook_url\": \"https://example.com/hook\", \"data\": {\"user_id\": \"u-1\", "
    "\"account_id\": \"a-1\", \"external_id\": \"None\", \"platform\": \"uber\", "
    "\"status_details\": null, \"webhook_action\": \"login.success\", \"webhook_id\": \"w-1\"}}";

/* ---- What is read ---- */

static void test_good_bodies(void **state) {
  (void)state;
  static const struct {
    const char *body, *action, *account_id;
  } rows[] = {
      {documented, "login.success", "a-1"},
      {"{\"data\":{" BOTH "}}", "login.success", "a-1"},
      {" \t\r\n{ \"data\" : { " BOTH " } } \n", "login.success", "a-1"},
      {"{\"data\":{\"webhook_action\":\"user.created\"}}", "user.created", ""},
      {"{\"data\":{\"webhook_action\":\"of a later day\"}}", "of a later day", ""},
      {"{\"data\":{\"webhook_action\":\"x\",\"account_id\":null}}", "x", ""},
      {"{\"data\":{\"webhook_action\":\"x\",\"account_id\":\"None\"}}", "x", ""},
      {"{\"data\":{\"webhook_action\":\"x\",\"account_id\":\"none\"}}", "x", "none"},
      {"{\"data\":{\"webhook_action\":\"x\",\"account_id\":\"\"}}", "x", ""},
      {"{\"data\":{\"webhook_action\":\"x\",\"account_id\":17}}", "x", ""},
      {"{\"data\":{\"webhook_action\":\"x\",\"account_id\":true}}", "x", ""},
      {"{\"data\":{\"webhook_action\":\"x\",\"account_id\":[\"a\"]}}", "x", ""},
      {"{\"data\":{\"webhook_action\":\"x\",\"account_id\":{\"account_id\":\"a\"}}}", "x", ""},
      {"{\"data\":{\"webhook_action\":\"none\"}}", "none", ""},
      {"{\"data\":{\"webhook_action\":\"\\ud83d\\ude97\"}}", "\xf0\x9f\x9a\x97", ""},
      {"{\"d\\u0061ta\":{\"webhook\\u005faction\":\"login\\u002esuccess\"}}", "login.success", ""},
      {"{\"data\":{\"webhook_action\":\"\\u00f1\\\"\\\\\\n\"}}", "\xc3\xb1\"\\\n", ""},
      {"{\"data\":{\"webhook_action\":\"\xc3\xb1\"}}", "\xc3\xb1", ""},
      {"{\"data\":{\"n\":-1.5e300,\"big\":123456789012345678901234567890," BOTH "}}",
       "login.success", "a-1"},
      {"{\"data\":{\"Webhook_action\":\"y\",\"webhook_action \":\"y\"," BOTH "}}", "login.success",
       "a-1"},
  };
  for (size_t i = 0; i < LENGTH(rows); i++)
    assert_fields(rows[i].body, rows[i].action, rows[i].account_id);
}

static void test_only_the_data_at_the_top_counts(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "{\"other\":{\"data\":{\"webhook_action\":\"y\",\"account_id\":\"b\"}},\"data\":{" BOTH "}}",
      "{\"data\":{" BOTH "},\"other\":{\"data\":{\"webhook_action\":\"y\",\"account_id\":\"b\"}}}",
      "{\"data\":{" BOTH ",\"data\":{\"webhook_action\":\"y\",\"account_id\":\"b\"}}}",
      "{\"data\":{\"data\":{\"webhook_action\":\"y\",\"account_id\":\"b\"}," BOTH "}}",
      "{\"data\":{\"x\":[{\"webhook_action\":\"y\",\"account_id\":\"b\"}]," BOTH "}}",
      "{\"webhook_action\":\"y\",\"account_id\":\"b\",\"data\":{" BOTH "}}",
      "{\"other\":{\"webhook_action\":\"y\",\"account_id\":\"b\"},\"data\":{" BOTH "}}",
      "{\"data\":{" BOTH "},\"other\":{\"webhook_action\":\"y\",\"account_id\":\"b\"}}",
      "{\"data\":{" BOTH "},\"webhook_action\":\"y\",\"account_id\":\"b\"}",
      "{\"x\":[{\"data\":{\"webhook_action\":\"y\",\"account_id\":\"b\"}}],\"data\":{" BOTH "}}",
      "{\"x\":\"data\",\"y\":{\"webhook_action\":\"y\"},\"data\":{" BOTH "}}",
      "{\"data\":{\"x\":\"webhook_action\",\"y\":\"y\"," BOTH "}}",
      "{\"Data\":{\"webhook_action\":\"y\"},\"data\\u0000\":{\"webhook_action\":\"y\"},\"data\":"
      "{" BOTH "}}",
  };
  for (size_t i = 0; i < LENGTH(bodies); i++)
    assert_fields(bodies[i], "login.success", "a-1");
}

static void test_the_last_of_repeated_keys_counts(void **state) {
  (void)state;
  static const char twice[] = "{\"data\":{\"webhook_action\":\"y\",\"account_id\":\"b\"," BOTH "}}";
  static const char whole[] =
      "{\"data\":{\"webhook_action\":\"y\",\"account_id\":\"b\"},\"data\":{" BOTH "}}";
  assert_fields(twice, "login.success", "a-1");
  assert_fields(whole, "login.success", "a-1");
  assert_fields("{\"data\":null,\"data\":{" BOTH "}}", "login.success", "a-1");
  assert_fields("{\"data\":{" BOTH "},\"data\":{\"webhook_action\":\"x\"}}", "x", "");
  static const char *const values[] = {"null", "\"None\"", "1", "false", "[]", "{}", "\"\""};
  for (size_t i = 0; i < LENGTH(values); i++) {
    char body[256];
    (void)snprintf(body, sizeof body, "{\"data\":{" BOTH ",\"account_id\":%s}}", values[i]);
    assert_fields(body, "login.success", "");
    (void)snprintf(body, sizeof body, "{\"data\":{" BOTH ",\"webhook_action\":%s}}", values[i]);
    assert_refused(body, strlen(body), "no data.webhook_action");
    (void)snprintf(body, sizeof body, "{\"data\":{" BOTH "},\"data\":%s}", values[i]);
    assert_refused(body, strlen(body), "no data.webhook_action");
  }
}

/* ---- What is refused ---- */

static void test_bodies_without_an_action(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "{}",
      "{\"data\":{}}",
      "{\"data\":null}",
      "{\"data\":\"webhook_action\"}",
      "{\"data\":[{" BOTH "}]}",
      "{\"data\":[[{" BOTH "}]]}",
      "{" BOTH "}",
      "{\"other\":{" BOTH "}}",
      "{\"data\":{\"account_id\":\"a\"}}",
      "{\"data\":{\"webhook_action\":null}}",
      "{\"data\":{\"webhook_action\":\"\"}}",
      "{\"data\":{\"webhook_action\":\"None\"}}",
      "{\"data\":{\"webhook_action\":5}}",
      "{\"data\":{\"webhook_action\":[\"x\"]}}",
      "{\"data\":{\"webhook_action\":{\"webhook_action\":\"x\"}}}",
      "{\"data\":{\"WEBHOOK_ACTION\":\"x\"}}",
  };
  for (size_t i = 0; i < LENGTH(bodies); i++)
    assert_refused(bodies[i], strlen(bodies[i]), "no data.webhook_action");
}

static void test_bodies_that_are_no_object(void **state) {
  (void)state;
  static const char *const bodies[] = {"[]",   "[{\"data\":{" BOTH "}}]", "null", "true", "1",
                                       "\"x\""};
  for (size_t i = 0; i < LENGTH(bodies); i++)
    assert_refused(bodies[i], strlen(bodies[i]), "not a JSON object");
}

static void test_bodies_that_are_no_json(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "",
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
      "{\"data\":{" BOTH "}}\v",
  };
  for (size_t i = 0; i < LENGTH(bodies); i++)
    assert_refused(bodies[i], strlen(bodies[i]), "not JSON");
}

/* At each place relative to the words in which ASCII is looked at. */
static void assert_utf8(const char *text, bool is_good) {
  for (int before = 0; before < 9; before++)
    for (int behind = 0; behind < 9; behind += 8) {
      char body[128];
      (void)snprintf(body, sizeof body, "{\"data\":{" BOTH ",\"%.*s%s%.*s\":1}}", before,
                     "12345678", text, behind, "12345678");
      if (is_good)
        assert_fields(body, "login.success", "a-1");
      else
        assert_refused(body, strlen(body), "not JSON");
    }
}

static void test_utf8_is_strict(void **state) {
  (void)state;
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
  for (size_t i = 0; i < LENGTH(good); i++)
    assert_utf8(good[i], true);
  for (size_t i = 0; i < LENGTH(bad); i++)
    assert_utf8(bad[i], false);
}

static void test_zero_bytes(void **state) {
  (void)state;
  static const char behind[] = "{\"data\":{" BOTH "}}";
  assert_refused(behind, sizeof behind, "not JSON");
  static const char within[] = "{\"data\":{" BOTH ",\"x\":\"a\0b\"}}";
  assert_refused(within, sizeof within - 1, "not JSON");
  static const char *const escaped[] = {
      "{\"data\":{\"webhook_action\":\"x\\u0000y\"}}",
      "{\"data\":{\"webhook_action\":\"\\u0000\"}}",
      "{\"data\":{\"webhook_action\":\"x\",\"account_id\":\"a\\u0000b\"}}",
  };
  for (size_t i = 0; i < LENGTH(escaped); i++)
    assert_refused(escaped[i], strlen(escaped[i]), "zero character");
  assert_fields("{\"data\":{" BOTH ",\"x\":\"\\u0000\"}}", "login.success", "a-1");
  webhook_fields fields;
  char reason[128];
  assert_false(webhook_body_read(NULL, 0, &fields, reason, sizeof reason));
}

static void test_half_a_surrogate_pair_is_refused(void **state) {
  (void)state;
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
    static const char mark[] = "%s";
    const char *place = places[i % LENGTH(places)], *at = strstr(place, mark);
    (void)snprintf(body, sizeof body, "%.*s%s%s", (int)(at - place), place, text, at + 2);
    if (rows[i / LENGTH(places)].is_whole)
      assert_fields(body, "login.success", "a-1");
    else
      assert_refused(body, strlen(body), "surrogate");
  }
}

static void test_lengths_are_bounded(void **state) {
  (void)state;
  for (int length = 120; length <= 140; length++) {
    char body[512], expected[256];
    (void)snprintf(expected, sizeof expected, "%0*d", length, 7);
    (void)snprintf(body, sizeof body, "{\"data\":{\"webhook_action\":\"%s\"}}", expected);
    if (length < 128)
      assert_fields(body, expected, "");
    else
      assert_refused(body, strlen(body), "too long");
    (void)snprintf(body, sizeof body, "{\"data\":{\"account_id\":\"%s\",\"webhook_action\":\"x\"}}",
                   expected);
    if (length < 128)
      assert_fields(body, "x", expected);
    else
      assert_refused(body, strlen(body), "too long");
  }
}

static void test_what_a_later_value_replaces_must_be_good_as_well(void **state) {
  (void)state;
  char body[512];
  (void)snprintf(body, sizeof body, "{\"data\":{\"webhook_action\":\"%0128d\"," BOTH "}}", 7);
  assert_refused(body, strlen(body), "too long");
  (void)snprintf(body, sizeof body, "{\"data\":{\"account_id\":\"%0128d\"},\"data\":{" BOTH "}}",
                 7);
  assert_refused(body, strlen(body), "too long");
}

/* Objects and arrays by turns, `depth` of them in all, in the place of a value of data. */
static char *nested(size_t depth, size_t *size) {
  static const char head[] = "{\"data\":{" BOTH ",\"x\":", tail[] = "}}";
  size_t inner = depth - 2;
  char *body = malloc(sizeof head + sizeof tail + inner * 6 + 1);
  assert_non_null(body);
  char *at = body;
  at += sprintf(at, "%s", head);
  for (size_t i = 0; i < inner; i++)
    at += sprintf(at, "%s", i % 2 == 0 ? "[" : "{\"\":");
  at += sprintf(at, "1");
  for (size_t i = inner; i-- > 0;)
    at += sprintf(at, "%s", i % 2 == 0 ? "]" : "}");
  at += sprintf(at, "%s", tail);
  *size = (size_t)(at - body);
  return body;
}

static void test_depth_is_bounded(void **state) {
  (void)state;
  static const size_t depths[] = {2, 3, 10, 64, 65, 66, 1000, 200000};
  for (size_t i = 0; i < LENGTH(depths); i++) {
    size_t size;
    char *body = nested(depths[i], &size);
    webhook_fields fields;
    char reason[128];
    bool ok = read_bytes(body, size, &fields, reason);
    free(body);
    assert_true(ok == (depths[i] <= 64));
    assert_true(ok || strstr(reason, "too deeply") != NULL);
  }
  static char brackets[1000000];
  memset(brackets, '[', sizeof brackets);
  webhook_fields fields;
  char reason[128];
  assert_false(read_bytes(brackets, sizeof brackets, &fields, reason));
}

static void test_a_reason_holds_nothing_of_the_body_and_fits(void **state) {
  (void)state;
  static const char body[] = "{\"data\":{\"hidden\":hidden}}";
  webhook_fields fields;
  char reason[128];
  assert_false(read_bytes(body, strlen(body), &fields, reason));
  assert_null(strstr(reason, "hidden"));
  char small[4] = {'x', 'x', 'x', 'x'};
  assert_false(webhook_body_read(body, strlen(body), &fields, small, 3));
  assert_int_equal(small[2], '\0');
  assert_int_equal(small[3], 'x');
}

/* ---- Anything ---- */

static void test_no_beginning_of_a_body_is_a_body(void **state) {
  (void)state;
  webhook_fields fields;
  char reason[128];
  for (size_t size = 0; size < strlen(documented); size++)
    assert_false(read_bytes(documented, size, &fields, reason));
}

static uint64_t next_random(uint64_t *seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
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
    if (size > 0)
      body[at] = (char)next_random(seed);
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
  if (size + length > capacity)
    return size;
  memcpy(copy, part, length);
  memmove(body + at + length, body + at, size - at);
  memcpy(body + at, copy, length);
  return size + length;
}

static void test_random_bodies(void **state) {
  (void)state;
  uint64_t seed = 88172645463325252u;
  int accepted = 0, refused = 0;
  for (int round = 0; round < 60000; round++) {
    char body[1024];
    size_t size = strlen(documented);
    memcpy(body, documented, size);
    for (uint64_t changes = 1 + next_random(&seed) % 5; changes > 0; changes--)
      size = mutate(&seed, body, size, sizeof body);
    webhook_fields fields;
    char reason[128];
    *(read_bytes(body, size, &fields, reason) ? &accepted : &refused) += 1;
  }
  /* the run reaches both ways out */
  assert_true(accepted > 1000 && refused > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_good_bodies),
      cmocka_unit_test(test_only_the_data_at_the_top_counts),
      cmocka_unit_test(test_the_last_of_repeated_keys_counts),
      cmocka_unit_test(test_bodies_without_an_action),
      cmocka_unit_test(test_bodies_that_are_no_object),
      cmocka_unit_test(test_bodies_that_are_no_json),
      cmocka_unit_test(test_utf8_is_strict),
      cmocka_unit_test(test_zero_bytes),
      cmocka_unit_test(test_half_a_surrogate_pair_is_refused),
      cmocka_unit_test(test_lengths_are_bounded),
      cmocka_unit_test(test_what_a_later_value_replaces_must_be_good_as_well),
      cmocka_unit_test(test_depth_is_bounded),
      cmocka_unit_test(test_a_reason_holds_nothing_of_the_body_and_fits),
      cmocka_unit_test(test_no_beginning_of_a_body_is_a_body),
      cmocka_unit_test(test_random_bodies),
  };
  return cmocka_run_group_tests_name("webhook body", tests, NULL, NULL);
}
