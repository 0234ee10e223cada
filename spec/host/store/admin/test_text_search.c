/* Tests of the search for several texts in bytes that come in pieces. */
#include "store/admin/text_search.h"
#include "support/random.h"
#include "support/unit_test.h"

#include <string.h>

#define FOUND_MAX 64

typedef struct {
  size_t count, max; /* after `max` the search is ended */
  int64_t offsets[FOUND_MAX];
  size_t which[FOUND_MAX];
} found_list;

static bool on_found(void *context, int64_t offset, size_t which) {
  found_list *found = context;
  assert_true(found->count < FOUND_MAX);
  found->offsets[found->count] = offset;
  found->which[found->count++] = which;
  return found->count < found->max;
}

static event_search_text text_of(const char *text) {
  return (event_search_text){.data = text, .size = strlen(text)};
}

/* In pieces of a size; returns whether the search was not ended. */
static bool add_all(text_search *search, const char *bytes, size_t size, size_t piece) {
  text_search_begin(search);
  for (size_t at = 0; at < size; at += piece) {
    size_t part = size - at < piece ? size - at : piece;
    memcpy(text_search_room(search), bytes + at, part);
    if (!text_search_add(search, part)) {
      return false;
    }
  }
  return text_search_end(search);
}

static found_list search_in(const event_search_text *texts, size_t count, const char *bytes,
                            size_t size, size_t piece) {
  found_list found = {.max = FOUND_MAX};
  text_search *search = text_search_new(texts, count, on_found, &found);
  assert_non_null(search);
  assert_true(add_all(search, bytes, size, piece));
  text_search_free(search);
  return found;
}

UNIT_TEST(texts_are_found_whatever_the_pieces) {
  static const char bytes[] = "xxhello worldxhellhellohe";
  const event_search_text texts[] = {text_of("hello"), text_of("hell"), text_of("ello world"),
                                     text_of("he")};
  static const int64_t offsets[] = {2, 2, 2, 3, 14, 14, 18, 18, 18, 23};
  static const size_t which[] = {0, 1, 3, 2, 1, 3, 0, 1, 3, 3};
  for (size_t piece = 1; piece <= sizeof bytes; piece++) {
    found_list found = search_in(texts, LENGTH(texts), bytes, strlen(bytes), piece);
    assert_int_equal(found.count, LENGTH(offsets));
    assert_memory_equal(found.offsets, offsets, sizeof offsets);
    assert_memory_equal(found.which, which, sizeof which);
  }
}

UNIT_TEST(nothing_is_found_without_texts_or_bytes) {
  const event_search_text text = text_of("hello");
  assert_int_equal(search_in(NULL, 0, "hello", 5, 2).count, 0);
  assert_int_equal(search_in(&text, 1, "", 0, 2).count, 0);
  assert_int_equal(search_in(&text, 1, "hell", 4, 4).count, 0);
}

/* What was kept of the bytes before is no part of those that follow. */
UNIT_TEST(a_search_begins_anew_and_is_ended) {
  const event_search_text text = text_of("hello");
  found_list found = {.max = 1};
  text_search *search = text_search_new(&text, 1, on_found, &found);
  assert_non_null(search);
  text_search_begin(search);
  memcpy(text_search_room(search), "hel", 3);
  assert_true(text_search_add(search, 3));
  assert_true(add_all(search, "lo", 2, 2));
  assert_int_equal(found.count, 0);
  assert_false(add_all(search, "hellohello", 10, 10));
  assert_int_equal(found.count, 1);
  text_search_free(search);
}

static size_t below(uint64_t *seed, size_t bound) {
  return (size_t)(next_random(seed) % bound);
}

/* Of three letters, so that texts are found, and overlap; also those of hundreds of bytes. */
UNIT_TEST(random_texts_are_found_as_by_comparing_each_place) {
  static char bytes[2000], words[3][300];
  uint64_t seed = 7;
  for (int round = 0; round < 300; round++) {
    event_search_text texts[3];
    size_t size = 1 + below(&seed, sizeof bytes - 1), wanted = 0;
    for (size_t i = 0; i < size; i++) {
      bytes[i] = (char)('a' + below(&seed, 3));
    }
    for (size_t i = 0; i < 3; i++) {
      size_t length = 2 + below(&seed, i == 0 ? 298 : 8);
      size_t at = below(&seed, sizeof bytes - length);
      memcpy(words[i], bytes + at, length);
      texts[i] = (event_search_text){.data = words[i], .size = length};
    }
    found_list found = {.max = FOUND_MAX};
    text_search *search = text_search_new(texts, 3, on_found, &found);
    assert_non_null(search);
    (void)add_all(search, bytes, size, 1 + below(&seed, 700));
    for (size_t at = 0; at < size; at++) {
      for (size_t i = 0; i < 3 && wanted < FOUND_MAX; i++) {
        if (texts[i].size <= size - at && memcmp(bytes + at, words[i], texts[i].size) == 0) {
          assert_int_equal(found.offsets[wanted], at);
          assert_int_equal(found.which[wanted], i);
          wanted++;
        }
      }
    }
    assert_int_equal(found.count, wanted);
    text_search_free(search);
  }
}
