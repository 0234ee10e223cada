/* Tests of the lines of the log: the two forms of an entry, what is escaped, and where texts end.
 */
#include "common/log_entry.h"
#include "support/unit_test.h"

#include <stdint.h>
#include <string.h>

#define TIME "{\"time\":\"2026-03-01T12:30:00Z\""

/* The line as a text, with another time in JSON. */
static const char *line_of(const log_entry *entry, bool json) {
  static char line[LOG_LINE_SIZE + 1];
  size_t size = log_entry_line(entry, json, line);
  assert_in_range(size, 1, LOG_LINE_SIZE);
  line[size] = '\0';
  if (json) {
    assert_true(size > strlen(TIME));
    memcpy(line, TIME, strlen(TIME));
  }
  return line;
}

UNIT_TEST(message_is_shown_in_both_forms) {
  const log_entry warning = {.event = "store", .level = "warning", .message = "slow"};
  const log_entry error = {.event = "store", .level = "error", .message = "full"};
  assert_string_equal(line_of(&warning, false), "palenca: slow\n");
  assert_string_equal(line_of(&error, false), "palenca: error: full\n");
  assert_string_equal(line_of(&error, true),
                      TIME ",\"level\":\"error\",\"event\":\"store\",\"message\":\"full\"}\n");
}

UNIT_TEST(fields_are_instead_of_the_message_in_json) {
  const log_field fields[] = {{.name = "status", .number = 404},
                              {.name = "cause", .text = "unknown path"},
                              {.name = "count", .number = UINT64_MAX}};
  const log_entry entry = {.event = "refused",
                           .level = "warning",
                           .message = "rejected",
                           .fields = fields,
                           .field_count = 3};
  assert_string_equal(line_of(&entry, false), "palenca: rejected\n");
  assert_string_equal(line_of(&entry, true),
                      TIME ",\"level\":\"warning\",\"event\":\"refused\",\"status\":404,"
                           "\"cause\":\"unknown path\",\"count\":18446744073709551615}\n");
}

UNIT_TEST(what_steers_a_terminal_or_ends_a_string_is_escaped) {
  const char *text = "a\"b\\c\x1b[1m\n\xff\xe2\x80\xae";
  const log_field field = {.name = "cause", .text = text};
  const log_entry entry = {
      .event = "e", .level = "info", .message = text, .fields = &field, .field_count = 1};
  assert_string_equal(line_of(&entry, false), "palenca: a\"b\\c\\x1b[1m\n\\xff\\u{202e}\n");
  assert_string_equal(
      line_of(&entry, true),
      TIME ",\"level\":\"info\",\"event\":\"e\",\"cause\":\"a\\\"b\\\\c [1m ?\\u202e\"}\n");
}

UNIT_TEST(texts_that_are_too_long_are_cut) {
  char text[2 * LOG_TEXT_MAX];
  memset(text, 0x7f, sizeof text - 1);
  text[sizeof text - 1] = '\0';
  const log_field fields[] = {{.name = "first", .text = text}, {.name = "second", .text = text}};
  const log_entry entry = {
      .event = "e", .level = "info", .message = text, .fields = fields, .field_count = 2};
  assert_int_equal(strlen(line_of(&entry, false)),
                   strlen("palenca: ") + strlen("\\x7f") * LOG_TEXT_MAX + 1);
  const char *line = line_of(&entry, true);
  const char *end = "\\u007f\",\"second\":\"\"}\n";
  assert_string_equal(line + strlen(line) - strlen(end), end);
}
