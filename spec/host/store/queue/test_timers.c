/* Tests of timers: when they are leased, to whom, and what is left of them after a new start. */
#include "host/store/store_fixture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOUR 3600000

static worker timed_worker(fixture *f, const char *name, int64_t interval) {
  worker w = new_worker(f);
  if (name != NULL) {
    assert_true(event_consumer_every(w.consumer, name, interval));
  }
  event_consumer_prefetch(w.consumer, 10);
  return w;
}

/* The next lease is this timer's. Ends it, unless it is to go on. */
static int64_t take_timer(const worker *w, const char *name) {
  event_lease *lease = take_lease(w);
  assert_true(lease->id < 0);
  assert_string_equal(lease->body, name);
  assert_int_equal(lease->body_size, strlen(name));
  int64_t id = lease->id;
  event_lease_free(lease);
  event_consumer_prefetch(w->consumer, 10);
  return id;
}

static void release(const worker *w, int64_t id) {
  finish(w, id, EVENT_OUTCOME_RELEASED, 0, NULL);
}

static int64_t due_in(const fixture *f, const char *name) {
  char text[128];
  (void)snprintf(text, sizeof text, "SELECT due_at FROM timers WHERE name = '%s'", name);
  return query(f, text) - now_ms();
}

static void wait_count(const fixture *f, int64_t count) {
  while (query(f, "SELECT count(*) FROM timers") != count) {
    (void)usleep(1000);
  }
}

static void make_due(const fixture *f) {
  execute(f, "UPDATE timers SET due_at = 1");
}

/* As after a new start: it became due while nobody served. */
static void open_with_one_due(fixture *f) {
  open_store(f);
  (void)timed_worker(f, "a", HOUR);
  wait_count(f, 1);
  close_store(f);
  make_due(f);
  open_store(f);
}

STORE_TEST(test_a_timer_is_leased_when_it_is_due) {
  int64_t began = now_ms();
  worker w = timed_worker(f, "a", 100);
  worker other = timed_worker(f, "b", HOUR);
  event_consumer_prefetch(other.consumer, 0);
  for (int i = 1; i <= 3; i++) {
    release(&w, take_timer(&w, "a"));
    assert_true(now_ms() - began >= i * 100);
  }
  assert_in_range(due_in(f, "b"), HOUR / 2, HOUR);
}

STORE_TEST(test_it_goes_to_one_consumer_and_not_before_it_has_ended) {
  worker a = timed_worker(f, "a", 20), b = new_worker(f);
  assert_true(event_consumer_every(b.consumer, "a", 20));
  int64_t id = take_timer(&a, "a");
  event_consumer_prefetch(a.consumer, 0);
  event_consumer_prefetch(b.consumer, 10);
  while (due_in(f, "a") > -50) {
    (void)usleep(1000);
  }
  assert_nothing_before(f, &b);
  release(&a, id);
  release(&b, take_timer(&b, "a"));
}

STORE_TEST(test_a_new_start_changes_nothing_and_makes_up_once) {
  worker w = timed_worker(f, "a", HOUR);
  wait_count(f, 1);
  int64_t due = query(f, "SELECT due_at FROM timers");
  close_store(f);
  open_store(f);
  int64_t early = put(f, NULL); /* before anybody has said which timers there are */
  w = timed_worker(f, "a", HOUR);
  assert_int_equal(take(&w, NULL), early);
  finish(&w, early, EVENT_OUTCOME_DONE, 0, NULL);
  assert_nothing_before(f, &w);
  assert_int_equal(query(f, "SELECT due_at FROM timers"), due);
  close_store(f);
  make_due(f);
  open_store(f);
  w = timed_worker(f, "a", HOUR);
  int64_t id = take_timer(&w, "a");
  assert_in_range(due_in(f, "a"), HOUR / 2, HOUR);
  release(&w, id);
  assert_nothing_before(f, &w);
}

STORE_TEST(test_a_timer_outlives_its_last_worker) {
  worker w = timed_worker(f, "a", HOUR);
  wait_count(f, 1);
  int64_t due = query(f, "SELECT due_at FROM timers");
  free_worker(&w);
  int64_t id = put(f, NULL); /* nobody is there to run it */
  w = timed_worker(f, "a", HOUR);
  assert_int_equal(take(&w, NULL), id);
  assert_int_equal(query(f, "SELECT due_at FROM timers"), due);
}

CLOSED_STORE_TEST(test_what_had_not_started_is_due_at_once) {
  open_with_one_due(f);
  worker w = timed_worker(f, "a", HOUR);
  wait_notified(&w); /* leased and not taken */
  free_worker(&w);
  w = timed_worker(f, "a", HOUR);
  (void)take_timer(&w, "a"); /* taken, and its worker dies */
  free_worker(&w);
  w = timed_worker(f, "a", HOUR);
  assert_nothing_before(f, &w);
}

/* Nor is it lost to a script that has another interval for it meanwhile. */
CLOSED_STORE_TEST(test_what_had_not_started_is_due_at_once_with_another_interval) {
  open_with_one_due(f);
  worker before = timed_worker(f, "a", HOUR);
  wait_notified(&before); /* leased and not taken */
  free_worker(&before);   /* what it releases is written together with what follows */
  worker after = timed_worker(f, "a", 2 * HOUR);
  release(&after, take_timer(&after, "a"));
}

/* The same if that was written before the other script is there. */
CLOSED_STORE_TEST(test_a_due_timer_stays_due_with_another_interval) {
  open_with_one_due(f);
  worker before = timed_worker(f, "a", HOUR);
  wait_notified(&before);
  free_worker(&before);
  while (due_in(f, "a") > 0) {
    (void)usleep(1000);
  }
  worker after = timed_worker(f, "a", 2 * HOUR);
  release(&after, take_timer(&after, "a"));
}

STORE_TEST(test_another_interval_counts_from_the_last_time) {
  worker w = timed_worker(f, "a", HOUR);
  wait_count(f, 1);
  worker after = timed_worker(f, "a", 2 * HOUR);
  while (due_in(f, "a") <= HOUR) {
    (void)usleep(1000);
  }
  assert_in_range(due_in(f, "a"), HOUR, 2 * HOUR);
  free_worker(&w);
  event_consumer_prefetch(after.consumer, 0);
  worker last = timed_worker(f, "a", 1000);
  release(&last, take_timer(&last, "a"));
  close_store(f);
  /* The clock was a year ahead. */
  execute(f, "UPDATE timers SET due_at = due_at + 31536000000");
  open_store(f);
  w = timed_worker(f, "a", HOUR);
  assert_nothing_before(f, &w);
  assert_in_range(due_in(f, "a"), 0, HOUR);
}

STORE_TEST(test_what_no_consumer_has_any_more_is_forgotten) {
  worker before = timed_worker(f, "a", HOUR);
  assert_true(event_consumer_every(before.consumer, "b", HOUR));
  worker after = timed_worker(f, "c", HOUR);
  wait_count(f, 3);
  free_worker(&before);
  wait_count(f, 1);
  assert_in_range(due_in(f, "c"), 0, HOUR);
  (void)timed_worker(f, NULL, 0);
  free_worker(&after);
  wait_count(f, 0);
}

CLOSED_STORE_TEST(test_a_lease_that_failed_is_made_again) {
  open_with_one_due(f);
  execute(f, "CREATE TRIGGER no_lease BEFORE UPDATE OF due_at ON timers WHEN new.due_at > 1000"
             " BEGIN SELECT RAISE(ABORT, 'no lease'); END");
  worker w = timed_worker(f, "a", HOUR);
  wait_for(f, &f->errors);
  execute(f, "DROP TRIGGER no_lease");
  release(&w, take_timer(&w, "a"));
}

STORE_TEST(test_a_put_that_failed_ends_no_run) {
  close_store(f);
  execute(f, "CREATE TRIGGER no_put BEFORE INSERT ON events WHEN new.action = 'fails'"
             " BEGIN SELECT RAISE(ABORT, 'no put'); END");
  open_store(f);
  worker w = timed_worker(f, "a", 1);
  int64_t id = take_timer(&w, "a");
  while (due_in(f, "a") > -50) {
    (void)usleep(1000);
  }
  event_record record = record_of(NULL, "{}");
  record.action = "fails";
  assert_int_equal(put_record(f, &record, NULL, 0), 0);
  assert_nothing_before(f, &w);
  release(&w, id);
  release(&w, take_timer(&w, "a"));
}

STORE_TEST(test_timers_are_no_events) {
  worker w = timed_worker(f, "a", 20);
  for (int i = 0; i < 3; i++) {
    release(&w, take_timer(&w, "a"));
  }
  (void)put(f, NULL);
  event_counts counts;
  event_store_counts(f->store, &counts);
  assert_int_equal(counts.unfinished, 1);
  assert_int_equal(counts.done + counts.dead + counts.failed_attempts, 0);
  assert_int_equal(count_listed(f, NULL), 1);
}

/* A script that is still being loaded may yet fail. */
STORE_TEST(test_timers_of_one_that_wants_nothing_yet_are_not_there) {
  worker loading = new_worker(f);
  assert_true(event_consumer_every(loading.consumer, "later", HOUR));
  (void)timed_worker(f, "a", HOUR);
  while (query(f, "SELECT count(*) FROM timers") == 0) {
    (void)usleep(1000);
  }
  assert_int_equal(query(f, "SELECT count(*) FROM timers"), 1);
  event_consumer_prefetch(loading.consumer, 1);
  wait_count(f, 2);
}
