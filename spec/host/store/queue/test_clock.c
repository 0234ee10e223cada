/* Tests of the event store while the Unix clock is set: no wait depends on its going forward. */
#include "host/store/hand_run.h"

#define HOUR 3600000
#define WINDOW 300000

static int64_t put_and_take(fixture *f, const worker *w, const char *account) {
  int64_t id = put(f, account);
  prefetch(f, w, 10);
  assert_int_equal(taken(w), id);
  return id;
}

BY_HAND_TEST(test_a_retry_comes_in_time_when_the_clock_is_set_back) {
  worker w = new_worker(f);
  int64_t id = put_and_take(f, &w, "a");
  finish(&w, id, EVENT_OUTCOME_RETRY, now_ms() + 1000, "again");
  int64_t later = put(f, "a");
  run(f);
  time_set(-HOUR);
  pass(f, 999);
  assert_int_equal(taken(&w), 0);
  pass(f, 1);
  int attempt = 0;
  assert_int_equal(take(&w, &attempt), id);
  assert_int_equal(attempt, 2);
  finish_done(&w, id);
  run(f);
  assert_int_equal(taken(&w), later);
}

BY_HAND_TEST(test_a_retry_that_was_not_written_yet_comes_in_time_as_well) {
  worker w = new_worker(f);
  int64_t id = put_and_take(f, &w, "a");
  finish(&w, id, EVENT_OUTCOME_RETRY, now_ms() + 1000, "again");
  time_set(-HOUR);
  run(f);
  pass(f, 999);
  assert_int_equal(taken(&w), 0);
  pass(f, 1);
  assert_int_equal(taken(&w), id);
}

BY_HAND_TEST(test_what_is_stored_of_a_wait_is_set_back_with_the_clock) {
  worker w = new_worker(f);
  int64_t id = put_and_take(f, &w, "a");
  finish(&w, id, EVENT_OUTCOME_RETRY, now_ms() + HOUR, "again");
  pass(f, 10);
  time_set(-24 * HOUR);
  pass(f, HAND_TICK_MS);
  int64_t due = query(f, "SELECT due_at FROM events WHERE state = 2");
  assert_in_range(due - now_ms(), HOUR - 1000, HOUR);
}

BY_HAND_TEST(test_a_timer_continues_when_the_clock_is_set_back) {
  worker w = new_worker(f);
  assert_true(event_consumer_every(w.consumer, "often", 500));
  prefetch(f, &w, 10);
  for (int i = 0; i < 4; i++) {
    pass(f, 499);
    assert_int_equal(taken(&w), 0);
    pass(f, 1);
    int64_t id = taken(&w);
    assert_true(id < 0);
    finish(&w, id, EVENT_OUTCOME_RELEASED, 0, NULL);
    run(f);
    time_set(-HOUR);
    run(f);
  }
}

BY_HAND_TEST(test_a_retry_is_due_when_the_clock_is_set_beyond_it) {
  worker w = new_worker(f);
  int64_t id = put_and_take(f, &w, "a");
  finish(&w, id, EVENT_OUTCOME_RETRY, now_ms() + HOUR, "again");
  pass(f, 10);
  time_set(2 * HOUR);
  pass(f, HAND_TICK_MS);
  assert_int_equal(taken(&w), id);
}

static int begin_with_window(void **state) {
  int result = begin_by_hand(state);
  fixture *f = *state;
  close_store(f);
  f->dedup_window = WINDOW;
  open_store(f);
  return result;
}

static int64_t receive_now(fixture *f, const char *body, bool *is_duplicate) {
  event_record record = record_of("a", body);
  record.received_at = now_ms();
  return put_and_get_id(f, &record, is_duplicate);
}

FIXTURE_TEST(test_duplicates_are_found_when_the_clock_is_set_back, fixture *f, begin_with_window,
             tear_down) {
  bool is_duplicate;
  int64_t id = receive_now(f, "{1}", &is_duplicate);
  assert_false(is_duplicate);
  time_set(-HOUR);
  time_pass(WINDOW - 1);
  assert_int_equal(receive_now(f, "{1}", &is_duplicate), id);
  assert_true(is_duplicate);
  time_pass(1);
  assert_true(receive_now(f, "{1}", &is_duplicate) > id);
  assert_false(is_duplicate);
}
