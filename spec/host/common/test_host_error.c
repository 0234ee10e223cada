/* Tests of the host's errors. */
#include "common/host_error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

static void setting_returns_false_with_kind_and_message(void **state) {
  (void)state;
  host_error error = {.kind = HOST_OK};
  assert_false(host_error_set(&error, HOST_HELD, "%s is open %d times", "a.db", 2));
  assert_int_equal(error.kind, HOST_HELD);
  assert_string_equal(error.message, "a.db is open 2 times");
  assert_false(host_error_set(&error, HOST_FAILED, "gone"));
  assert_int_equal(error.kind, HOST_FAILED);
  assert_string_equal(error.message, "gone");
}

static void long_message_is_truncated(void **state) {
  (void)state;
  static char text[3000];
  host_error error;
  memset(text, 'x', sizeof text - 1);
  assert_false(host_error_set(&error, HOST_FAILED, "%s", text));
  assert_int_equal(strlen(error.message), sizeof error.message - 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(setting_returns_false_with_kind_and_message),
      cmocka_unit_test(long_message_is_truncated),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
