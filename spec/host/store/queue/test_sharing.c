/* Tests of how consumers share events: they take from one queue, and those who rest are notified.
 */
#include "host/store/hand_run.h"

static bool is_notified(const worker *w) {
  uint64_t count;
  return read(w->fd, &count, sizeof count) == sizeof count;
}

static void take_all(const worker *w, int count) {
  for (int i = 0; i < count; i++) {
    assert_true(taken(w) > 0);
  }
  assert_int_equal(taken(w), 0);
}

BY_HAND_TEST(test_what_a_blocked_consumer_does_not_take_goes_to_others) {
  worker blocked = new_worker(f), other = new_worker(f);
  prefetch(f, &blocked, 10);
  prefetch(f, &other, 10);
  put_together(f, 10);
  run(f);
  assert_true(taken(&blocked) > 0);
  take_all(&other, 9);
  assert_int_equal(taken(&blocked), 0);
}

BY_HAND_TEST(test_no_more_are_taken_than_are_wanted) {
  worker one = new_worker(f), other = new_worker(f);
  prefetch(f, &one, 10);
  put_together(f, 10);
  run(f);
  event_consumer_prefetch(other.consumer, 2);
  take_all(&other, 2);
  event_consumer_prefetch(other.consumer, 1);
  take_all(&other, 1);
  take_all(&one, 7);
}

BY_HAND_TEST(test_as_many_that_rest_are_notified_as_there_are_events) {
  worker workers[3] = {new_worker(f), new_worker(f), new_worker(f)};
  for (int i = 0; i < 3; i++) {
    prefetch(f, &workers[i], 10);
    assert_int_equal(taken(&workers[i]), 0);
  }
  put_together(f, 2);
  run(f);
  int notified = 0;
  for (int i = 0; i < 3; i++) {
    notified += is_notified(&workers[i]);
  }
  assert_int_equal(notified, 2);
  put_together(f, 5);
  run(f);
  for (int i = 0; i < 3; i++) { /* the one that still rests */
    notified += is_notified(&workers[i]);
  }
  assert_int_equal(notified, 3);
}

BY_HAND_TEST(test_one_that_rests_is_notified_alone_and_others_if_it_does_not_come) {
  worker one = new_worker(f), other = new_worker(f);
  prefetch(f, &one, 10);
  prefetch(f, &other, 10);
  int64_t id = put(f, NULL);
  run(f);
  const worker *first = is_notified(&one) ? &one : &other;
  const worker *second = first == &one ? &other : &one;
  assert_false(is_notified(second));
  pass(f, HAND_TICK_MS);
  assert_true(is_notified(second));
  assert_int_equal(taken(second), id);
}

BY_HAND_TEST(test_one_that_may_be_busy_is_not_notified) {
  worker busy = new_worker(f), rests = new_worker(f);
  prefetch(f, &busy, 10);
  (void)put(f, NULL);
  run(f);
  assert_true(is_notified(&busy));
  assert_true(taken(&busy) > 0); /* and it looks again before it rests */
  prefetch(f, &rests, 10);
  assert_int_equal(taken(&rests), 0);
  for (int i = 0; i < 2; i++) {
    int64_t id = put(f, NULL);
    run(f);
    assert_false(is_notified(&busy));
    assert_true(is_notified(&rests));
    assert_int_equal(taken(&rests), id);
    assert_int_equal(taken(&rests), 0);
  }
}
