/* Tests of how consumers share events: what one does not come for, another one takes over. */
#include "standing_time.h"
#include "store_fixture.h"

#include <poll.h>
#include <unistd.h>

/* What does not come would be waited for for ever: time stands still. */
#define HANGS_AFTER 120

static int begin(void **state) {
  (void)alarm(HANGS_AFTER);
  int result = set_up(state);
  open_store(*state);
  return result;
}

/* The store has seen it, and waits: what is put then is dealt out in one go. */
static void want(const worker *w, size_t count) {
  int before = time_await_wait();
  event_consumer_want(w->consumer, count);
  time_await_waits(before);
}

static void take_some(const worker *w, int count) {
  for (int i = 0; i < count; i++) {
    assert_true(take(w, NULL) > 0);
  }
}

/* Has no more than so many dealt to it. */
static void assert_has(const worker *w, int count) {
  for (int i = 0; i < count; i++) {
    event_lease *lease = event_consumer_take(w->consumer);
    assert_non_null(lease);
    event_lease_free(lease);
  }
  assert_null(event_consumer_take(w->consumer));
}

static void test_one_that_has_none_takes_over_half(void **state) {
  fixture *f = *state;
  worker kept = new_worker(f), other = new_worker(f);
  want(&kept, 10);
  want(&other, 10);
  put_together(f, 10);
  take_some(&other, 1);
  event_consumer_want(other.consumer, 9); /* has some */
  assert_has(&other, 4);
  event_consumer_want(other.consumer, 9);
  assert_has(&other, 3);
  event_consumer_want(other.consumer, 9);
  assert_has(&other, 1);
  assert_has(&kept, 1);
  free_worker(&kept);
  free_worker(&other);
}

static void test_no_more_are_taken_over_than_are_wanted(void **state) {
  fixture *f = *state;
  worker kept = new_worker(f), other = new_worker(f);
  want(&kept, 10);
  put_together(f, 10);
  take_some(&kept, 1);
  event_consumer_want(other.consumer, 2);
  assert_has(&other, 2);
  assert_has(&kept, 7);
  free_worker(&kept);
  free_worker(&other);
}

static void test_they_are_taken_over_from_who_has_most(void **state) {
  fixture *f = *state;
  worker few = new_worker(f), many = new_worker(f), few_as_well = new_worker(f);
  worker other = new_worker(f);
  want(&few, 2);
  want(&many, 10);
  want(&few_as_well, 2);
  put_together(f, 10);
  take_some(&many, 1);
  event_consumer_want(other.consumer, 1);
  assert_has(&other, 1);
  assert_has(&few, 2);
  assert_has(&few_as_well, 2);
  assert_has(&many, 4);
  free_worker(&few);
  free_worker(&many);
  free_worker(&few_as_well);
  free_worker(&other);
}

static void test_those_with_room_are_told_of_what_is_dealt_to_others(void **state) {
  fixture *f = *state;
  worker one = new_worker(f), other = new_worker(f);
  want(&one, 10);
  want(&other, 10);
  for (int i = 0; i < 2; i++) {
    assert_true(put(f, NULL) > 0);
    wait_notified(&one);
    wait_notified(&other);
  }
  free_worker(&one);
  free_worker(&other);
}

static bool is_told(const worker *w) {
  uint64_t count;
  return read(w->fd, &count, sizeof count) == sizeof count;
}

static void test_one_that_rests_is_told_alone_and_others_if_it_does_not_come(void **state) {
  fixture *f = *state;
  worker one = new_worker(f), other = new_worker(f);
  want(&one, 10);
  want(&other, 10);
  assert_null(event_consumer_take(one.consumer));
  assert_null(event_consumer_take(other.consumer));
  int64_t id = put(f, NULL);
  struct pollfd both[] = {{.fd = one.fd, .events = POLLIN}, {.fd = other.fd, .events = POLLIN}};
  assert_int_equal(poll(both, 2, -1), 1);
  const worker *told = is_told(&one) ? &one : &other;
  const worker *untold = told == &one ? &other : &one;
  assert_false(is_told(untold));
  while (!is_told(untold)) {
    int waits = time_await_wait();
    time_pass(250);
    time_await_waits(waits);
  }
  event_consumer_want(untold->consumer, 10);
  assert_int_equal(take(untold, NULL), id);
  free_worker(&one);
  free_worker(&other);
}

static void test_one_that_rests_is_dealt_to_before_one_that_may_be_busy(void **state) {
  fixture *f = *state;
  worker busy = new_worker(f), rests = new_worker(f);
  want(&busy, 10);
  want(&rests, 10);
  for (int i = 0; i < 2; i++) { /* whose turn it is does not matter */
    assert_null(event_consumer_take(rests.consumer));
    int64_t id = put(f, NULL);
    assert_int_equal(take(&rests, NULL), id);
  }
  free_worker(&busy);
  free_worker(&rests);
}

#define SHARE(name) cmocka_unit_test_setup_teardown(name, begin, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      SHARE(test_one_that_has_none_takes_over_half),
      SHARE(test_no_more_are_taken_over_than_are_wanted),
      SHARE(test_they_are_taken_over_from_who_has_most),
      SHARE(test_those_with_room_are_told_of_what_is_dealt_to_others),
      SHARE(test_one_that_rests_is_told_alone_and_others_if_it_does_not_come),
      SHARE(test_one_that_rests_is_dealt_to_before_one_that_may_be_busy),
  };
  return cmocka_run_group_tests_name("event store, sharing", tests, NULL, NULL);
}
