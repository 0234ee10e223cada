/* Tests of the host's errors. */
#include "common/host_error.h"
#include "support/unit_test.h"

#include <string.h>

UNIT_TEST(setting_returns_false_with_kind_and_message) {
  host_error error = {.kind = HOST_OK};
  assert_false(host_error_set(&error, HOST_HELD, "%s is open %d times", "a.db", 2));
  assert_int_equal(error.kind, HOST_HELD);
  assert_string_equal(error.message, "a.db is open 2 times");
  assert_false(host_error_set(&error, HOST_FAILED, "gone"));
  assert_int_equal(error.kind, HOST_FAILED);
  assert_string_equal(error.message, "gone");
}

UNIT_TEST(long_message_is_truncated) {
  static char text[3000];
  host_error error;
  memset(text, 'x', sizeof text - 1);
  assert_false(host_error_set(&error, HOST_FAILED, "%s", text));
  assert_int_equal(strlen(error.message), sizeof error.message - 1);
}
