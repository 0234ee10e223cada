/* Tests of limits: how many events that a pattern fits are leased at a time. */
#include "host/store/store_fixture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int64_t put_action(fixture *f, const char *action, const char *account) {
  event_record record = record_of(account, "{}");
  record.action = action;
  int64_t id = put_record(f, &record, NULL, 0);
  assert_true(id > 0);
  return id;
}

/* An event of an action without a cap shows that what could be leased before it was. */
static void assert_waiting(fixture *f, const worker *w) {
  int64_t id = put_action(f, "account.free", NULL);
  assert_int_equal(take(w, NULL), id);
  finish(w, id, EVENT_OUTCOME_DONE, 0, NULL);
  event_consumer_prefetch(w->consumer, 10);
}

static worker limited_worker(fixture *f, const char *pattern, size_t limit) {
  worker w = new_worker(f);
  assert_true(event_consumer_limit(w.consumer, pattern, limit));
  event_consumer_prefetch(w.consumer, 10);
  return w;
}

STORE_TEST(test_no_more_than_the_limit_are_leased_and_others_go_on) {
  int64_t ids[5];
  for (int i = 0; i < 5; i++) {
    ids[i] = put_action(f, "login.success", NULL);
  }
  worker w = limited_worker(f, "login.success", 2);
  assert_int_equal(take(&w, NULL), ids[0]);
  assert_int_equal(take(&w, NULL), ids[1]);
  assert_waiting(f, &w);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 1"
                            " AND action = 'login.success'"),
                   2);
  for (int i = 2; i < 5; i++) {
    finish(&w, ids[i - 2], EVENT_OUTCOME_DONE, 0, NULL);
    assert_int_equal(take(&w, NULL), ids[i]);
    assert_waiting(f, &w);
  }
}

STORE_TEST(test_accounts_keep_their_order_under_a_limit) {
  int64_t first = put_action(f, "login.success", "a"), second = put_action(f, "login.error", "a");
  int64_t other = put_action(f, "login.success", "b"), next = put_action(f, "login.error", "b");
  worker w = limited_worker(f, "login.success", 1);
  assert_int_equal(take(&w, NULL), first);
  assert_waiting(f, &w); /* neither of them passes the one it waits for */
  finish(&w, first, EVENT_OUTCOME_DONE, 0, NULL);
  int64_t one = take(&w, NULL), two = take(&w, NULL);
  assert_int_equal(one + two, second + other);
  assert_waiting(f, &w);
  finish(&w, other, EVENT_OUTCOME_DONE, 0, NULL);
  assert_int_equal(take(&w, NULL), next);
}

CLOSED_STORE_TEST(test_a_place_is_free_after_every_kind_of_end) {
  static const event_outcome_kind kinds[] = {EVENT_OUTCOME_DONE, EVENT_OUTCOME_DEAD,
                                             EVENT_OUTCOME_RETRY};
  open_store(f);
  worker w = limited_worker(f, "*", 1);
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    int64_t id = put_action(f, "login.success", NULL);
    assert_int_equal(take(&w, NULL), id);
    finish(&w, id, kinds[i], now_ms() + 3600000, "no");
    event_consumer_prefetch(w.consumer, 10);
  }
  int64_t id = put_action(f, "login.success", NULL);
  assert_int_equal(take(&w, NULL), id);
  finish(&w, id, EVENT_OUTCOME_RELEASED, 0, NULL);
  assert_int_equal(take(&w, NULL), id);
  free_worker(&w); /* as when a worker is replaced */
  w = limited_worker(f, "*", 1);
  assert_int_equal(take(&w, NULL), id);
}

STORE_TEST(test_an_event_keeps_to_all_limits_that_fit) {
  int64_t first = put_action(f, "login.success", NULL), same = put_action(f, "login.success", NULL);
  int64_t family = put_action(f, "login.error", NULL), more = put_action(f, "login.error", NULL);
  int64_t apart = put_action(f, "logins.success", NULL);
  worker w = new_worker(f);
  assert_true(event_consumer_limit(w.consumer, "login.success", 1));
  assert_true(event_consumer_limit(w.consumer, "login.*", 2));
  event_consumer_prefetch(w.consumer, 10); /* all limits hold before the first lease */
  assert_int_equal(take(&w, NULL), first);
  int64_t second = take(&w, NULL), third = take(&w, NULL);
  assert_int_equal(second + third, family + apart);
  assert_waiting(f, &w);
  finish(&w, family, EVENT_OUTCOME_DONE, 0, NULL);
  assert_int_equal(take(&w, NULL), more);
  finish(&w, more, EVENT_OUTCOME_DONE, 0, NULL);
  assert_waiting(f, &w);
  finish(&w, first, EVENT_OUTCOME_DONE, 0, NULL);
  assert_int_equal(take(&w, NULL), same);
}

STORE_TEST(test_a_retry_waits_for_a_place_and_not_in_a_loop) {
  int64_t id = put_action(f, "login.success", "a");
  worker w = limited_worker(f, "login.success", 1);
  assert_int_equal(take(&w, NULL), id);
  int64_t other = put_action(f, "login.success", "b");
  finish(&w, id, EVENT_OUTCOME_RETRY, now_ms() + 300, "later");
  assert_int_equal(take(&w, NULL), other);
  /* Its time has come, and it is no longer one that waits for its time. */
  while (query(f, "SELECT count(*) FROM events WHERE state = 2") > 0) {
    (void)usleep(1000);
  }
  assert_waiting(f, &w);
  assert_listed(f, "received", "1 received 1 later\n");
  finish(&w, other, EVENT_OUTCOME_DONE, 0, NULL);
  int attempt = 0;
  assert_int_equal(take(&w, &attempt), id);
  assert_int_equal(attempt, 2);
}

STORE_TEST(test_the_narrowest_limit_of_all_consumers_holds) {
  int64_t ids[3];
  for (int i = 0; i < 3; i++) {
    ids[i] = put_action(f, "login.success", NULL);
  }
  worker before = new_worker(f);
  assert_true(event_consumer_limit(before.consumer, "login.success", 1));
  worker w = limited_worker(f, "login.success", 2);
  assert_int_equal(take(&w, NULL), ids[0]);
  assert_waiting(f, &w);
  free_worker(&before);
  assert_int_equal(take(&w, NULL), ids[1]);
  assert_waiting(f, &w);
  /* One that has none does not lift those of others; without any, all goes. */
  worker after = new_worker(f);
  free_worker(&w);
  event_consumer_prefetch(after.consumer, 3);
  int64_t sum = 0;
  for (int i = 0; i < 3; i++) {
    sum += take(&after, NULL) - ids[i];
  }
  assert_int_equal(sum, 0);
}

STORE_TEST(test_what_runs_already_counts_under_a_new_limit) {
  worker before = new_worker(f), limited = new_worker(f);
  assert_true(event_consumer_limit(limited.consumer, "login.success", 5));
  int64_t first = put_action(f, "login.success", NULL);
  event_consumer_prefetch(before.consumer, 1);
  assert_int_equal(take(&before, NULL), first);
  /* The first is known under a cap which nobody has any more, the second under none. */
  free_worker(&limited);
  int64_t second = put_action(f, "login.success", NULL);
  int64_t other = put_action(f, "login.error", NULL);
  event_consumer_prefetch(before.consumer, 2);
  assert_int_equal(take(&before, NULL) + take(&before, NULL), second + other);
  int64_t third = put_action(f, "login.success", NULL);
  worker w = limited_worker(f, "login.success", 2);
  assert_waiting(f, &w);
  finish(&before, second, EVENT_OUTCOME_DONE, 0, NULL);
  assert_int_equal(take(&w, NULL), third);
  int64_t fourth = put_action(f, "login.success", NULL);
  assert_waiting(f, &w);
  finish(&before, first, EVENT_OUTCOME_DONE, 0, NULL);
  assert_int_equal(take(&w, NULL), fourth);
}

STORE_TEST(test_a_limit_for_all_holds_and_goes_with_its_consumer) {
  worker w = limited_worker(f, "*", 1);
  int64_t first = put_action(f, "login.success", NULL);
  assert_int_equal(take(&w, NULL), first);
  int64_t second = put_action(f, "account.free", NULL);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 1"), 1);
  free_worker(&w);
  w = new_worker(f);
  event_consumer_prefetch(w.consumer, 2);
  assert_int_equal(take(&w, NULL) + take(&w, NULL), first + second);
}

STORE_TEST(test_a_timer_that_runs_does_not_count) {
  worker timed = new_worker(f);
  assert_true(event_consumer_every(timed.consumer, "timer", 1));
  event_consumer_prefetch(timed.consumer, 1);
  assert_true(take(&timed, NULL) < 0);
  worker w = limited_worker(f, "*", 1);
  int64_t id = put_action(f, "login.success", NULL);
  assert_int_equal(take(&w, NULL), id);
}

static void fail_a_lease(fixture *f, const char *pattern) {
  open_store(f);
  worker w = new_worker(f);
  assert_true(event_consumer_limit(w.consumer, pattern, 2));
  int64_t ids[] = {put_action(f, "login.success", NULL), put_action(f, "login.success", NULL)};
  event_consumer_prefetch(w.consumer, 1);
  assert_int_equal(take(&w, NULL), ids[0]);
  forbid_leases(f);
  event_consumer_prefetch(w.consumer, 10);
  wait_for(f, &f->errors);
  allow_leases(f);
  assert_int_equal(take(&w, NULL), ids[1]);
  int64_t last = put_action(f, "login.success", NULL);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 1"), 2);
  finish(&w, ids[0], EVENT_OUTCOME_DONE, 0, NULL);
  assert_int_equal(take(&w, NULL), last);
  free_worker(&w);
}

CLOSED_STORE_TEST(test_a_lease_that_failed_takes_no_place) {
  fail_a_lease(f, "login.success");
}

CLOSED_STORE_TEST(test_a_lease_that_failed_takes_no_place_of_all) {
  fail_a_lease(f, "*");
}

CLOSED_STORE_TEST(test_thousands_that_wait_hold_up_nothing) {
  enum {
    COUNT = 1500
  };
  open_store(f);
  response a = NO_RESPONSE;
  const event_record record = record_of(NULL, "{}");
  put_times(f, &record, COUNT, on_put, &a);
  int64_t free = put_action(f, "account.free", NULL);
  f->first_id = free - COUNT;
  worker w = limited_worker(f, "login.success", 1);
  assert_int_equal(take(&w, NULL), f->first_id);
  assert_int_equal(take(&w, NULL), free);
  assert_waiting(f, &w);
  for (int i = 1; i < 20; i++) {
    finish(&w, id_of(f, i), EVENT_OUTCOME_DONE, 0, NULL);
    event_consumer_prefetch(w.consumer, 10);
    assert_int_equal(number_of(f, take(&w, NULL)), i + 1);
  }
}

static void limit_many(const worker *w, const char *name, int count) {
  for (int i = 0; i < count; i++) {
    char pattern[32];
    (void)snprintf(pattern, sizeof pattern, "%s_%d", name, i);
    assert_true(event_consumer_limit(w->consumer, pattern, 5));
  }
}

STORE_TEST(test_a_consumer_has_a_bounded_number_of_limits) {
  worker w = new_worker(f);
  limit_many(&w, "made.up", EVENT_CONSUMER_LIMITS_MAX);
  assert_false(event_consumer_limit(w.consumer, "one.more", 1));
}

/* What is leased shows that the store has read which limits there are. */
static void let_read_limits(fixture *f, const worker *w) {
  event_consumer_prefetch(w->consumer, 1);
  assert_waiting(f, w);
  event_consumer_prefetch(w->consumer, 0);
}

STORE_TEST(test_limits_of_many_consumers_share_a_place) {
  worker workers[3] = {new_worker(f), new_worker(f), new_worker(f)};
  for (int i = 0; i < 3; i++) {
    limit_many(&workers[i], "same", EVENT_CONSUMER_LIMITS_MAX);
  }
  let_read_limits(f, &workers[2]);
  assert_int_equal(f->errors, 0);
}

STORE_TEST(test_a_place_is_free_once_nobody_has_its_limit) {
  worker gone = new_worker(f), last = new_worker(f), others[2];
  limit_many(&gone, "gone", EVENT_CONSUMER_LIMITS_MAX);
  limit_many(&last, "last", 1);
  let_read_limits(f, &last);
  free_worker(&gone);
  for (int i = 0; i < 2; i++) {
    others[i] = new_worker(f);
    limit_many(&others[i], i == 0 ? "one" : "other", EVENT_CONSUMER_LIMITS_MAX - 1);
    let_read_limits(f, &others[i]);
  }
  assert_int_equal(f->errors, 0);
}

/* As three versions of a script that run at once may have them. */
static void exhaust_limits(worker workers[3]) {
  limit_many(&workers[0], "crowd", EVENT_CONSUMER_LIMITS_MAX);
  limit_many(&workers[1], "more", EVENT_CONSUMER_LIMITS_MAX);
  limit_many(&workers[2], "most", EVENT_CONSUMER_LIMITS_MAX - 1);
  assert_true(event_consumer_limit(workers[2].consumer, "login.success", 2));
}

STORE_TEST(test_a_limit_without_a_place_holds_nevertheless) {
  int64_t ids[4];
  for (int i = 0; i < 4; i++) {
    ids[i] = put_action(f, "login.success", NULL);
  }
  worker workers[3] = {new_worker(f), new_worker(f), new_worker(f)};
  worker *last = &workers[2];
  exhaust_limits(workers);
  event_consumer_prefetch(last->consumer, 10);
  assert_int_equal(take(last, NULL), ids[0]);
  assert_int_equal(take(last, NULL), ids[1]);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 1"), 2);
  assert_int_equal(f->errors, 1);
  assert_non_null(strstr(f->last_error, "narrowest of these limits"));
  finish(last, ids[0], EVENT_OUTCOME_DONE, 0, NULL);
  assert_int_equal(take(last, NULL), ids[2]);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 1"), 2);
  finish(last, ids[1], EVENT_OUTCOME_DONE, 0, NULL);
  assert_int_equal(take(last, NULL), ids[3]);
  finish(last, ids[2], EVENT_OUTCOME_DONE, 0, NULL);
  finish(last, ids[3], EVENT_OUTCOME_DONE, 0, NULL);
  free_worker(&workers[0]);
  free_worker(&workers[1]);
  wait_for(f, &f->heals);
  event_consumer_prefetch(last->consumer, 10);
  int64_t again[] = {put_action(f, "login.success", NULL), put_action(f, "login.success", NULL),
                     put_action(f, "login.success", NULL)};
  assert_int_equal(take(last, NULL), again[0]);
  assert_int_equal(take(last, NULL), again[1]);
  assert_waiting(f, last);
}
