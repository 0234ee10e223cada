/* Tests of what the event store does at once, what together, and what only after a while. */
#include "standing_time.h"
#include "store_fixture.h"

#include <unistd.h>

/* What has to come at once and does not come would be waited for for ever: time stands still. */
#define HANGS_AFTER 120

enum {
  FLOOD = 16,         /* so many at once are one */
  FLOOD_MS = 20,      /* which lasts so long */
  FLOOD_TURN_MS = 50, /* with leases so often */
  FINISH_PATIENCE_MS = 5
};

static void let_rest(void) {
  for (int i = 0; i < 3; i++) {
    int waits = time_await_wait();
    time_pass(1000);
    time_await_waits(waits);
  }
}

/* With a store that has tidied up, and has begun its log, so that a commit is one sync. */
static int begin(void **state) {
  (void)alarm(HANGS_AFTER);
  int result = set_up(state);
  fixture *f = *state;
  open_store(f);
  let_rest();
  worker w = new_worker(f);
  int64_t id = put(f, NULL);
  event_consumer_want(w.consumer, 1);
  assert_int_equal(take(&w, NULL), id);
  finish(&w, id, EVENT_OUTCOME_DONE, 0, NULL);
  free_worker(&w);
  let_rest();
  return result;
}

/* The store has looked at all there was to do before, and waits. */
static void let_look(void (*act)(const worker *w, int64_t value), const worker *w, int64_t value) {
  int before = time_await_wait();
  act(w, value);
  time_await_waits(before);
}

static void want(const worker *w, int64_t count) {
  event_consumer_want(w->consumer, (size_t)count);
}

static void finish_done(const worker *w, int64_t id) {
  finish(w, id, EVENT_OUTCOME_DONE, 0, NULL);
}

static int64_t count_running(const fixture *f) {
  return query(f, "SELECT count(*) FROM events WHERE state = 1");
}

/* ---- Commits ---- */

/* Two commits, of which the second takes time; so many senders are expected to come together then.
 */
static int put_during_a_commit(fixture *f, int count) {
  answer first = NO_ANSWER, second = NO_ANSWER;
  int before = time_syncs();
  time_hold_syncs();
  queue(f, NULL, &first);
  queue(f, NULL, &first);
  event_store_push(f->store);
  time_await_held();
  for (int i = 0; i < count; i++) {
    queue(f, NULL, &second);
    event_store_push(f->store);
  }
  time_pass(50);
  time_let_syncs_go();
  await_answers(&first, 2);
  await_answers(&second, count);
  return time_syncs() - before;
}

static void test_what_comes_during_a_commit_shares_the_next_one(void **state) {
  assert_int_equal(put_during_a_commit(*state, 100), 2);
}

static void test_a_quarter_of_those_that_are_expected_is_waited_for(void **state) {
  fixture *f = *state;
  answer a = NO_ANSWER;
  enum {
    EXPECTED = 100,
    WANTED = EXPECTED / 4
  };
  (void)put_during_a_commit(f, EXPECTED);
  int syncs = time_syncs(), waits = time_await_wait();
  queue(f, NULL, &a);
  event_store_push(f->store);
  time_await_waits(waits);
  int64_t stored = query(f, "SELECT count(*) FROM events");
  for (int i = 2; i < WANTED; i++) {
    queue(f, NULL, &a);
    event_store_push(f->store);
    assert_int_equal(query(f, "SELECT count(*) FROM events"), stored);
  }
  queue(f, NULL, &a);
  event_store_push(f->store);
  await_answers(&a, WANTED);
  assert_int_equal(time_syncs(), syncs + 1);
  /* Nor was the store woken up for each of them: it waits for the second time since. */
  time_await_waits(waits + 1);
  assert_int_equal(time_await_wait(), waits + 2);
}

static void test_those_that_are_expected_are_not_waited_for_long(void **state) {
  fixture *f = *state;
  answer a = NO_ANSWER;
  (void)put_during_a_commit(f, 100);
  int waits = time_await_wait();
  queue(f, NULL, &a);
  event_store_push(f->store);
  time_await_waits(waits);
  assert_int_equal(a.answers, 0);
  time_pass(1);
  await_answers(&a, 1);
  time_await_waits(waits + 1);
  put_together(f, 2); /* nor is anybody waited for after that */
}

static void test_nobody_is_waited_for_at_the_end(void **state) {
  fixture *f = *state;
  answer a = NO_ANSWER;
  (void)put_during_a_commit(f, 100);
  int waits = time_await_wait();
  queue(f, NULL, &a);
  event_store_push(f->store);
  time_await_waits(waits);
  close_store(f);
  assert_int_equal(a.answers, 1);
  assert_true(a.id > 0);
}

static void *put_one(void *context) {
  fixture *f = context;
  answer a = NO_ANSWER;
  queue(f, NULL, &a);
  event_store_push(f->store);
  assert_int_equal(a.answers, 1); /* by this thread */
  return NULL;
}

static void test_what_is_wanted_during_a_putters_commit_comes_behind_it(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  pthread_t putter;
  (void)time_await_wait();
  time_hold_syncs();
  assert_int_equal(pthread_create(&putter, NULL, put_one, f), 0);
  time_await_held();
  let_look(want, &w, 1);
  time_let_syncs_go();
  assert_int_equal(pthread_join(putter, NULL), 0);
  assert_true(take(&w, NULL) > 0);
  free_worker(&w);
}

/* ---- Finishes ---- */

static int64_t put_and_take(fixture *f, const worker *w) {
  int64_t id = put(f, NULL);
  want(w, 1);
  assert_int_equal(take(w, NULL), id);
  return id;
}

static void test_a_finish_that_nobody_waits_for_waits_a_little(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  int64_t id = put_and_take(f, &w);
  let_look(finish_done, &w, id);
  assert_int_equal(count_running(f), 1);
  int waits = time_await_wait();
  time_pass(FINISH_PATIENCE_MS + 1);
  time_await_waits(waits);
  assert_int_equal(count_running(f), 0);
  free_worker(&w);
}

static void test_a_finish_does_not_wait_for_others_to_come(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  int64_t first = put_and_take(f, &w), second = put_and_take(f, &w);
  let_look(finish_done, &w, first);
  time_pass(FINISH_PATIENCE_MS - 1);
  finish_done(&w, second);
  int waits = time_await_wait();
  time_pass(2);
  time_await_waits(waits);
  assert_int_equal(count_running(f), 0);
  free_worker(&w);
}

static void test_a_finish_shares_the_commit_of_the_next_put(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  let_look(finish_done, &w, put_and_take(f, &w));
  int syncs = time_syncs();
  assert_true(put(f, NULL) > 0);
  assert_int_equal(time_syncs(), syncs + 1);
  assert_int_equal(count_running(f), 0);
  free_worker(&w);
}

static void test_a_finish_that_an_event_waits_for_is_written_at_once(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  int64_t first = put(f, "a"), second = put(f, "a");
  want(&w, 2);
  assert_int_equal(take(&w, NULL), first);
  finish_done(&w, first);
  assert_int_equal(take(&w, NULL), second);
  free_worker(&w);
}

static void test_a_finish_waits_while_all_have_others_to_begin(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  int64_t first = put(f, "a");
  assert_true(put(f, "a") > first);
  assert_true(put(f, "b") > first);
  want(&w, 2);
  assert_int_equal(take(&w, NULL), first);
  let_look(finish_done, &w, first);
  assert_int_equal(count_running(f), 2);
  int waits = time_await_wait();
  time_pass(FINISH_PATIENCE_MS + 1);
  time_await_waits(waits);
  assert_int_equal(count_running(f), 1);
  free_worker(&w);
}

/* ---- Leases ---- */

static void test_what_was_put_while_nobody_wanted_any_comes_at_once(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  int64_t id = put(f, NULL);
  want(&w, 10); /* more than there are */
  assert_int_equal(take(&w, NULL), id);
  want(&w, 0);
  id = put(f, NULL);
  want(&w, 10);
  assert_int_equal(take(&w, NULL), id);
  free_worker(&w);
}

static void test_what_was_replayed_while_nobody_wanted_any_comes_at_once(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  int64_t id = put(f, NULL);
  want(&w, 10);
  assert_int_equal(take(&w, NULL), id);
  finish_done(&w, id);
  let_rest();
  want(&w, 0);
  event_replay_result result;
  char error[256] = "";
  assert_true(event_store_replay(f->path, id, &result, error, sizeof error));
  let_rest();
  want(&w, 10);
  assert_int_equal(take(&w, NULL), id);
  free_worker(&w);
}

static void want_none(const worker *w, int64_t unused) {
  (void)unused;
  want(w, 0);
}

static void leave(const worker *w, int64_t unused) {
  (void)unused;
  worker leaving = *w;
  free_worker(&leaving);
}

static void test_what_a_consumer_gives_back_is_looked_at(void **state) {
  static void (*const ways[])(const worker *w, int64_t unused) = {want_none, leave};
  fixture *f = *state;
  worker w = new_worker(f), leaving = new_worker(f);
  int64_t id = put(f, NULL);
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
    want(&leaving, 1);
    wait_notified(&leaving); /* it has been dealt the event */
    let_look(ways[i], &leaving, 0);
    time_pass(FINISH_PATIENCE_MS + 1);
  }
  want(&w, 1);
  assert_int_equal(take(&w, NULL), id);
  free_worker(&w);
}

static void test_what_is_not_wanted_any_more_is_given_back(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  int attempt = 0;
  int64_t id = put(f, NULL);
  time_hold_syncs();
  want(&w, 1);
  time_await_held();
  want(&w, 0);
  time_let_syncs_go();
  (void)time_await_wait();
  assert_null(event_consumer_take(w.consumer));
  want(&w, 1);
  assert_int_equal(take(&w, &attempt), id);
  assert_int_equal(attempt, 1);
  free_worker(&w);
}

static void test_a_retry_comes_when_it_is_due(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  int64_t id = put_and_take(f, &w);
  finish(&w, id, EVENT_OUTCOME_RETRY, now_ms() + 100, NULL);
  assert_true(put(f, NULL) > 0); /* which takes the finish along */
  want(&w, 10);
  assert_true(take(&w, NULL) > id);
  let_look(want, &w, 10);
  assert_null(event_consumer_take(w.consumer));
  time_pass(100);
  assert_int_equal(take(&w, NULL), id);
  free_worker(&w);
}

/* ---- A flood ---- */

static void test_leases_wait_in_a_flood_for_its_end(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  put_together(f, FLOOD);
  want(&w, 5); /* the first of them do not */
  for (int i = 0; i < 5; i++) {
    assert_true(take(&w, NULL) > 0);
  }
  let_look(want, &w, 5);
  assert_null(event_consumer_take(w.consumer));
  time_pass(FLOOD_MS);
  for (int i = 0; i < 5; i++) {
    assert_true(take(&w, NULL) > 0);
  }
  free_worker(&w);
}

static void test_leases_have_their_turn_in_a_flood_that_goes_on(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  put_together(f, FLOOD);
  want(&w, 1);
  assert_true(take(&w, NULL) > 0);
  let_look(want, &w, 1);
  for (int passed = 0; passed < FLOOD_TURN_MS; passed += FLOOD_MS - 1) {
    put_together(f, FLOOD);
    put_together(f, FLOOD); /* whatever the first brought with it is dealt out before it */
    assert_null(event_consumer_take(w.consumer));
    time_pass(FLOOD_MS - 1);
  }
  put_together(f, FLOOD);
  assert_true(take(&w, NULL) > 0);
  free_worker(&w);
}

static void put_each(fixture *f, int count) {
  for (int i = 0; i < count; i++) {
    assert_true(put(f, NULL) > 0);
  }
}

static void test_events_one_after_the_other_are_a_flood_as_well(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  put_each(f, 1);
  time_pass(FLOOD_MS - 1);
  put_each(f, FLOOD - 1);
  want(&w, 1);
  assert_true(take(&w, NULL) > 0);
  let_look(want, &w, 1);
  assert_null(event_consumer_take(w.consumer));
  free_worker(&w);
}

static void test_the_end_of_a_flood_of_single_events_is_seen(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  let_look(want, &w, FLOOD + 1);
  put_each(f, FLOOD);
  for (int i = 0; i < FLOOD; i++) {
    assert_true(take(&w, NULL) > 0);
  }
  int64_t last = put(f, NULL);
  assert_null(event_consumer_take(w.consumer));
  time_pass(FLOOD_MS);
  assert_int_equal(take(&w, NULL), last);
  free_worker(&w);
}

static void test_events_that_take_longer_are_no_flood(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  put_each(f, FLOOD - 1);
  time_pass(FLOOD_MS);
  put_each(f, FLOOD - 1);
  for (int i = 0; i < 2; i++) {
    want(&w, 1);
    assert_true(take(&w, NULL) > 0);
  }
  put_each(f, 1); /* since then they are as many */
  let_look(want, &w, 1);
  assert_null(event_consumer_take(w.consumer));
  free_worker(&w);
}

static void test_fewer_at_once_are_no_flood(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  put_together(f, FLOOD - 1);
  for (int i = 0; i < FLOOD - 1; i++) {
    want(&w, 1);
    assert_true(take(&w, NULL) > 0);
  }
  free_worker(&w);
}

static void test_a_finish_waits_in_a_flood(void **state) {
  fixture *f = *state;
  worker w = new_worker(f);
  int64_t id = put(f, "a");
  assert_true(put(f, "a") > id);
  want(&w, 1);
  assert_int_equal(take(&w, NULL), id);
  put_together(f, FLOOD);
  let_look(finish_done, &w, id);
  assert_int_equal(count_running(f), 1);
  int waits = time_await_wait();
  time_pass(FINISH_PATIENCE_MS + 1);
  time_await_waits(waits);
  assert_int_equal(count_running(f), 0);
  free_worker(&w);
}

#define TURN(name) cmocka_unit_test_setup_teardown(name, begin, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TURN(test_what_comes_during_a_commit_shares_the_next_one),
      TURN(test_a_quarter_of_those_that_are_expected_is_waited_for),
      TURN(test_those_that_are_expected_are_not_waited_for_long),
      TURN(test_nobody_is_waited_for_at_the_end),
      TURN(test_what_is_wanted_during_a_putters_commit_comes_behind_it),
      TURN(test_a_finish_that_nobody_waits_for_waits_a_little),
      TURN(test_a_finish_does_not_wait_for_others_to_come),
      TURN(test_a_finish_shares_the_commit_of_the_next_put),
      TURN(test_a_finish_that_an_event_waits_for_is_written_at_once),
      TURN(test_a_finish_waits_while_all_have_others_to_begin),
      TURN(test_what_was_put_while_nobody_wanted_any_comes_at_once),
      TURN(test_what_was_replayed_while_nobody_wanted_any_comes_at_once),
      TURN(test_what_a_consumer_gives_back_is_looked_at),
      TURN(test_what_is_not_wanted_any_more_is_given_back),
      TURN(test_a_retry_comes_when_it_is_due),
      TURN(test_leases_wait_in_a_flood_for_its_end),
      TURN(test_leases_have_their_turn_in_a_flood_that_goes_on),
      TURN(test_events_one_after_the_other_are_a_flood_as_well),
      TURN(test_the_end_of_a_flood_of_single_events_is_seen),
      TURN(test_events_that_take_longer_are_no_flood),
      TURN(test_fewer_at_once_are_no_flood),
      TURN(test_a_finish_waits_in_a_flood),
  };
  return cmocka_run_group_tests_name("event store, turns", tests, NULL, NULL);
}
