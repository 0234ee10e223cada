/* Tests of the ledger's entries: the form in which they are hashed, and compression. */
#include "store/ledger/decision.h"
#include "support/unit_test.h"

#include <stdlib.h>
#include <string.h>

static ledger_text text_of(const char *text) {
  return (ledger_text){.data = text, .size = strlen(text)};
}

static void assert_digest(const unsigned char *digest, const char *expected) {
  char hex[LEDGER_HEX_SIZE];
  ledger_hex(digest, hex);
  assert_string_equal(hex, expected);
}

/* The SHA-256 of the same fields, written by hand. */
UNIT_TEST(test_hashes_are_those_of_the_documented_form) {
  unsigned char digest[LEDGER_DIGEST_SIZE];
  ledger_entry entry = {.number = 7,
                        .kind = LEDGER_DECISION,
                        .subject = 17959314870001,
                        .attempt = 2,
                        .recorded_at = 1795931487001,
                        .facts = text_of("{\"a\":\"\xc3\xb1\"}")};
  memset(entry.rows_digest, 0x01, LEDGER_DIGEST_SIZE);
  memset(entry.data_digest, 0xab, LEDGER_DIGEST_SIZE);
  assert_true(ledger_entry_hash(&entry, digest));
  assert_digest(digest, "558a004b4a2205010f6da375a6f29bdbb91cae9912b547c94984a71a38a355d6");
  const ledger_data data = {.account_id = text_of("acc"),
                            .user_id = text_of(""),
                            .rows = {"r\0w", 3},
                            .details = text_of("d")};
  assert_true(ledger_data_digest(&data, digest));
  assert_digest(digest, "b6d7e85324ff3ef7be3adeb4065c8a5e8d537ba10e063d66a1173a38757ea722");
  assert_true(ledger_digest("abc", 3, digest));
  assert_digest(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

UNIT_TEST(test_a_byte_moved_to_the_next_field_changes_the_hash) {
  unsigned char one[LEDGER_DIGEST_SIZE], other[LEDGER_DIGEST_SIZE];
  const ledger_data first = {.account_id = text_of("ab"),
                             .user_id = text_of("c"),
                             .rows = text_of("r"),
                             .details = text_of("d")};
  const ledger_data second = {.account_id = text_of("a"),
                              .user_id = text_of("bc"),
                              .rows = text_of("r"),
                              .details = text_of("d")};
  assert_true(ledger_data_digest(&first, one));
  assert_true(ledger_data_digest(&second, other));
  assert_memory_not_equal(one, other, LEDGER_DIGEST_SIZE);
}

/* ---- Compression ---- */

static void assert_packed(const char *text, size_t size) {
  char *packed, *unpacked;
  size_t packed_size, unpacked_size;
  assert_true(ledger_pack(text, size, &packed, &packed_size));
  assert_true(ledger_unpack(packed, packed_size, size > 0 ? size : 1, &unpacked, &unpacked_size));
  assert_non_null(unpacked);
  assert_int_equal(unpacked_size, size);
  assert_memory_equal(unpacked, text, size);
  assert_int_equal(unpacked[size], '\0');
  free(unpacked);
  if (size > 1) {
    assert_true(ledger_unpack(packed, packed_size, size - 1, &unpacked, &unpacked_size));
    assert_null(unpacked); /* larger than it may be */
  }
  assert_true(ledger_unpack(packed, packed_size - 1, LEDGER_ROWS_MAX, &unpacked, &unpacked_size));
  assert_null(unpacked); /* truncated */
  free(packed);
}

UNIT_TEST(test_what_is_compressed_is_there_again) {
  static char text[100000];
  const size_t sizes[] = {0, 1, 2, 255, 256, 257, 4096, sizeof text};
  unsigned seed = 1;
  for (size_t i = 0; i < sizeof text; i++) {
    seed = seed * 1103515245 + 12345;
    text[i] = (char)(seed >> 24);
  }
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    assert_packed(text, sizes[i]);
  }
  memset(text, '0', sizeof text); /* a thousandth of its size */
  assert_packed(text, sizeof text);
}

UNIT_TEST(test_what_is_behind_it_is_no_part_of_it) {
  char *packed, *unpacked, longer[64] = {0};
  size_t size, unpacked_size;
  assert_true(ledger_pack("text", 4, &packed, &size));
  memcpy(longer, packed, size);
  free(packed);
  assert_true(ledger_unpack(longer, size + 1, 100, &unpacked, &unpacked_size));
  assert_null(unpacked);
  assert_true(ledger_unpack("", 0, 100, &unpacked, &unpacked_size));
  assert_null(unpacked);
}

UNIT_TEST(test_a_part_that_is_too_large_is_rejected) {
  char *large = malloc(LEDGER_ROWS_MAX + 1);
  assert_non_null(large);
  memset(large, 'x', LEDGER_ROWS_MAX + 1);
  event_decision_parts parts = {.facts = text_of("{}"),
                                .rows = {.data = large, .size = LEDGER_ROWS_MAX},
                                .details = {.data = large, .size = LEDGER_TEXT_MAX}};
  host_error error;
  event_decision *decision = event_decision_new(&parts, &error);
  assert_non_null(decision);
  event_decision_free(decision);
  parts.rows.size++;
  assert_null(event_decision_new(&parts, &error));
  assert_string_equal(error.message, "its rows take 1048577 bytes as JSON, and may take 1048576");
  parts.rows.size = 1;
  parts.details.size++;
  assert_null(event_decision_new(&parts, &error));
  assert_string_equal(error.message, "its figures and request ids take 262145 bytes as JSON, and "
                                     "may take 262144");
  free(large);
}
