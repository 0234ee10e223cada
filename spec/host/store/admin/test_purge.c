/* Tests of what leaves the event store, by retention and by hand, and of the room events take. */
#include "clock.h"
#include "host/store/store_fixture.h"
#include "store/sqlite/maintenance.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static int64_t size_of(const fixture *f) {
  struct stat status;
  assert_int_equal(stat(f->path, &status), 0);
  return (int64_t)status.st_size;
}

static void pause_briefly(void) {
  (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* A body such as the API sends, and an account of its own for every third event. */
typedef struct {
  fixture *f;
  int count;
  response *response;
} typical_puts;

static void put_all(void *context) {
  const typical_puts *puts = context;
  static const char form[] =
      "{\"webhook_url\":\"https://receiver.example.com/webhooks/palenca/%08d\",\"data\":{"
      "\"user_id\":\"%08d-7c1e-4c1b-9d0e-3a2f1b4c5d6e\",\"account_id\":\"%08d-f29f-427d-9119-"
      "0c627575610d\",\"external_id\":\"customer-%08d\",\"country\":\"mx\",\"platform\":\"uber\","
      "\"status_details\":null,\"webhook_id\":\"%08d-0d3a-4f7e-8b55-6f1d2c3b4a59\","
      "\"webhook_action\":\"login.success\",\"created_at\":\"2026-03-01T12:30:00.%06dZ\"}}";
  for (int i = 0; i < puts->count; i++) {
    char account[40], body[640];
    (void)snprintf(account, sizeof account, "%08d-f29f-427d-9119-0c627575610d", i / 3);
    (void)snprintf(body, sizeof body, form, i, i / 3, i / 3, i, i, i);
    const event_record record = record_of(account, body);
    event_store_put(puts->f->store, &record, on_put, puts->response);
  }
  event_store_end_turn(puts->f->store);
}

static void put_typical(fixture *f, int count) {
  response a = NO_RESPONSE;
  typical_puts puts = {f, count, &a};
  host_loop_call(f->loop, put_all, &puts);
  await_responses(&a, count);
  if (f->first_id == 0) {
    f->first_id = query(f, "SELECT min(id) FROM events");
  }
}

static void finish_all(fixture *f, int count, event_outcome_kind kind) {
  worker w = new_worker(f);
  for (int i = 0; i < count; i++) {
    event_consumer_prefetch(w.consumer, 64);
    finish(&w, take(&w, NULL), kind, 0, NULL);
  }
  wait_unfinished(f, 0);
  free_worker(&w);
}

static int64_t count_events(const fixture *f) {
  assert_int_equal(query(f, "SELECT (SELECT count(*) FROM events)"
                            " - (SELECT count(*) FROM bodies)"),
                   0);
  return query(f, "SELECT count(*) FROM events");
}

/* ---- Room ---- */

CLOSED_STORE_TEST(test_an_event_takes_at_most_one_and_a_half_kilobytes) {
  enum {
    COUNT = 3000
  };
  open_store(f);
  put_typical(f, COUNT);
  assert_in_range(query(f, "SELECT avg(length(body)) FROM bodies"), 350, 700);
  finish_all(f, COUNT, EVENT_OUTCOME_DONE);
  close_store(f);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 3"), COUNT);
  assert_in_range(size_of(f) / COUNT, 350, 1500);
}

/* ---- Retention ---- */

CLOSED_STORE_TEST(test_done_events_are_deleted_in_time_and_their_room_is_freed) {
  enum {
    COUNT = 2000
  };
  f->retention = 300;
  open_store(f);
  put_typical(f, 1);
  finish_all(f, 1, EVENT_OUTCOME_DEAD);
  put_typical(f, COUNT);
  finish_all(f, COUNT, EVENT_OUTCOME_DONE);
  int64_t left = put(f, "still to be done");
  while (count_events(f) > 2) {
    pause_briefly();
  }
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 4"), 1);
  assert_int_equal(query(f, "SELECT id FROM events WHERE state = 0"), left);
  /* While it is open, and with nobody writing. */
  while (size_of(f) > 100000) {
    pause_briefly();
  }
  assert_int_equal(f->errors, 0);
  assert_int_equal(put(f, NULL), left + 1);
}

/* Else the database grows for as long as more comes in than the steps at their usual intervals
 * delete. */
UNIT_TEST(test_a_round_that_takes_long_has_shorter_pauses) {
  const int64_t now = clock_steady_ms(), later = now + 1000000;
  event_maintenance maintenance = {
      .retention = 80000, .in_round = true, .next_round = now, .next_step = later};
  int64_t usual = event_maintenance_due(&maintenance, false);
  maintenance.next_round = now - 10001;
  int64_t behind = event_maintenance_due(&maintenance, false);
  assert_true(behind <= usual - 45);
  int64_t idle = event_maintenance_due(&maintenance, true);
  assert_true(idle <= behind - 3);
}

/* A reader keeps a checkpoint from going to its end; it is not the last one. */
CLOSED_STORE_TEST(test_room_is_freed_once_a_reader_has_gone) {
  enum {
    COUNT = 2000
  };
  open_store(f);
  put_typical(f, COUNT);
  finish_all(f, COUNT, EVENT_OUTCOME_DONE);
  close_store(f);
  execute(f, "PRAGMA journal_mode = WAL"); /* as after a process that was killed */
  sqlite3 *reader = NULL;
  assert_int_equal(sqlite3_open_v2(f->path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM events;", NULL, NULL, NULL),
                   SQLITE_OK);
  int64_t before = size_of(f);
  f->retention = 1;
  open_store(f);
  while (count_events(f) > 0) {
    pause_briefly();
  }
  /* Longer than the steps that shrink take, so that a checkpoint has met the reader. */
  for (int i = 0; i < 100; i++) {
    pause_briefly();
  }
  assert_true(size_of(f) >= before);
  (void)sqlite3_close(reader);
  while (size_of(f) > 100000) {
    pause_briefly();
  }
  assert_int_equal(f->errors, 0);
}

STORE_TEST(test_young_and_dead_events_are_kept) {
  put_typical(f, 1000);
  finish_all(f, 1000, EVENT_OUTCOME_DONE);
  put_typical(f, 10);
  finish_all(f, 10, EVENT_OUTCOME_DEAD);
  close_store(f);
  execute(f, "UPDATE events SET finished_at = finished_at - 3600001 WHERE id % 2 = 0 OR state = 4");
  f->retention = 3600000;
  open_store(f);
  while (count_events(f) > 510) {
    pause_briefly();
  }
  close_store(f);
  open_store(f); /* a round that is started anew finds nothing more */
  put_typical(f, 1);
  assert_int_equal(count_events(f), 511);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 4"), 10);
  close_store(f);
  f->retention = 0;
  execute(f, "UPDATE events SET finished_at = 1");
  open_store(f);
  put_typical(f, 1);
  assert_int_equal(count_events(f), 512);
}

STORE_TEST(test_events_of_a_wrong_clock_do_not_keep_those_after_them) {
  put_typical(f, 1500);
  finish_all(f, 1500, EVENT_OUTCOME_DONE);
  close_store(f);
  execute(f, "UPDATE events SET finished_at = finished_at - 3600001");
  /* The clock was a year ahead at the first event, and has come near to it at the next ones. */
  execute(f, "UPDATE events SET received_at = unixepoch() * 1000 + 31536000000"
             " WHERE id = (SELECT min(id) FROM events)");
  execute(f, "UPDATE events SET received_at = unixepoch() * 1000"
             " WHERE id > (SELECT min(id) + 100 FROM events) AND id < (SELECT min(id) + 700"
             " FROM events)");
  f->retention = 3600000;
  open_store(f);
  while (count_events(f) > 0) {
    pause_briefly();
  }
}

STORE_TEST(test_puts_go_on_while_old_events_are_deleted) {
  put_typical(f, 3000);
  finish_all(f, 3000, EVENT_OUTCOME_DONE);
  close_store(f);
  execute(f, "UPDATE events SET finished_at = 1");
  f->retention = 3600000;
  open_store(f);
  int64_t puts = 0;
  do {
    assert_true(put(f, NULL) > 0);
    puts++;
  } while (query(f, "SELECT count(*) FROM events WHERE state = 3") > 0);
  assert_int_equal(count_events(f), puts);
}

/* ---- By hand ---- */

static event_purge_report purge(fixture *f, const event_purge *what) {
  host_error error = {.kind = HOST_OK};
  event_purge_report report;
  if (!event_store_purge(f->path, what, &report, &error)) {
    fail_msg("purge: %s", error.message);
  }
  return report;
}

STORE_TEST(test_a_purge_deletes_what_it_reports) {
  put_typical(f, 2500);
  finish_all(f, 2500, EVENT_OUTCOME_DONE);
  put_typical(f, 20);
  finish_all(f, 20, EVENT_OUTCOME_DEAD);
  (void)put(f, "unfinished");
  execute(f, "UPDATE events SET finished_at = 1000 WHERE id % 5 = 0 AND state >= 3");
  event_purge what = {.state = EVENT_DONE, .finished_before = 2000, .dry_run = true};
  event_purge_report dry_run = purge(f, &what);
  assert_int_equal(dry_run.events, 500);
  assert_true(dry_run.bytes > 500 * 400);
  assert_int_equal(count_events(f), 2521);
  what.dry_run = false;
  event_purge_report done = purge(f, &what);
  assert_int_equal(done.events, dry_run.events);
  assert_int_equal(done.bytes, dry_run.bytes);
  assert_int_equal(count_events(f), 2021);
  assert_int_equal(purge(f, &what).events, 0);
  what.state = EVENT_DEAD;
  assert_int_equal(purge(f, &what).events, 4);
  what = (event_purge){.state = EVENT_DONE, .finished_before = INT64_MAX};
  assert_int_equal(purge(f, &what).events, 2000);
  assert_int_equal(count_events(f), 17);
  assert_int_equal(query(f, "PRAGMA freelist_count"), 0);
  assert_true(size_of(f) <= 100000); /* nobody reads */
  assert_true(put(f, "unfinished") > 0);
}

/* Damage, or a file that was put together by hand. */
STORE_TEST(test_a_purge_takes_events_without_a_body) {
  put_typical(f, 3);
  finish_all(f, 3, EVENT_OUTCOME_DONE);
  close_store(f);
  execute(f, "DELETE FROM bodies");
  event_purge what = {.state = EVENT_DONE, .finished_before = INT64_MAX, .dry_run = true};
  assert_int_equal(purge(f, &what).events, 3);
  what.dry_run = false;
  assert_int_equal(purge(f, &what).events, 3);
  assert_int_equal(count_events(f), 0);
}

STORE_TEST(test_a_purge_without_anybody_serving_shrinks_the_file) {
  put_typical(f, 2000);
  finish_all(f, 2000, EVENT_OUTCOME_DONE);
  close_store(f);
  int64_t before = size_of(f);
  const event_purge what = {.state = EVENT_DONE, .finished_before = INT64_MAX};
  event_purge_report report = purge(f, &what);
  assert_int_equal(report.events, 2000);
  assert_true(report.file_size < before / 10);
  assert_int_equal(size_of(f), report.file_size);
}

CLOSED_STORE_TEST(test_a_purge_keeps_what_would_run_again) {
  enum {
    WINDOW = 3600000
  };
  f->dedup_window = WINDOW;
  open_store(f);
  event_record record = record_of("a", "old");
  record.received_at = now_ms() - WINDOW - 1;
  int64_t old = put_record(f, &record, NULL, 0);
  record = record_of("a", "young");
  record.received_at = now_ms();
  int64_t young = put_record(f, &record, NULL, 0);
  finish_all(f, 2, EVENT_OUTCOME_DONE);
  event_purge what = {.state = EVENT_DONE, .finished_before = INT64_MAX, .dry_run = true};
  event_purge_report report = purge(f, &what);
  assert_int_equal(report.events, 1);
  assert_int_equal(report.kept, 1);
  what.dry_run = false;
  report = purge(f, &what);
  assert_int_equal(report.events, 1);
  assert_int_equal(report.kept, 1);
  bool is_duplicate = false;
  assert_int_equal(put_and_get_id(f, &record, &is_duplicate), young);
  assert_true(is_duplicate);
  record.body = "old";
  record.body_size = 3;
  assert_true(put_and_get_id(f, &record, &is_duplicate) > old);
  assert_false(is_duplicate);
  close_store(f);
  /* Without a window nothing is a duplicate, and all is deleted. */
  f->dedup_window = 0;
  open_store(f);
  assert_int_equal(purge(f, &what).events, 1);
  assert_int_equal(count_events(f), 1);
}

CLOSED_STORE_TEST(test_stats_count_by_state_and_action) {
  host_error error = {.kind = HOST_OK};
  event_stats stats;
  assert_false(event_store_stats(f->path, &stats, &error));
  assert_non_null(strstr(error.message, "No such file"));
  event_stats_free(&stats);
  open_store(f);
  put_typical(f, 30);
  finish_all(f, 30, EVENT_OUTCOME_DONE);
  for (int i = 0; i < 5; i++) {
    event_record record = record_of("a", "{}");
    record.action = "login.error";
    record.received_at = 5000 + i;
    (void)put_record(f, &record, NULL, 0);
  }
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 1);
  finish(&w, take(&w, NULL), EVENT_OUTCOME_DEAD, 0, "no");
  close_store(f);
  assert_true(event_store_stats(f->path, &stats, &error));
  assert_int_equal(stats.states[EVENT_DONE], 30);
  assert_int_equal(stats.states[EVENT_DEAD], 1);
  assert_int_equal(stats.states[EVENT_RECEIVED], 4);
  assert_int_equal(stats.oldest_unfinished, 5001);
  assert_int_equal(stats.file_size, size_of(f));
  assert_int_equal(stats.action_count, 2);
  assert_string_equal(stats.actions[0].action, "login.error");
  assert_int_equal(stats.actions[0].states[EVENT_RECEIVED], 4);
  assert_string_equal(stats.actions[1].action, "login.success");
  assert_int_equal(stats.actions[1].states[EVENT_DONE], 30);
  event_stats_free(&stats);
}
