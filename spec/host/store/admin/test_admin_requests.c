/* Tests of what the event store does for others between its transactions, and while another process
 * writes or reads. */
#include "host/store/hand_run.h"
#include "store/sqlite/maintenance.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LOCKED_RETRY_MS 10
#define LOCKED_MAX_MS 2000
#define MAX_PUTS 1024      /* in a transaction */
#define NO_WAIT (-3600000) /* the clock of the test is ahead */

/* ---- Another process that writes ---- */

BY_HAND_TEST(test_puts_wait_for_another_process_without_a_word) {
  response a = NO_RESPONSE;
  const event_record record = record_of("a", "{}");
  sqlite3 *other = lock_store(f);
  put_times(f, &record, 3, on_put, &a);
  pass(f, LOCKED_MAX_MS - 1);
  assert_int_equal(a.responses, 0);
  unlock_store(other);
  pass(f, LOCKED_RETRY_MS);
  assert_int_equal(a.responses, 3);
  assert_true(a.id > 0);
  assert_int_equal(f->errors, 0);
}

BY_HAND_TEST(test_puts_that_have_waited_for_two_seconds_are_rejected) {
  response early = NO_RESPONSE, late = NO_RESPONSE;
  const event_record record = record_of("a", "{}");
  int64_t stored = query(f, "SELECT count(*) FROM events");
  sqlite3 *other = lock_store(f);
  put_times(f, &record, 2, on_put, &early);
  pass(f, 500);
  put_times(f, &record, 1, on_put, &late);
  pass(f, LOCKED_MAX_MS - 500);
  assert_int_equal(early.responses, 2);
  assert_int_equal(early.id, 0);
  assert_non_null(strstr(early.reason, "locked"));
  assert_int_equal(late.responses, 0);
  assert_int_equal(f->errors, 1);
  unlock_store(other);
  pass(f, LOCKED_RETRY_MS);
  assert_int_equal(late.responses, 1);
  assert_true(late.id > 0);
  assert_int_equal(f->heals, 1);
  assert_int_equal(query(f, "SELECT count(*) FROM events"), stored + 1);
  event_counts counts;
  event_store_counts(f->store, &counts);
  assert_int_equal(counts.unfinished, 1);
}

BY_HAND_TEST(test_finishes_and_leases_wait_for_another_process) {
  worker w = new_worker(f);
  int64_t first = put(f, "a"), second = put(f, "a");
  prefetch(f, &w, 10);
  assert_int_equal(taken(&w), first);
  sqlite3 *other = lock_store(f);
  finish_done(&w, first);
  pass(f, LOCKED_MAX_MS + 1000);
  assert_int_equal(taken(&w), 0);
  unlock_store(other);
  pass(f, LOCKED_RETRY_MS);
  assert_int_equal(taken(&w), second);
}

BY_HAND_TEST(test_the_end_waits_for_another_process_for_two_seconds) {
  worker w = new_worker(f);
  int64_t id = put(f, "a");
  prefetch(f, &w, 1);
  assert_int_equal(taken(&w), id);
  sqlite3 *other = lock_store(f);
  finish_done(&w, id);
  free_worker(&w);
  assert_false(event_store_close(f->store, NO_WAIT, NULL));
  run(f);
  pass(f, LOCKED_MAX_MS - 1);
  assert_false(event_store_close(f->store, NO_WAIT, NULL));
  pass(f, LOCKED_RETRY_MS);
  close_store(f);
  assert_int_equal(f->errors, 2);
  assert_non_null(strstr(f->last_error, "run again"));
  (void)sqlite3_db_config(other, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL); /* keeps it */
  unlock_store(other);
  open_store(f);
  w = new_worker(f);
  prefetch(f, &w, 1);
  int attempt;
  assert_int_equal(take(&w, &attempt), id);
  assert_int_equal(attempt, 2);
}

/* ---- Slices ---- */

typedef struct {
  int calls, last_calls;
  int more;  /* so many slices */
  int later; /* and before them so many that come in vain */
  const char *text;
  bool changes;
} slices;

static event_admin_result slice(void *context, struct sqlite3 *db, bool *changes_unfinished) {
  slices *s = context;
  if (db == NULL) {
    s->last_calls++;
    return EVENT_ADMIN_DONE;
  }
  s->calls++;
  if (s->later > 0) {
    s->later--;
    return EVENT_ADMIN_LATER;
  }
  assert_int_equal(sqlite3_exec(db, s->text, NULL, NULL, NULL), SQLITE_OK);
  *changes_unfinished = s->changes;
  return --s->more > 0 ? EVENT_ADMIN_MORE : EVENT_ADMIN_DONE;
}

BY_HAND_TEST(test_slices_are_called_until_they_are_done) {
  slices one = {.more = 3, .text = "SELECT 1"}, other = {.more = 1, .text = "SELECT 1"};
  assert_true(event_store_run_admin(f->store, slice, &one));
  assert_true(event_store_run_admin(f->store, slice, &other));
  assert_int_equal(one.calls, 0);
  run(f);
  assert_int_equal(one.calls, 3);
  assert_int_equal(other.calls, 1);
  run(f);
  assert_int_equal(one.calls, 3);
  assert_int_equal(one.last_calls + other.last_calls, 0);
}

BY_HAND_TEST(test_a_slice_that_came_in_vain_comes_later) {
  slices one = {.more = 1, .later = 2, .text = "SELECT 1"};
  assert_true(event_store_run_admin(f->store, slice, &one));
  run(f);
  assert_int_equal(one.calls, 1);
  pass(f, 10);
  assert_int_equal(one.calls, 2);
  pass(f, 10);
  assert_int_equal(one.calls, 3);
}

BY_HAND_TEST(test_what_slices_change_is_leased) {
  worker w = new_worker(f);
  int64_t id = put(f, "a");
  prefetch(f, &w, 10);
  assert_int_equal(taken(&w), id);
  finish_done(&w, id);
  run(f);
  pass(f, 10);
  assert_int_equal(taken(&w), 0);
  slices replay = {.more = 1,
                   .changes = true,
                   .text = "UPDATE events SET state = 0, attempts = 0, replays = replays + 1"
                           " WHERE id = (SELECT max(id) FROM events)"};
  assert_true(event_store_run_admin(f->store, slice, &replay));
  run(f);
  assert_int_equal(taken(&w), id);
  event_counts counts;
  event_store_counts(f->store, &counts);
  assert_int_equal(counts.unfinished, 1);
}

BY_HAND_TEST(test_a_close_calls_each_for_the_last_time) {
  slices one = {.more = 1, .later = 1000, .text = "SELECT 1"};
  assert_true(event_store_run_admin(f->store, slice, &one));
  run(f);
  close_store(f);
  assert_int_equal(one.calls, 1);
  assert_int_equal(one.last_calls, 1);
}

BY_HAND_TEST(test_puts_are_responded_to_between_slices) {
  slices one = {.more = 1000000, .text = "SELECT 1"};
  assert_true(event_store_run_admin(f->store, slice, &one));
  for (int i = 0; i < 20; i++) {
    int calls = one.calls;
    assert_true(put(f, NULL) > 0);
    assert_int_equal(one.calls, calls);
    run(f);
    assert_in_range(one.calls - calls, 1, HAND_TURNS);
  }
  close_store(f); /* which has a last call */
}

BY_HAND_TEST(test_slices_have_their_turn_if_a_transaction_never_takes_all) {
  response a = NO_RESPONSE;
  const event_record record = record_of(NULL, "{}");
  slices one = {.more = 100, .text = "SELECT 1"};
  assert_true(event_store_run_admin(f->store, slice, &one));
  event_store_end_turns_itself(f->store, false); /* but put_times does */
  put_times(f, &record, MAX_PUTS + 1, on_put, &a);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(a.responses, (i + 1) * MAX_PUTS);
    (void)uv_run(host_loop_uv(f->loop), UV_RUN_NOWAIT);
    put_times(f, &record, MAX_PUTS, on_put, &a);
  }
  assert_int_equal(one.calls, 3);
  event_store_end_turns_itself(f->store, true);
  close_store(f);
}

BY_HAND_TEST(test_a_store_that_closes_takes_no_work) {
  slices one = {.more = 1, .text = "SELECT 1"};
  assert_false(event_store_close(f->store, NO_WAIT, NULL)); /* it only begins */
  assert_false(event_store_run_admin(f->store, slice, &one));
  close_store(f);
  assert_int_equal(one.calls + one.last_calls, 0);
}

/* ---- Another process that reads ---- */

enum {
  LOG_LIMIT = 8 << 20
};

/* Fifteen pages or more. */
static void put_large(fixture *f) {
  static char body[60000];
  memset(body, 'x', sizeof body - 1);
  const event_record record = record_of("a", body);
  assert_true(put_record(f, &record, NULL, 0) > 0);
  run(f);
}

/* A reader keeps the log from being started anew. */
static void let_log_grow(fixture *f) {
  sqlite3 *reader = NULL;
  assert_int_equal(sqlite3_open(f->path, &reader), SQLITE_OK);
  assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM events;", NULL, NULL, NULL),
                   SQLITE_OK);
  while (log_size(f) < LOG_LIMIT + LOG_LIMIT / 4) {
    put_large(f);
  }
  assert_int_equal(sqlite3_close(reader), SQLITE_OK);
}

BY_HAND_TEST(test_a_log_that_a_reader_let_grow_is_cut_after_a_checkpoint_of_pages) {
  let_log_grow(f);
  for (int pages = 0; pages < EVENT_CHECKPOINT_PAGES; pages += 15) {
    put_large(f);
  }
  put_large(f); /* the first one of the log that is started anew */
  assert_true(log_size(f) <= LOG_LIMIT);
}

BY_HAND_TEST(test_a_log_that_a_reader_let_grow_is_cut_after_a_tick) {
  let_log_grow(f);
  put_large(f);
  assert_true(log_size(f) > LOG_LIMIT);
  pass(f, HAND_TICK_MS);
  put_large(f);
  assert_true(log_size(f) <= LOG_LIMIT);
}
