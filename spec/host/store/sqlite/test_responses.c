/* Tests of recorded responses: which runs of an event have left them, and when they go. */
#include "host/store/store_fixture.h"
#include "store/admin/recordings.h"
#include "store/sqlite/forget.h"
#include "store/sqlite/responses.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static event_recording *recording_of(const char *text) {
  event_recording *recording = event_recording_new(1000, 1795931487001);
  assert_true(event_recording_add(recording, text, strlen(text)));
  event_recording_end(recording);
  return recording;
}

static void finish_with(const worker *w, int64_t id, event_outcome_kind kind, const char *text) {
  const event_outcome outcome = {.kind = kind,
                                 .retry_at = now_ms(),
                                 .error = "no",
                                 .recording = text != NULL ? recording_of(text) : NULL};
  event_consumer_finish(w->consumer, id, &outcome);
}

static int64_t take_next(worker *w, int64_t id) {
  event_consumer_prefetch(w->consumer, 1);
  assert_int_equal(take(w, NULL), id);
  return id;
}

static void wait_ended(fixture *f, int64_t count) {
  event_counts counts;
  do {
    event_store_counts(f->store, &counts);
  } while (counts.done + counts.dead < count);
}

typedef struct {
  int count;
  bool is_recorded;
  char text[64]; /* "-": there is none */
  int64_t attempts, started_at, total;
} seen_event;

static bool see(void *context, const recorded_event *event) {
  seen_event *seen = context;
  seen->count++;
  seen->is_recorded = event->is_recorded;
  seen->attempts = event->attempts;
  seen->started_at = event->started_at;
  seen->total = event->total;
  assert_int_equal(event->at, seen->count);
  (void)snprintf(seen->text, sizeof seen->text, "%s",
                 event->responses != NULL ? event->responses : "-");
  return true;
}

static seen_event see_all(const fixture *f, int64_t limit) {
  seen_event seen = {.count = 0};
  host_error error;
  const recording_filter filter = {.since = INT64_MIN, .until = INT64_MAX, .limit = limit};
  assert_true(recording_list(f->path, &filter, see, &seen, &error));
  return seen;
}

STORE_TEST(test_those_of_the_run_that_ended_the_event_are_stored) {
  worker w = new_worker(f);
  int64_t id = put(f, "a");
  finish_with(&w, take_next(&w, id), EVENT_OUTCOME_RETRY, "first");
  finish_with(&w, take_next(&w, id), EVENT_OUTCOME_RELEASED, "second");
  finish_with(&w, take_next(&w, id), EVENT_OUTCOME_DONE, "third");
  wait_ended(f, 1);
  seen_event seen = see_all(f, 0);
  assert_true(seen.is_recorded);
  assert_string_equal(seen.text, "third");
  assert_int_equal(seen.attempts, 2);
  assert_int_equal(seen.started_at, 1795931487001);
  free_worker(&w);
}

STORE_TEST(test_a_dead_event_has_them_too) {
  worker w = new_worker(f);
  int64_t id = put(f, "a");
  finish_with(&w, take_next(&w, id), EVENT_OUTCOME_DEAD, "last");
  wait_ended(f, 1);
  assert_string_equal(see_all(f, 0).text, "last");
  free_worker(&w);
}

/* What is left of the run before is not that of the last one, but is seen: it may be of somebody
 * who is to be forgotten. */
STORE_TEST(test_a_replay_replaces_them) {
  worker w = new_worker(f);
  int64_t id = put(f, "a");
  finish_with(&w, take_next(&w, id), EVENT_OUTCOME_DONE, "first");
  wait_ended(f, 1);
  event_replay_result result;
  host_error error;
  assert_true(event_store_replay(f->path, id, &result, &error));
  finish_with(&w, take_next(&w, id), EVENT_OUTCOME_DONE, NULL);
  wait_ended(f, 2);
  seen_event seen = see_all(f, 0);
  assert_false(seen.is_recorded);
  assert_string_equal(seen.text, "first");
  assert_true(event_store_replay(f->path, id, &result, &error));
  finish_with(&w, take_next(&w, id), EVENT_OUTCOME_DONE, "third");
  wait_ended(f, 3);
  assert_string_equal(see_all(f, 0).text, "third");
  assert_int_equal(query(f, "SELECT count(*) FROM event_responses"), 1);
  free_worker(&w);
}

static void make_three(fixture *f) {
  open_store(f);
  worker w = new_worker(f);
  const char *const texts[] = {"one", "two", NULL};
  for (int i = 0; i < 3; i++) {
    int64_t id = put(f, "a");
    finish_with(&w, take_next(&w, id), EVENT_OUTCOME_DONE, texts[i]);
    wait_ended(f, i + 1);
  }
  free_worker(&w);
}

CLOSED_STORE_TEST(test_the_newest_are_listed) {
  make_three(f);
  seen_event seen = see_all(f, 2);
  assert_int_equal(seen.count, 2);
  assert_int_equal(seen.total, 2);
  assert_false(seen.is_recorded);
  assert_int_equal(see_all(f, 0).count, 3);
}

CLOSED_STORE_TEST(test_a_purge_counts_and_removes_them) {
  make_three(f);
  int64_t size = query(f, "SELECT sum(length(responses)) FROM event_responses");
  int64_t others = query(f, "SELECT sum(length(action) + length(account_id) + length(body))"
                            " FROM events JOIN bodies USING (id)");
  event_purge what = {.state = EVENT_DONE, .finished_before = INT64_MAX, .dry_run = true};
  event_purge_report report;
  host_error error;
  assert_true(size > 0 && event_store_purge(f->path, &what, &report, &error));
  assert_int_equal(report.bytes, size + others);
  what.dry_run = false;
  assert_true(event_store_purge(f->path, &what, &report, &error));
  assert_int_equal(report.events, 3);
  assert_int_equal(query(f, "SELECT count(*) FROM event_responses"), 0);
}

CLOSED_STORE_TEST(test_the_old_ones_are_deleted_and_their_events_stay) {
  make_three(f);
  close_store(f);
  execute(f, "UPDATE event_responses SET recorded_at = recorded_at - 100000"
             " WHERE responses = (SELECT max(responses) FROM event_responses)");
  f->recording_retention = 50000;
  open_store(f);
  while (query(f, "SELECT count(*) FROM event_responses") > 1) {
  }
  assert_int_equal(query(f, "SELECT count(*) FROM events"), 3);
}

CLOSED_STORE_TEST(test_a_forgotten_event_has_none) {
  make_three(f);
  close_store(f);
  sqlite3 *db = NULL;
  event_forget_report report = {0};
  bool was_unfinished = false;
  assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
  assert_true(event_forget_event(db, id_of(f, 1), true, &report, &was_unfinished));
  assert_int_equal(report.events, 1);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
  assert_int_equal(query(f, "SELECT count(*) FROM event_responses"), 1);
}
