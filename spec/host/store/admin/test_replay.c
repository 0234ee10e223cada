/* Tests of replays: finished events that run again, from beside the store that serves. */
#include "host/store/store_fixture.h"

#include <stdio.h>
#include <string.h>

static event_replay_result replay(fixture *f, int64_t id) {
  host_error error = {.kind = HOST_OK};
  event_replay_result result;
  if (!event_store_replay(f->path, id, &result, &error)) {
    fail_msg("replay: %s", error.message);
  }
  return result;
}

static int64_t replay_dead(fixture *f, const event_filter *filter) {
  host_error error = {.kind = HOST_OK};
  int64_t count;
  if (!event_store_replay_dead(f->path, filter, &count, &error)) {
    fail_msg("replay of the dead: %s", error.message);
  }
  return count;
}

/* Puts an event and brings it to its end. */
static int64_t put_finished(fixture *f, worker *w, const char *account, event_outcome_kind kind) {
  int64_t id = put(f, account);
  event_consumer_prefetch(w->consumer, 2);
  assert_int_equal(take(w, NULL), id);
  finish(w, id, kind, 0, kind == EVENT_OUTCOME_DEAD ? "bad script" : NULL);
  assert_nothing_before(f, w);
  return id;
}

STORE_TEST(test_a_replay_is_a_new_run_of_the_same_event) {
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 1);
  int64_t id = put(f, "a");
  finish(&w, take(&w, NULL), EVENT_OUTCOME_DEAD, 0, "bad script");
  wait_unfinished(f, 0);
  event_consumer_prefetch(w.consumer, 1);
  for (int i = 1; i <= 3; i++) {
    assert_int_equal(replay(f, id), EVENT_REPLAYED);
    /* The store notices by itself. */
    event_lease *lease = take_lease(&w);
    assert_int_equal(lease->id, id);
    assert_int_equal(lease->attempt, 1);
    assert_int_equal(lease->replay, i);
    event_lease_free(lease);
    wait_unfinished(f, 1);
    finish(&w, id, i == 2 ? EVENT_OUTCOME_DEAD : EVENT_OUTCOME_DONE, 0, NULL);
    wait_unfinished(f, 0);
    event_consumer_prefetch(w.consumer, 1);
  }
  assert_int_equal(query(f, "SELECT replays FROM events WHERE state = 3 AND error IS NULL"), 3);
}

STORE_TEST(test_only_finished_events_are_replayed) {
  worker w = new_worker(f);
  int64_t retry = put(f, "a"), running = put(f, "b"), next = put(f, "a");
  event_consumer_prefetch(w.consumer, 2);
  assert_int_equal(take(&w, NULL), retry);
  assert_int_equal(take(&w, NULL), running);
  finish(&w, retry, EVENT_OUTCOME_RETRY, now_ms() + 3600000, "later");
  int64_t received = put(f, NULL);
  assert_int_equal(replay(f, retry), EVENT_UNFINISHED);
  assert_int_equal(replay(f, running), EVENT_UNFINISHED);
  assert_int_equal(replay(f, next), EVENT_UNFINISHED);
  assert_int_equal(replay(f, received), EVENT_UNFINISHED);
  assert_int_equal(replay(f, received + 1), EVENT_NOT_FOUND);
  assert_listed(f, NULL, "1 retry 1 later\n2 running 1 -\n3 received 0 -\n4 received 0 -\n");
}

STORE_TEST(test_a_replay_keeps_the_order_of_its_account) {
  worker w = new_worker(f);
  int64_t first = put_finished(f, &w, "a", EVENT_OUTCOME_DONE);
  int64_t second = put(f, "a"), third = put(f, "a");
  event_consumer_prefetch(w.consumer, 1);
  assert_int_equal(take(&w, NULL), second);
  assert_int_equal(replay(f, first), EVENT_REPLAYED);
  event_consumer_prefetch(w.consumer, 10);
  assert_nothing_before(f, &w); /* one of an account at a time */
  finish(&w, second, EVENT_OUTCOME_DONE, 0, NULL);
  assert_int_equal(take(&w, NULL), first);
  assert_nothing_before(f, &w);
  finish(&w, first, EVENT_OUTCOME_DONE, 0, NULL);
  assert_int_equal(take(&w, NULL), third);
}

STORE_TEST(test_a_replay_does_not_need_a_store_that_serves) {
  worker w = new_worker(f);
  int64_t id = put_finished(f, &w, "a", EVENT_OUTCOME_DONE);
  close_store(f);
  assert_int_equal(replay(f, id), EVENT_REPLAYED);
  assert_int_equal(replay(f, id), EVENT_UNFINISHED);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 0 AND replays = 1"), 1);
  open_store(f);
  w = new_worker(f);
  event_consumer_prefetch(w.consumer, 1);
  assert_int_equal(take(&w, NULL), id);
}

CLOSED_STORE_TEST(test_a_duplicate_does_not_swallow_a_replay) {
  f->dedup_window = 300000;
  open_store(f);
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 1);
  event_record record = record_of("a", "{}");
  record.received_at = now_ms();
  int64_t id = put_record(f, &record, NULL, 0);
  finish(&w, take(&w, NULL), EVENT_OUTCOME_DONE, 0, NULL);
  bool is_duplicate;
  assert_int_equal(put_and_get_id(f, &record, &is_duplicate), id);
  assert_true(is_duplicate);
  assert_int_equal(replay(f, id), EVENT_REPLAYED);
  event_consumer_prefetch(w.consumer, 1);
  assert_int_equal(take(&w, NULL), id);
  assert_int_equal(put_and_get_id(f, &record, &is_duplicate), id);
}

STORE_TEST(test_the_dead_are_replayed_by_action_and_time) {
  worker w = new_worker(f);
  for (int i = 0; i < 1000; i++) {
    char account[16];
    (void)snprintf(account, sizeof account, "a%d", i % 7);
    event_record record = record_of(account, "{}");
    record.action = i % 2 == 0 ? "login.error" : "login.success";
    record.received_at = i;
    (void)put_record(f, &record, NULL, 0);
  }
  event_consumer_prefetch(w.consumer, 1000);
  for (int i = 0; i < 1000; i++) {
    int64_t id = take(&w, NULL);
    bool is_last = number_of(f, id) == 1000;
    finish(&w, id, is_last ? EVENT_OUTCOME_DONE : EVENT_OUTCOME_DEAD, 0, "no");
  }
  close_store(f);
  assert_int_equal(replay_dead(f, &(event_filter){.action = "login.none"}), 0);
  assert_int_equal(replay_dead(f, &(event_filter){.action = "login.error", .since = 500}), 250);
  assert_int_equal(replay_dead(f, &(event_filter){.account_id = "a3", .since = 990}), 1);
  assert_int_equal(replay_dead(f, &(event_filter){.since = 0}), 748);
  assert_int_equal(replay_dead(f, &(event_filter){.since = 0}), 0);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 0"), 999);
  open_store(f);
  w = new_worker(f);
  event_consumer_prefetch(w.consumer, 1000);
  /* Of each account one has the turn. */
  int64_t first[7];
  for (int i = 0; i < 7; i++) {
    first[i] = take(&w, NULL);
  }
  assert_nothing_before(f, &w);
  for (int i = 0; i < 7; i++) {
    finish(&w, first[i], EVENT_OUTCOME_DONE, 0, NULL);
  }
  for (int i = 7; i < 999; i++) {
    finish(&w, take(&w, NULL), EVENT_OUTCOME_DONE, 0, NULL);
  }
  close_store(f);
  assert_int_equal(count_listed(f, "done"), 1001);
}

CLOSED_STORE_TEST(test_what_is_not_there_is_not_made) {
  host_error error = {.kind = HOST_OK};
  event_replay_result result;
  int64_t count;
  assert_false(event_store_replay(f->path, 1, &result, &error));
  assert_non_null(strstr(error.message, "No such file"));
  assert_false(event_store_replay_dead(f->path, &(event_filter){.since = 0}, &count, &error));
  assert_non_null(strstr(error.message, "No such file"));
  assert_int_equal(count, 0);
}
