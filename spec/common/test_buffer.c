/* Tests of the bounded byte string. */
#include "buffer.h"
#include "support/unit_test.h"

#include <stdint.h>
#include <string.h>

UNIT_TEST(test_grows_and_stays_terminated) {
  palenca_buffer buffer = {.limit = 0};
  for (size_t i = 0; i < 3000; i++) {
    char c = (char)('a' + i % 26);
    assert_true(palenca_buffer_append(&buffer, &c, 1));
    assert_int_equal(buffer.size, i + 1);
    assert_int_equal(buffer.data[i], c);
    assert_int_equal(buffer.data[i + 1], '\0');
  }
  assert_int_equal(strlen(buffer.data), 3000);
  palenca_buffer_free(&buffer);
  assert_null(buffer.data);
  assert_int_equal(buffer.size, 0);
}

UNIT_TEST(test_an_empty_append_makes_an_empty_string) {
  palenca_buffer buffer = {.limit = 1};
  assert_true(palenca_buffer_append(&buffer, NULL, 0));
  assert_string_equal(buffer.data, "");
  palenca_buffer_free(&buffer);
}

UNIT_TEST(test_the_bound_is_exact_and_leaves_what_was_there) {
  for (size_t limit = 1; limit < 600; limit += 37) {
    char text[700];
    memset(text, 'x', sizeof text);
    palenca_buffer buffer = {.limit = limit};
    assert_false(palenca_buffer_append(&buffer, text, limit + 1));
    assert_null(buffer.data);
    assert_true(palenca_buffer_append(&buffer, text, limit));
    assert_false(palenca_buffer_append(&buffer, text, 1));
    assert_false(palenca_buffer_append(&buffer, text, SIZE_MAX));
    assert_true(palenca_buffer_append(&buffer, text, 0));
    assert_int_equal(buffer.size, limit);
    assert_int_equal(strlen(buffer.data), limit);
    assert_int_equal(buffer.capacity, limit + 1);
    palenca_buffer_free(&buffer);
  }
}

UNIT_TEST(test_an_impossible_size_is_rejected) {
  palenca_buffer buffer = {.limit = 0};
  assert_true(palenca_buffer_append(&buffer, "abc", 3));
  assert_false(palenca_buffer_append(&buffer, "abc", SIZE_MAX));
  assert_false(palenca_buffer_append(&buffer, "abc", SIZE_MAX / 4));
  assert_string_equal(buffer.data, "abc");
  palenca_buffer_free(&buffer);
}
