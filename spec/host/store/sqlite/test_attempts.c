/* Tests of the attempts of events: what is stored of each, and when it goes. */
#include "host/store/store_fixture.h"
#include "store/sqlite/forget.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  char text[1024];
  size_t used;
  int64_t started_at, duration; /* of the last one */
  int64_t left_out;
} seen_attempts;

static bool see(void *context, const event_attempt *attempt) {
  seen_attempts *seen = context;
  seen->used += (size_t)snprintf(seen->text + seen->used, sizeof seen->text - seen->used,
                                 "%d.%d %s %s %s %lld\n", attempt->replay, attempt->attempt,
                                 attempt->outcome, attempt->error != NULL ? attempt->error : "-",
                                 attempt->lines != NULL ? attempt->lines : "-",
                                 (long long)attempt->lines_left_out);
  seen->started_at = attempt->started_at;
  seen->duration = attempt->duration;
  return true;
}

static seen_attempts see_latest(const fixture *f, int64_t id, int64_t max) {
  seen_attempts seen = {.used = 0};
  host_error error;
  if (!event_store_attempts(f->path, id, max, see, &seen, &seen.left_out, &error)) {
    fail_msg("attempts: %s", error.message);
  }
  return seen;
}

static seen_attempts see_all(const fixture *f, int64_t id) {
  return see_latest(f, id, 0);
}

static void finish_with(worker *w, int64_t id, event_outcome_kind kind, const char *error,
                        const char *lines) {
  event_consumer_prefetch(w->consumer, 1);
  assert_int_equal(take(w, NULL), id);
  const event_outcome outcome = {.kind = kind,
                                 .retry_at = now_ms(),
                                 .error = error,
                                 .lines = lines,
                                 .lines_left_out = lines != NULL ? 3 : 0};
  event_consumer_finish(w->consumer, id, &outcome);
}

static void replay(fixture *f, int64_t id) {
  event_replay_result result;
  host_error error;
  assert_true(event_store_replay(f->path, id, &result, &error));
  assert_int_equal(result, EVENT_REPLAYED);
}

STORE_TEST(test_each_attempt_that_ends_is_stored) {
  worker w = new_worker(f);
  int64_t before = now_ms(), id = put(f, "a");
  finish_with(&w, id, EVENT_OUTCOME_RETRY, "no reply", "asked");
  finish_with(&w, id, EVENT_OUTCOME_RELEASED, NULL, "released");
  finish_with(&w, id, EVENT_OUTCOME_DEAD, "no reply again", NULL);
  wait_unfinished(f, 0);
  replay(f, id);
  finish_with(&w, id, EVENT_OUTCOME_DONE, NULL, "asked\nanswered");
  wait_unfinished(f, 0);
  seen_attempts seen = see_all(f, id);
  assert_string_equal(seen.text, "0.1 retry no reply asked 3\n"
                                 "0.2 dead no reply again - 0\n"
                                 "1.1 done - asked\nanswered 3\n");
  assert_in_range(seen.started_at, before, now_ms());
  assert_in_range(seen.duration, 0, now_ms() - before);
  assert_string_equal(see_all(f, id + 1).text, "");
  seen = see_latest(f, id, 2);
  assert_string_equal(seen.text, "0.2 dead no reply again - 0\n"
                                 "1.1 done - asked\nanswered 3\n");
  assert_int_equal(seen.left_out, 1);
  seen = see_latest(f, id, 3);
  assert_int_equal(seen.left_out, 0);
  assert_string_equal(seen.text, see_all(f, id).text);
  assert_int_equal(see_latest(f, id + 1, 2).left_out, 0);
  free_worker(&w);
}

STORE_TEST(test_what_has_not_started_is_no_attempt) {
  int64_t id = put(f, "a");
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 1);
  wait_notified(&w);
  event_consumer_prefetch(w.consumer, 0);
  free_worker(&w);
  close_store(f);
  open_store(f);
  assert_string_equal(see_all(f, id).text, "");
}

STORE_TEST(test_the_attempts_of_a_purged_event_are_counted_and_go_with_it) {
  worker w = new_worker(f);
  int64_t purged = put(f, NULL), kept = put(f, NULL);
  finish_with(&w, purged, EVENT_OUTCOME_DONE, NULL, "twelve bytes");
  finish_with(&w, kept, EVENT_OUTCOME_DEAD, "no reply", NULL);
  wait_unfinished(f, 0);
  int64_t others = query(f, "SELECT length(action) + length(body) FROM events"
                            " JOIN bodies USING (id) WHERE state = 3");
  event_purge what = {.state = EVENT_DONE, .finished_before = INT64_MAX, .dry_run = true};
  event_purge_report report;
  host_error error;
  assert_true(event_store_purge(f->path, &what, &report, &error));
  assert_int_equal(report.bytes, others + 12);
  what.dry_run = false;
  assert_true(event_store_purge(f->path, &what, &report, &error));
  assert_string_equal(see_all(f, purged).text, "");
  assert_string_equal(see_all(f, kept).text, "0.1 dead no reply - 0\n");
  free_worker(&w);
}

STORE_TEST(test_retention_takes_the_attempts_as_well) {
  worker w = new_worker(f);
  finish_with(&w, put(f, NULL), EVENT_OUTCOME_DONE, NULL, "line");
  wait_unfinished(f, 0);
  close_store(f);
  f->retention = 1;
  open_store(f);
  while (query(f, "SELECT count(*) FROM events") > 0) {
  }
  assert_int_equal(query(f, "SELECT count(*) FROM attempts"), 0);
}

STORE_TEST(test_the_attempts_of_a_forgotten_event_are_removed) {
  worker w = new_worker(f);
  int64_t id = put(f, NULL), other = put(f, NULL);
  finish_with(&w, id, EVENT_OUTCOME_DEAD, "no reply", "line");
  finish_with(&w, other, EVENT_OUTCOME_DEAD, "no reply", "line");
  wait_unfinished(f, 0);
  const event_forget what = {.ids = {id}, .id_count = 1};
  event_forget_report report;
  host_error error;
  assert_true(event_store_forget(f->path, &what, &report, &error));
  assert_int_equal(report.events, 1);
  assert_string_equal(see_all(f, id).text, "");
  assert_string_equal(see_all(f, other).text, "0.1 dead no reply line 3\n");
  free_worker(&w);
}

/* Somebody has removed the event by hand while its handler ran. */
STORE_TEST(test_an_attempt_without_its_event_is_not_stored) {
  int64_t id = put(f, NULL);
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 1);
  assert_int_equal(take(&w, NULL), id);
  execute(f, "DELETE FROM events; DELETE FROM bodies");
  finish(&w, id, EVENT_OUTCOME_DEAD, 0, "no reply");
  (void)put(f, NULL);
  close_store(f);
  assert_int_equal(query(f, "SELECT count(*) FROM attempts"), 0);
}
