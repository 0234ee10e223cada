/* Tests of the scan of webhook bodies: the fields that are read, and what is wanted of them. */
#include "support/unit_test.h"
#include "webhook_scan_fixture.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* ---- What is read ---- */

UNIT_TEST(test_good_bodies) {
  static const struct {
    const char *body, *action, *account_id;
  } rows[] = {
      {DOCUMENTED, "login.success", "a-1"},
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
  for (size_t i = 0; i < LENGTH(rows); i++) {
    assert_fields(rows[i].body, rows[i].action, rows[i].account_id);
  }
}

static void assert_strings(const char *body, const char *const wanted[PALENCA_WEBHOOK_FIELDS]) {
  strings out;
  palenca_error error;
  if (!scan_strings(body, strlen(body), &out, &error)) {
    fail_msg("%s: %s", body, error.message);
  }
  for (int i = 0; i < PALENCA_WEBHOOK_FIELDS; i++) {
    assert_string_equal(out.text[i], wanted[i]);
  }
  free_strings(&out);
}

UNIT_TEST(test_all_fields) {
  assert_strings(DOCUMENTED,
                 (const char *const[]){"login.success", "a-1", "u-1", "", "uber", "", "w-1"});
  assert_strings(
      "{\"data\":{\"status_details\":\"banned\",\"external_id\":\"e\",\"webhook_action\":\"x\"}}",
      (const char *const[]){"x", "", "", "e", "", "banned", ""});
  assert_strings("{\"data\":{\"webhook_action\":\"\\u007f\\u0080\\u07FF\\u0800\\uffff\","
                 "\"account_id\":\"\\ud800\\udc00\\uDBFF\\uDFFF\",\"user_id\":\"\\\"\\\\\\/\","
                 "\"external_id\":\"\\b\\f\\n\\r\\t\",\"platform\":\"\\\\u0041\","
                 "\"status_details\":\"N\\u006fne\",\"webhook_\\u0069d\":\"a\\u0301b\"}}",
                 (const char *const[]){"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\"\\/", "\b\f\n\r\t",
                                       "\\u0041", "",
                                       "a\xcc\x81"
                                       "b"});
  assert_strings("{\"data\":{" BOTH ",\"user_id\":\"u\",\"user_id\":7,\"platform\":\"p\"},"
                 "\"data\":{" BOTH ",\"platform\":[\"q\"]}}",
                 (const char *const[]){"login.success", "a-1", "", "", "", "", ""});
}

/* The bounds of names are not those of what is only handed on. */
UNIT_TEST(test_fields_that_are_no_names_are_not_bounded) {
  char body[2048];
  strings out;
  palenca_error error;
  (void)snprintf(body, sizeof body, "{\"data\":{" BOTH ",\"external_id\":\"%01000d\\u0000y\"}}", 7);
  assert_true(scan_strings(body, strlen(body), &out, &error));
  assert_int_equal(out.size[PALENCA_WEBHOOK_EXTERNAL_ID], 1002);
  assert_memory_equal(out.text[PALENCA_WEBHOOK_EXTERNAL_ID] + 999, "7\0y", 4);
  free_strings(&out);
}

UNIT_TEST(test_only_the_data_at_the_top_counts) {
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
      "{" BOTH "}}"};
  for (size_t i = 0; i < LENGTH(bodies); i++) {
    assert_fields(bodies[i], "login.success", "a-1");
  }
}

UNIT_TEST(test_the_last_of_repeated_keys_counts) {
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
    assert_rejected(body, strlen(body), "no data.webhook_action");
    (void)snprintf(body, sizeof body, "{\"data\":{" BOTH "},\"data\":%s}", values[i]);
    assert_rejected(body, strlen(body), "no data.webhook_action");
  }
}

/* ---- What is rejected ---- */

UNIT_TEST(test_bodies_without_an_action) {
  static const char *const bodies[] = {"{}",
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
                                       "{\"data\":{\"WEBHOOK_ACTION\":\"x\"}}"};
  for (size_t i = 0; i < LENGTH(bodies); i++) {
    assert_rejected(bodies[i], strlen(bodies[i]), "no data.webhook_action");
  }
}

UNIT_TEST(test_bodies_that_are_no_object) {
  static const char *const bodies[] = {"[]",   "[{\"data\":{" BOTH "}}]", "null", "true", "1",
                                       "\"x\""};
  for (size_t i = 0; i < LENGTH(bodies); i++) {
    assert_rejected(bodies[i], strlen(bodies[i]), "not a JSON object");
  }
}

UNIT_TEST(test_zero_characters_in_names) {
  static const char *const escaped[] = {
      "{\"data\":{\"webhook_action\":\"x\\u0000y\"}}",
      "{\"data\":{\"webhook_action\":\"\\u0000\"}}",
      "{\"data\":{\"webhook_action\":\"x\",\"account_id\":\"a\\u0000b\"}}"};
  for (size_t i = 0; i < LENGTH(escaped); i++) {
    assert_rejected(escaped[i], strlen(escaped[i]), "zero character");
  }
  assert_fields("{\"data\":{" BOTH ",\"x\":\"\\u0000\"}}", "login.success", "a-1");
}

UNIT_TEST(test_lengths_are_bounded) {
  for (int length = 120; length <= 140; length++) {
    char body[512], expected[256];
    (void)snprintf(expected, sizeof expected, "%0*d", length, 7);
    (void)snprintf(body, sizeof body, "{\"data\":{\"webhook_action\":\"%s\"}}", expected);
    if (length < 128) {
      assert_fields(body, expected, "");
    } else {
      assert_rejected(body, strlen(body), "too long");
    }
    (void)snprintf(body, sizeof body, "{\"data\":{\"account_id\":\"%s\",\"webhook_action\":\"x\"}}",
                   expected);
    if (length < 128) {
      assert_fields(body, "x", expected);
    } else {
      assert_rejected(body, strlen(body), "too long");
    }
  }
}

UNIT_TEST(test_what_a_later_value_replaces_must_be_good_as_well) {
  char body[512];
  (void)snprintf(body, sizeof body, "{\"data\":{\"webhook_action\":\"%0128d\"," BOTH "}}", 7);
  assert_rejected(body, strlen(body), "too long");
  (void)snprintf(body, sizeof body, "{\"data\":{\"account_id\":\"%0128d\"},\"data\":{" BOTH "}}",
                 7);
  assert_rejected(body, strlen(body), "too long");
}

#define TEN "0123456789"
#define LONG "\"account_id\":\"" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "12345678\""

/* Whatever comes first in the body. */
UNIT_TEST(test_the_gravest_reason_is_returned) {
  static const struct {
    const char *body, *reason;
  } rows[] = {
      {"{\"data\":{" LONG ",\"x\":\"\\ud800\"}}", "surrogate"},
      {"{\"data\":{\"x\":\"\\ud800\"," LONG "}}", "surrogate"},
      {"{\"data\":{\"x\":\"\\ud800\"," LONG ",}}", "not JSON"},
      {"{\"data\":{\"x\":\"\\ud800\"}}", "surrogate"},
      {"{\"data\":{" LONG "}}", "too long"},
      {"{\"data\":{" LONG "}} x", "not JSON"},
      {"{\"data\":{\"webhook_action\":\"\\u0000\"," LONG "}}", "zero character"},
  };
  for (size_t i = 0; i < LENGTH(rows); i++) {
    assert_rejected(rows[i].body, strlen(rows[i].body), rows[i].reason);
  }
}

UNIT_TEST(test_a_reason_holds_nothing_of_the_body) {
  static const char body[] = "{\"data\":{\"hidden\":hidden}}";
  palenca_error error;
  palenca_webhook_text fields[PALENCA_WEBHOOK_FIELDS];
  assert_false(palenca_webhook_scan(body, strlen(body), fields, &error));
  assert_null(strstr(error.message, "hidden"));
  assert_false(palenca_webhook_scan(body, strlen(body), fields, NULL));
}
