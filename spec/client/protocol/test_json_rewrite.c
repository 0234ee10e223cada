/* Tests of what is rewritten in a JSON text before it is decoded. */
#include "palenca.h"
#include "support/unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL (PALENCA_JSON_LONE_SURROGATES | PALENCA_JSON_EMPTY_LISTS)

typedef struct {
  const char *text;
  const char *rewritten; /* NULL: it stays */
} example;

/* In memory of just that size, so that a sanitizer sees what is read after it. */
static void expect(const char *text, size_t size, unsigned changes, const char *rewritten) {
  char *copy = malloc(size + (size == 0));
  assert_non_null(copy);
  memcpy(copy, text, size);
  palenca_buffer out = {.limit = 0};
  palenca_json_outcome outcome = palenca_json_rewrite(copy, size, changes, &out);
  assert_int_equal(palenca_json_rewrite(copy, size, changes, NULL), outcome);
  if (rewritten == NULL) {
    if (outcome != PALENCA_JSON_SAME) {
      fail_msg("%s has become %s", text, out.data);
    }
    assert_null(out.data);
  } else {
    if (outcome != PALENCA_JSON_REWRITTEN) {
      fail_msg("%s was not rewritten", text);
    }
    assert_string_equal(out.data, rewritten);
  }
  palenca_buffer_free(&out);
  free(copy);
}

static void expect_all(const example *examples, size_t count, unsigned changes) {
  for (size_t i = 0; i < count; i++) {
    char array[2000];
    expect(examples[i].text, strlen(examples[i].text), changes, examples[i].rewritten);
    if (examples[i].rewritten == NULL) {
      continue;
    }
    snprintf(array, sizeof array, "[1,%s ,%s]", examples[i].rewritten, examples[i].rewritten);
    char text[2000];
    snprintf(text, sizeof text, "[1,%s ,%s]", examples[i].text, examples[i].text);
    expect(text, strlen(text), changes, array);
  }
}

#define EXPECT_ALL(examples, changes)                                                              \
  expect_all(examples, sizeof(examples) / sizeof *(examples), changes)

UNIT_TEST(test_integers_that_a_double_holds_stay) {
  static const example examples[] = {
      {"0", NULL},
      {"-1", NULL},
      {"9007199254740991", NULL},
      {"9007199254740992", NULL},
      {"-9007199254740992", NULL},
      {"1000000000000000", NULL},
      {"[123456789012345,{\"a\":-123456789012345}]", NULL},
  };
  EXPECT_ALL(examples, ALL);
}

UNIT_TEST(test_integers_beyond_become_text) {
  static const example examples[] = {
      {"9007199254740993", "\"9007199254740993\""},
      {"-9007199254740993", "\"-9007199254740993\""},
      {"9007199254740994", "\"9007199254740994\""},
      {"10000000000000000", "\"10000000000000000\""},
      {"18446744073709551616", "\"18446744073709551616\""},
      {" 9223372036854775807\n", " \"9223372036854775807\"\n"},
      {"{\"id\":9007199254740993}", "{\"id\":\"9007199254740993\"}"},
      {"{\"id\" : 9007199254740993 , \"b\":1}", "{\"id\" : \"9007199254740993\" , \"b\":1}"},
  };
  EXPECT_ALL(examples, 0);
}

UNIT_TEST(test_fractions_and_exponents_stay) {
  static const example examples[] = {
      {"9007199254740993.0", NULL},
      {"9007199254740993e0", NULL},
      {"0.12345678901234567890", NULL},
      {"1234567890123456789.5", NULL},
      {"1e22", NULL},
      {"1E+308", NULL},
      {"1.7976931348623157e308", NULL},
      {"-1.7976931348623157E+308", NULL},
      {"17976931348623157.9999e292", NULL},
      {"0.00017976931348623157e312", NULL},
      {"0e400", NULL},
      {"0.000e999999999999999999999", NULL},
      {"1e-400", NULL},
      {"123456789e-99999999999999999999", NULL},
  };
  EXPECT_ALL(examples, ALL);
}

UNIT_TEST(test_what_would_be_infinite_becomes_text) {
  static const example examples[] = {
      {"1e400", "\"1e400\""},
      {"-1E999", "\"-1E999\""},
      {"1e309", "\"1e309\""},
      {"1.7976931348623158e308", "\"1.7976931348623158e308\""},
      {"1.7976931348623159e+308", "\"1.7976931348623159e+308\""},
      {"17.976931348623158e307", "\"17.976931348623158e307\""},
      {"0.0000017976931348623158e314", "\"0.0000017976931348623158e314\""},
      {"2e308", "\"2e308\""},
      {"1e99999999999999999999999999", "\"1e99999999999999999999999999\""},
      {"0.0001e400", "\"0.0001e400\""},
      {"1.e400", "\"1.e400\""},
  };
  EXPECT_ALL(examples, 0);
}

UNIT_TEST(test_a_long_number_with_a_fraction_is_measured) {
  char text[320], rewritten[330];
  memset(text, '9', 309);
  strcpy(text + 309, ".5");
  snprintf(rewritten, sizeof rewritten, "\"%.311s\"", text);
  expect(text, strlen(text), 0, rewritten);
  strcpy(text + 308, ".5");
  expect(text, strlen(text), 0, NULL);
}

UNIT_TEST(test_what_is_no_number_stays_none) {
  static const example examples[] = {
      {"{9007199254740993:1}", NULL},
      {"{9007199254740993 :1}", NULL},
      {"{1e400:1}", NULL},
      {"9007199254740993x", NULL},
      {"9007199254740993\"\"", NULL},
      {"09007199254740993", NULL},
      {"--9007199254740993", NULL},
      {"+9007199254740993", "+\"9007199254740993\""},
      {"9007199254740993-", NULL},
      {"9007199254740993e", NULL},
      {"9007199254740993e+", NULL},
      {"9007199254740993.5.5", NULL},
      {"-", NULL},
      {"", NULL},
      {"1e", NULL},
  };
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
    expect(examples[i].text, strlen(examples[i].text), ALL, examples[i].rewritten);
  }
}

UNIT_TEST(test_a_zero_byte_ends_a_number) {
  static const char text[] = "1e400\0]";
  palenca_buffer out = {.limit = 0};
  assert_int_equal(palenca_json_rewrite(text, sizeof text - 1, ALL, &out), PALENCA_JSON_REWRITTEN);
  assert_int_equal(out.size, 9);
  assert_memory_equal(out.data, "\"1e400\"\0]", 9);
  palenca_buffer_free(&out);
}

UNIT_TEST(test_strings_are_left_alone) {
  static const example examples[] = {
      {"\"9007199254740993\"", NULL},
      {"{\"9007199254740993\":\"[] 1e400 \\\\ud800\"}", NULL},
      {"\"\\\" 9007199254740993 \\\\\"", NULL},
      {"\"\\\\\\\" []\"", NULL},
      {"\"not closed 9007199254740993", NULL},
      {"\"not closed \\", NULL},
      {"\"\\ud83d\\ude00\"", NULL},
      {"\"\\ud8", NULL},
      {"\"\\ud8zz\"", NULL},
  };
  EXPECT_ALL(examples, ALL);
}

UNIT_TEST(test_half_a_surrogate_pair_is_replaced) {
  static const example examples[] = {
      {"\"\\ud800\"", "\"\\ufffd\""},
      {"\"\\uDC00\"", "\"\\ufffd\""},
      {"\"a\\udbffb\"", "\"a\\ufffdb\""},
      {"\"\\ud83d\\ud83d\\ude00\"", "\"\\ufffd\\ud83d\\ude00\""},
      {"\"\\ude00\\ud83d\"", "\"\\ufffd\\ufffd\""},
      {"\"\\ud83d\\n\"", "\"\\ufffd\\n\""},
      {"\"\\ud83d\\u0041\"", "\"\\ufffd\\u0041\""},
      {"{\"\\ud800\":[\"\\\"\\ud800\",1]}", "{\"\\ufffd\":[\"\\\"\\ufffd\",1]}"},
  };
  EXPECT_ALL(examples, PALENCA_JSON_LONE_SURROGATES);
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
    expect(examples[i].text, strlen(examples[i].text), PALENCA_JSON_EMPTY_LISTS, NULL);
  }
}

UNIT_TEST(test_an_empty_list_gets_a_null) {
  static const example examples[] = {
      {"[]", "[null]"},
      {"[ \n]", "[ \nnull]"},
      {"{\"a\":[],\"b\":[[],[1]]}", "{\"a\":[null],\"b\":[[null],[1]]}"},
  };
  EXPECT_ALL(examples, PALENCA_JSON_EMPTY_LISTS);
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
    expect(examples[i].text, strlen(examples[i].text), PALENCA_JSON_LONE_SURROGATES, NULL);
  }
  expect("[", 1, ALL, NULL);
  expect("[ ", 2, ALL, NULL);
}

UNIT_TEST(test_without_room_it_says_so) {
  static const char text[] = "[1,2,3,9007199254740993,\"\\ud800\"]";
  for (size_t limit = 1; limit < sizeof text + 1; limit++) {
    palenca_buffer out = {.limit = limit};
    assert_int_equal(palenca_json_rewrite(text, sizeof text - 1, ALL, &out),
                     PALENCA_JSON_NO_MEMORY);
    palenca_buffer_free(&out);
  }
}

/* Where the closing quote is searched for at each escape, this takes minutes. */
UNIT_TEST(test_a_long_string_of_escapes_takes_no_longer) {
  size_t size = (size_t)16 << 20;
  char *text = malloc(size);
  assert_non_null(text);
  memset(text, '\\', size);
  text[0] = text[size - 1] = '"';
  palenca_buffer out = {.limit = 0};
  assert_int_equal(palenca_json_rewrite(text, size, ALL, &out), PALENCA_JSON_SAME);
  free(text);
}
