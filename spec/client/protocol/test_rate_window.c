/* Tests of the sliding window over requests, against a simulated clock. */
#include "palenca.h"
#include "support/random.h"
#include "support/unit_test.h"

#include <stdlib.h>
#include <string.h>

/* A window, and what is waited beyond it. */
#define LONGEST_MS (PALENCA_RATE_WINDOW_MS + 1000)

static palenca_rate_limit new_window(size_t limit) {
  palenca_rate_limit window;
  assert_true(palenca_rate_limit_init(&window, limit));
  return window;
}

UNIT_TEST(test_the_first_ones_go_at_once) {
  static const int64_t clocks[] = {0, 1, -5, 1700000000000, INT64_MAX / 4, INT64_MIN / 8};
  for (size_t c = 0; c < LENGTH(clocks); c++) {
    palenca_rate_limit window = new_window(120);
    for (int i = 0; i < 120; i++) {
      assert_int_equal(palenca_rate_limit_wait(&window, clocks[c], 0), 0);
      palenca_rate_limit_take(&window, clocks[c]);
    }
    int64_t wait = palenca_rate_limit_wait(&window, clocks[c], 0);
    assert_in_range(wait, PALENCA_RATE_WINDOW_MS, LONGEST_MS);
    /* the wait that was returned is exact */
    assert_int_equal(palenca_rate_limit_wait(&window, clocks[c] + wait - 1, 0), 1);
    assert_int_equal(palenca_rate_limit_wait(&window, clocks[c] + wait, 0), 0);
    palenca_rate_limit_free(&window);
  }
}

UNIT_TEST(test_each_turn_comes_back_by_itself) {
  palenca_rate_limit window = new_window(3);
  palenca_rate_limit_take(&window, 0);
  palenca_rate_limit_take(&window, 10000);
  palenca_rate_limit_take(&window, 20000);
  int64_t first = palenca_rate_limit_wait(&window, 20000, 0) + 20000;
  palenca_rate_limit_take(&window, first);
  assert_int_equal(palenca_rate_limit_wait(&window, first, 0), 10000);
  palenca_rate_limit_take(&window, first + 10000);
  assert_int_equal(palenca_rate_limit_wait(&window, first + 10000, 0), 10000);
  palenca_rate_limit_free(&window);
}

static void check_windows(const int64_t *sent_at, size_t count, size_t limit) {
  for (size_t i = limit; i < count; i++) {
    assert_true(sent_at[i] - sent_at[i - limit] >= PALENCA_RATE_WINDOW_MS);
  }
}

/* Callers come at random, in bursts and pauses, and wait for as long as they have to or ask too
 * early; the times at which they were permitted to send are checked afterwards. */
static void run_random(size_t limit, uint64_t seed) {
  enum {
    REQUESTS = 20000
  };
  palenca_rate_limit window = new_window(limit);
  int64_t *sent_at = calloc(REQUESTS, sizeof *sent_at);
  assert_non_null(sent_at);
  int64_t now = (int64_t)(next_random(&seed) % 1000000);
  int64_t blocked_until = now;
  for (size_t count = 0; count < REQUESTS;) {
    int64_t wait = palenca_rate_limit_wait(&window, now, 0);
    assert_in_range(wait, 0, LONGEST_MS);
    if (wait == 0) {
      assert_true(now >= blocked_until);
      palenca_rate_limit_take(&window, now);
      sent_at[count++] = now;
    }
    switch (next_random(&seed) % 8) {
    case 0:
      now += (int64_t)(next_random(&seed) % (3 * PALENCA_RATE_WINDOW_MS / limit));
      break;
    case 1:
      now += (int64_t)(next_random(&seed) % 3);
      break;
    case 2:
      if (next_random(&seed) % 100 == 0) {
        int64_t block = (int64_t)(next_random(&seed) % PALENCA_RATE_WINDOW_MS);
        palenca_rate_limit_block(&window, now, block);
        blocked_until = blocked_until > now + block ? blocked_until : now + block;
      }
      break;
    default:
      now += wait;
    }
  }
  check_windows(sent_at, REQUESTS, limit);
  free(sent_at);
  palenca_rate_limit_free(&window);
}

UNIT_TEST(test_no_window_ever_holds_more_than_the_limit) {
  static const size_t limits[] = {1, 2, 3, 7, 60, 119, 120, 1000};
  for (size_t i = 0; i < LENGTH(limits); i++) {
    for (uint64_t seed = 1; seed <= 5; seed++) {
      run_random(limits[i], seed * 0x9e3779b97f4a7c15u);
    }
  }
}

/* Who always waits for as long as required gets nearly all that the limit allows. */
UNIT_TEST(test_little_of_the_limit_is_left_unused) {
  palenca_rate_limit window = new_window(PALENCA_RATE_LIMIT_DEFAULT);
  int64_t now = 0;
  for (int i = 0; i < 100 * PALENCA_RATE_LIMIT_DEFAULT; i++) {
    now += palenca_rate_limit_wait(&window, now, 0);
    palenca_rate_limit_take(&window, now);
  }
  assert_in_range(now, 99 * PALENCA_RATE_WINDOW_MS, 100 * PALENCA_RATE_WINDOW_MS);
  palenca_rate_limit_free(&window);
}

UNIT_TEST(test_room_is_left_for_others) {
  palenca_rate_limit window = new_window(3);
  assert_int_equal(palenca_rate_limit_wait(&window, 0, 2), 0);
  palenca_rate_limit_take(&window, 0);
  assert_int_equal(palenca_rate_limit_wait(&window, 0, 1), 0);
  palenca_rate_limit_take(&window, 100);
  /* one is left: for who wants none to spare */
  int64_t wait = palenca_rate_limit_wait(&window, 200, 1);
  assert_in_range(wait, PALENCA_RATE_WINDOW_MS - 200, LONGEST_MS);
  assert_int_equal(palenca_rate_limit_wait(&window, 200, 0), 0);
  palenca_rate_limit_take(&window, 200);
  assert_int_equal(palenca_rate_limit_wait(&window, 200, 0), wait);
  assert_int_equal(palenca_rate_limit_wait(&window, 200, 1), wait + 100);
  palenca_rate_limit_free(&window);
}

/* One after the other, each as permitted. */
static size_t count_turns(const palenca_rate_limit *window, int64_t now, size_t spare) {
  palenca_rate_limit copy = new_window(window->limit);
  int64_t *own = copy.sent_at;
  memcpy(own, window->sent_at, window->limit * sizeof *own);
  copy = *window;
  copy.sent_at = own;
  size_t count = 0;
  while (count < copy.limit && palenca_rate_limit_wait(&copy, now, spare) == 0) {
    palenca_rate_limit_take(&copy, now);
    count++;
  }
  palenca_rate_limit_free(&copy);
  return count;
}

UNIT_TEST(test_what_is_left_is_as_many_turns) {
  static const size_t limits[] = {1, 2, 3, 7, 24, 120};
  for (size_t i = 0; i < LENGTH(limits); i++) {
    palenca_rate_limit window = new_window(limits[i]);
    uint64_t seed = 0x9e3779b97f4a7c15u + i;
    int64_t now = 0;
    for (int step = 0; step < 2000; step++) {
      size_t spare = (size_t)(next_random(&seed) % limits[i]);
      size_t left = palenca_rate_limit_left(&window, now, spare);
      assert_int_equal(left, count_turns(&window, now, spare));
      assert_true(left <= limits[i] - spare);
      if (left > 0) {
        palenca_rate_limit_take(&window, now);
        assert_int_equal(palenca_rate_limit_left(&window, now, spare), left - 1);
      }
      if (next_random(&seed) % 50 == 0) {
        palenca_rate_limit_block(&window, now, (int64_t)(next_random(&seed) % 9000));
      }
      now += (int64_t)(next_random(&seed) % (2 * PALENCA_RATE_WINDOW_MS / limits[i]));
    }
    palenca_rate_limit_free(&window);
  }
}

UNIT_TEST(test_block) {
  palenca_rate_limit window = new_window(1);
  palenca_rate_limit_block(&window, 1000, 5000);
  assert_int_equal(palenca_rate_limit_wait(&window, 1000, 0), 5000);
  assert_int_equal(palenca_rate_limit_wait(&window, 5999, 0), 1);
  assert_int_equal(palenca_rate_limit_wait(&window, 6000, 0), 0);
  /* a shorter word does not undo a longer one */
  palenca_rate_limit_block(&window, 1000, 2000);
  palenca_rate_limit_block(&window, 1000, 0);
  palenca_rate_limit_block(&window, 1000, -1000);
  assert_int_equal(palenca_rate_limit_wait(&window, 1000, 0), 5000);
  palenca_rate_limit_block(&window, 2000, 9000);
  assert_int_equal(palenca_rate_limit_wait(&window, 2000, 0), 9000);
  /* the later of the two counts */
  palenca_rate_limit_take(&window, 11000);
  int64_t wait = palenca_rate_limit_wait(&window, 11000, 0);
  palenca_rate_limit_block(&window, 11000, 10);
  assert_int_equal(palenca_rate_limit_wait(&window, 11000, 0), wait);
  palenca_rate_limit_free(&window);
}

UNIT_TEST(test_no_block_outlasts_a_window) {
  static const int64_t waits[] = {PALENCA_RATE_WINDOW_MS, LONGEST_MS, 86400000, INT64_MAX};
  for (size_t i = 0; i < LENGTH(waits); i++) {
    palenca_rate_limit window = new_window(5);
    palenca_rate_limit_block(&window, 1700000000000, waits[i]);
    assert_in_range(palenca_rate_limit_wait(&window, 1700000000000, 0), PALENCA_RATE_WINDOW_MS,
                    LONGEST_MS);
    palenca_rate_limit_free(&window);
  }
}
