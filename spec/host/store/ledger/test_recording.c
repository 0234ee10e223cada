/* Tests of recordings: pieces that become one compressed text, within a bound. */
#include "store/ledger/recording.h"

#include "store/ledger/entry.h"
#include "support/unit_test.h"

#include <stdlib.h>
#include <string.h>

enum {
  MAX = 100000
};

static void assert_text(const event_recording *recording, const char *expected, size_t size) {
  recording_parts parts = event_recording_parts(recording);
  char *text;
  size_t unpacked;
  assert_int_equal(parts.state, RECORDING_WHOLE);
  assert_int_equal(parts.size, size);
  assert_true(ledger_unpack(parts.packed, parts.packed_size, parts.size, &text, &unpacked));
  assert_non_null(text);
  assert_int_equal(unpacked, size);
  assert_memory_equal(text, expected, size);
  free(text);
}

static void assert_omitted(event_recording *recording, size_t max) {
  event_recording_end(recording);
  recording_parts parts = event_recording_parts(recording);
  assert_int_equal(parts.state, RECORDING_TOO_LARGE);
  assert_int_equal(parts.size, max);
  assert_int_equal(parts.packed_size, 0);
  assert_int_equal(parts.started_at, 1795931487001);
}

UNIT_TEST(test_pieces_become_one_text) {
  event_recording *recording = event_recording_new(MAX, 1795931487001);
  assert_true(event_recording_add(recording, "one\0", 4));
  assert_true(event_recording_add(recording, "", 0));
  assert_true(event_recording_add(recording, "two", 3));
  event_recording_end(recording);
  assert_text(recording, "one\0two", 7);
  event_recording_free(recording);
}

/* More than one step of compressed text, since random bytes stay as they are. */
UNIT_TEST(test_all_of_a_large_text_is_there) {
  char *bytes = malloc(MAX);
  uint32_t random = 1;
  for (size_t i = 0; i < MAX; i++) {
    random = random * 1664525 + 1013904223;
    bytes[i] = (char)(random >> 24);
  }
  event_recording *recording = event_recording_new(MAX, 0);
  assert_true(event_recording_add(recording, bytes, MAX - 1));
  assert_true(event_recording_add(recording, bytes + MAX - 1, 1));
  event_recording_end(recording);
  assert_text(recording, bytes, MAX);
  event_recording_free(recording);
  free(bytes);
}

UNIT_TEST(test_without_a_piece_it_is_whole_and_empty) {
  event_recording *recording = event_recording_new(MAX, 0);
  event_recording_end(recording);
  recording_parts parts = event_recording_parts(recording);
  assert_int_equal(parts.state, RECORDING_WHOLE);
  assert_int_equal(parts.size, 0);
  assert_int_equal(parts.packed_size, 0);
  event_recording_free(recording);
}

UNIT_TEST(test_beyond_its_max_nothing_is_left) {
  event_recording *recording = event_recording_new(10, 1795931487001);
  assert_true(event_recording_add(recording, "0123456789", 10));
  assert_false(event_recording_add(recording, "x", 1));
  assert_false(event_recording_add(recording, "", 0));
  assert_omitted(recording, 10);
  event_recording_free(recording);
  recording = event_recording_new(0, 1795931487001);
  assert_false(event_recording_add(recording, "x", 1));
  assert_omitted(recording, 0);
  event_recording_free(recording);
}

/* As by a worker that ends in between. */
UNIT_TEST(test_one_that_was_not_ended_is_freed) {
  event_recording *recording = event_recording_new(MAX, 0);
  assert_true(event_recording_add(recording, "one", 3));
  event_recording_free(recording);
  event_recording_free(NULL);
}
