/* Tests of what the event store does at once, what together, and what only after a while. */
#include "host/store/hand_run.h"
#include "store/admin/sliced_work.h"
#include "store/queue/internal.h"

enum {
  BURST = 16,    /* so many at once are one */
  BURST_MS = 20, /* its length */
  BURST_LEASE_MS = 50,
  FINISH_WAIT_MS = 5
};

/* ---- Commits ---- */

BY_HAND_TEST(test_what_is_put_in_a_turn_shares_a_commit) {
  int syncs = time_syncs();
  put_together(f, 100);
  assert_int_equal(time_syncs(), syncs + 1);
}

BY_HAND_TEST(test_a_commit_is_one_write) {
  int writes = time_writes();
  put_together(f, 100);
  assert_int_equal(time_writes(), writes + 1);
}

static void put_one(void *context) {
  fixture *f = ((void **)context)[0];
  const event_record record = record_of(NULL, "{}");
  event_store_put(f->store, &record, on_put, ((void **)context)[1]);
}

BY_HAND_TEST(test_a_turn_that_somebody_else_ends_is_not_ended_by_the_store) {
  response a = NO_RESPONSE;
  void *context[] = {f, &a};
  event_store_end_turns_itself(f->store, false);
  put_one(context);
  pass(f, HAND_TICK_MS);
  assert_int_equal(a.responses, 0);
  event_store_end_turn(f->store);
  assert_int_equal(a.responses, 1);
  event_store_end_turns_itself(f->store, true);
  put_one(context);
  run(f);
  assert_int_equal(a.responses, 2);
}

/* ---- Finishes ---- */

static int64_t put_and_take(fixture *f, const worker *w) {
  int64_t id = put(f, NULL);
  prefetch(f, w, 1);
  assert_int_equal(taken(w), id);
  return id;
}

BY_HAND_TEST(test_a_finish_that_nobody_waits_for_waits_a_little) {
  worker w = new_worker(f);
  finish_done(&w, put_and_take(f, &w));
  run(f);
  pass(f, FINISH_WAIT_MS - 1);
  assert_int_equal(count_running(f), 1);
  pass(f, 1);
  assert_int_equal(count_running(f), 0);
}

BY_HAND_TEST(test_a_finish_does_not_wait_for_others_to_come) {
  worker w = new_worker(f);
  int64_t first = put_and_take(f, &w), second = put_and_take(f, &w);
  finish_done(&w, first);
  run(f);
  pass(f, FINISH_WAIT_MS - 1);
  finish_done(&w, second);
  run(f);
  pass(f, 1);
  assert_int_equal(count_running(f), 0);
}

BY_HAND_TEST(test_a_finish_shares_the_commit_of_the_next_put) {
  worker w = new_worker(f);
  finish_done(&w, put_and_take(f, &w));
  run(f);
  int syncs = time_syncs();
  assert_true(put(f, NULL) > 0);
  assert_int_equal(time_syncs(), syncs + 1);
  assert_int_equal(count_running(f), 0);
}

BY_HAND_TEST(test_a_finish_that_an_event_waits_for_is_written_at_once) {
  worker w = new_worker(f);
  int64_t first = put(f, "a"), second = put(f, "a");
  prefetch(f, &w, 2);
  assert_int_equal(taken(&w), first);
  finish_done(&w, first);
  run(f);
  assert_int_equal(taken(&w), second);
}

/* One that another was to take along, which the loop has written meanwhile. */
BY_HAND_TEST(test_a_finish_after_the_check_of_the_loop_is_seen) {
  worker w = new_worker(f);
  int64_t first = put_and_take(f, &w), second = put_and_take(f, &w);
  event_dispatch *dispatch = &f->store->dispatch;
  finish_done(&w, first);
  run(f);
  finish_done(&w, second);
  assert_false(dispatch->has_posts);
  event_dispatch_publish(f->store, false, false);
  assert_true(dispatch->has_posts);
}

BY_HAND_TEST(test_a_finish_waits_while_all_have_others_to_begin) {
  worker w = new_worker(f);
  int64_t first = put(f, "a");
  assert_true(put(f, "a") > first);
  assert_true(put(f, "b") > first);
  prefetch(f, &w, 2);
  assert_int_equal(taken(&w), first);
  finish_done(&w, first);
  run(f);
  assert_int_equal(count_running(f), 2);
  pass(f, FINISH_WAIT_MS);
  assert_int_equal(count_running(f), 1);
}

/* ---- Leases ---- */

BY_HAND_TEST(test_what_was_put_while_nobody_wanted_any_comes_at_once) {
  worker w = new_worker(f);
  int64_t id = put(f, NULL);
  prefetch(f, &w, 10); /* more than there are */
  assert_int_equal(taken(&w), id);
  prefetch(f, &w, 0);
  id = put(f, NULL);
  prefetch(f, &w, 10);
  assert_int_equal(taken(&w), id);
}

static event_admin_result replay_slice(void *context, struct sqlite3 *db,
                                       bool *changes_unfinished) {
  *changes_unfinished = true;
  return event_admin_step(context, db);
}

BY_HAND_TEST(test_what_was_replayed_while_nobody_wanted_any_comes_at_once) {
  worker w = new_worker(f);
  finish_done(&w, put_and_take(f, &w));
  run(f);
  pass(f, HAND_TICK_MS);
  prefetch(f, &w, 0);
  int64_t id = query(f, "SELECT max(id) FROM events");
  const event_admin_request request = {.kind = EVENT_ADMIN_REPLAY, .id = id};
  event_admin *admin = event_admin_new(&request, f->path);
  assert_non_null(admin);
  assert_true(event_store_run_admin(f->store, replay_slice, admin));
  run(f);
  assert_int_equal(event_admin_progress(admin)->replay, EVENT_REPLAYED);
  event_admin_free(admin);
  prefetch(f, &w, 10);
  assert_int_equal(taken(&w), id);
}

BY_HAND_TEST(test_what_a_consumer_leaves_goes_to_others) {
  worker w = new_worker(f), leaving = new_worker(f);
  int64_t id = put(f, NULL);
  prefetch(f, &leaving, 1);
  assert_int_equal(count_running(f), 1);
  prefetch(f, &leaving, 0);
  pass(f, FINISH_WAIT_MS);
  assert_int_equal(count_running(f), 0);
  prefetch(f, &leaving, 1);
  assert_int_equal(count_running(f), 1);
  free_worker(&leaving);
  run(f);
  pass(f, FINISH_WAIT_MS);
  assert_int_equal(count_running(f), 0);
  prefetch(f, &w, 1);
  assert_int_equal(taken(&w), id);
}

BY_HAND_TEST(test_what_is_not_wanted_any_more_is_released) {
  worker w = new_worker(f);
  int attempt = 0;
  int64_t id = put(f, NULL);
  prefetch(f, &w, 1);
  event_consumer_prefetch(w.consumer, 0);
  assert_int_equal(taken(&w), 0);
  run(f);
  pass(f, FINISH_WAIT_MS);
  prefetch(f, &w, 1);
  assert_int_equal(take(&w, &attempt), id);
  assert_int_equal(attempt, 1);
}

BY_HAND_TEST(test_a_retry_comes_when_it_is_due) {
  worker w = new_worker(f);
  int64_t id = put_and_take(f, &w);
  finish(&w, id, EVENT_OUTCOME_RETRY, now_ms() + 100, NULL);
  assert_true(put(f, NULL) > 0); /* which takes the finish along */
  prefetch(f, &w, 10);
  assert_true(taken(&w) > id);
  prefetch(f, &w, 10);
  pass(f, 99);
  assert_int_equal(taken(&w), 0);
  pass(f, 1);
  assert_int_equal(taken(&w), id);
}

/* ---- A burst ---- */

static void take_some(const worker *w, int count) {
  for (int i = 0; i < count; i++) {
    assert_true(taken(w) > 0);
  }
}

BY_HAND_TEST(test_leases_wait_in_a_burst_for_its_end) {
  worker w = new_worker(f);
  put_together(f, BURST);
  time_pass(BURST_LEASE_MS - BURST_MS);
  put_together(f, BURST);
  prefetch(f, &w, 5); /* the first of them do not: none was leased for long */
  take_some(&w, 5);
  prefetch(f, &w, 5);
  pass(f, BURST_MS - 1);
  assert_int_equal(taken(&w), 0);
  pass(f, 1);
  take_some(&w, 5);
}

BY_HAND_TEST(test_leases_have_their_turn_in_a_burst_that_continues) {
  worker w = new_worker(f);
  put_together(f, BURST);
  prefetch(f, &w, 1);
  take_some(&w, 1);
  prefetch(f, &w, 1);
  for (int passed = 0; passed + BURST_MS - 1 < BURST_LEASE_MS; passed += BURST_MS - 1) {
    put_together(f, BURST);
    run(f);
    assert_int_equal(taken(&w), 0);
    time_pass(BURST_MS - 1);
  }
  time_pass(BURST_MS - 1);
  put_together(f, BURST);
  run(f);
  take_some(&w, 1);
}

static void put_each(fixture *f, int count) {
  for (int i = 0; i < count; i++) {
    assert_true(put(f, NULL) > 0);
  }
}

BY_HAND_TEST(test_events_one_after_the_other_are_a_burst_as_well) {
  worker w = new_worker(f);
  put_each(f, 1);
  time_pass(BURST_MS - 1);
  put_each(f, BURST - 1);
  prefetch(f, &w, 1);
  take_some(&w, 1);
  prefetch(f, &w, 1);
  assert_int_equal(taken(&w), 0);
}

BY_HAND_TEST(test_the_end_of_a_burst_of_single_events_is_seen) {
  worker w = new_worker(f);
  prefetch(f, &w, BURST + 1);
  put_each(f, BURST);
  run(f);
  take_some(&w, BURST);
  int64_t last = put(f, NULL);
  run(f);
  assert_int_equal(taken(&w), 0);
  pass(f, BURST_MS);
  assert_int_equal(taken(&w), last);
}

BY_HAND_TEST(test_events_that_take_longer_are_no_burst) {
  worker w = new_worker(f);
  put_each(f, BURST - 1);
  time_pass(BURST_MS);
  put_each(f, BURST - 1);
  for (int i = 0; i < 2; i++) {
    prefetch(f, &w, 1);
    take_some(&w, 1);
  }
  put_each(f, 1); /* since then they are as many */
  prefetch(f, &w, 1);
  assert_int_equal(taken(&w), 0);
}

BY_HAND_TEST(test_fewer_at_once_are_no_burst) {
  worker w = new_worker(f);
  put_together(f, BURST - 1);
  for (int i = 0; i < BURST - 1; i++) {
    prefetch(f, &w, 1);
    take_some(&w, 1);
  }
}

BY_HAND_TEST(test_a_finish_waits_in_a_burst) {
  worker w = new_worker(f);
  int64_t id = put(f, "a");
  assert_true(put(f, "a") > id);
  prefetch(f, &w, 1);
  assert_int_equal(taken(&w), id);
  put_together(f, BURST);
  finish_done(&w, id);
  run(f);
  assert_int_equal(count_running(f), 1);
  pass(f, FINISH_WAIT_MS);
  assert_int_equal(count_running(f), 0);
}

/* ---- A disk that hangs ---- */

typedef struct {
  host_loop_job job;
  fixture *f;
  response *response;
} posted_put;

static void run_posted(host_loop_job *job) {
  posted_put *put = (posted_put *)(void *)job;
  void *context[] = {put->f, put->response};
  put_one(context);
  event_store_end_turn(put->f->store);
}

CLOSED_STORE_TEST(test_a_blocked_loop_is_seen_and_nothing_is_lost) {
  (void)alarm(HAND_HANGS_AFTER);
  open_store(f);
  (void)put(f, NULL);
  response a = NO_RESPONSE;
  posted_put put = {.job = {.run = run_posted}, .f = f, .response = &a};
  time_hold_syncs();
  host_loop_post(f->loop, &put.job);
  time_await_held();
  int64_t before = event_store_stalled_ms(f->store);
  time_pass(5000);
  assert_int_equal(event_store_stalled_ms(f->store), before + 5000);
  assert_int_equal(a.responses, 0);
  assert_false(event_store_close(f->store, -3600000, NULL)); /* as a wait would not end here */
  time_let_syncs_go();
  close_store(f);
  assert_int_equal(a.responses, 1);
  assert_true(a.id > 0);
  assert_int_equal(query(f, "SELECT count(*) FROM events"), 2);
}

static event_admin_result go_on(void *context, struct sqlite3 *db, bool *changes_unfinished) {
  (void)context;
  (void)changes_unfinished;
  time_pass(db != NULL ? 100 : 0);
  return EVENT_ADMIN_MORE;
}

BY_HAND_TEST(test_a_loop_that_has_always_something_to_do_does_not_stand_still) {
  assert_true(event_store_run_admin(f->store, go_on, NULL));
  for (int i = 0; i < 20; i++) {
    run(f);
    assert_in_range(event_store_stalled_ms(f->store), 0, 100);
  }
}
