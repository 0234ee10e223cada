/* Tests of replays and purges in slices, on a connection of the test's own. */
#include "host/store/store_fixture.h"
#include "store/admin/sliced_work.h"
#include "store/sqlite/database_file.h"

#include <stdio.h>
#include <string.h>

/* What is put by hand: finished events with bodies of 300 bytes, dead ones at every tenth id. */
static void put_finished(fixture *f, int count) {
  char text[512];
  open_store(f);
  f->first_id = put(f, NULL);
  close_store(f);
  (void)snprintf(text, sizeof text,
                 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
                 " INSERT INTO events SELECT %lld + i, 'login.' || (i %% 3), 'a' || (i %% 7),"
                 " iif(i %% 10 = 0, 4, 3), 1, 0, i, 0, i, NULL FROM n;"
                 "INSERT INTO bodies SELECT id, randomblob(300) FROM events WHERE state >= 3;",
                 count, (long long)f->first_id);
  execute(f, text);
}

static event_file open_alone(const fixture *f) {
  event_file file;
  host_error error;
  if (!event_file_open_alone(&file, f->path, "a test", &error)) {
    fail_msg("open: %s", error.message);
  }
  return file;
}

static event_admin *new_work(const fixture *f, const event_admin_request *request) {
  event_admin *admin = event_admin_new(request, f->path);
  assert_non_null(admin);
  return admin;
}

static int64_t events_of(const event_admin *admin) {
  return event_admin_progress(admin)->purge.events;
}

/* Runs it to its end, with an event put in between, and returns how many slices it took. */
static int run(event_admin *admin, event_file *file) {
  int slices = 1;
  int64_t events = 0;
  event_admin_result result;
  while ((result = event_admin_step(admin, file->db)) != EVENT_ADMIN_DONE) {
    assert_int_equal(result, EVENT_ADMIN_MORE);
    assert_int_not_equal(sqlite3_get_autocommit(file->db), 0);
    assert_true(events_of(admin) >= events);
    events = events_of(admin);
    slices++;
  }
  assert_int_not_equal(sqlite3_get_autocommit(file->db), 0);
  return slices;
}

CLOSED_STORE_TEST(test_a_purge_is_made_in_slices) {
  put_finished(f, 30000);
  event_file file = open_alone(f);
  (void)sqlite3_wal_checkpoint_v2(file.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
  int64_t size = event_file_size(f->path, "") / 3 * 2;
  event_admin *admin =
      new_work(f, &(event_admin_request){.kind = EVENT_ADMIN_PURGE,
                                         .purge = {.state = EVENT_DONE, .finished_before = 20001}});
  assert_true(run(admin, &file) > 5);
  assert_int_equal(event_admin_error(admin)->kind, HOST_OK);
  assert_int_equal(events_of(admin), 18000);
  assert_true(event_admin_progress(admin)->purge.file_size < size); /* nobody reads */
  event_admin_free(admin);
  event_file_close(&file);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 3"), 9000);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 4"), 3000);
  assert_int_equal(query(f, "SELECT count(*) FROM bodies"), 12001);
  assert_int_equal(query(f, "PRAGMA freelist_count"), 0);
}

CLOSED_STORE_TEST(test_dead_events_are_replayed_in_slices) {
  put_finished(f, 100000);
  event_file file = open_alone(f);
  event_admin *admin = new_work(f, &(event_admin_request){.kind = EVENT_ADMIN_REPLAY_DEAD,
                                                          .action = "login.0",
                                                          .account_id = "a1",
                                                          .since = 50000});
  (void)run(admin, &file);
  assert_int_equal(event_admin_error(admin)->kind, HOST_OK);
  int64_t some = events_of(admin);
  assert_int_equal(some, query(f, "SELECT count(*) FROM events WHERE state = 0 AND replays = 1"));
  assert_in_range(some, 200, 260);
  event_admin_free(admin);
  admin = new_work(f, &(event_admin_request){.kind = EVENT_ADMIN_REPLAY_DEAD});
  assert_true(run(admin, &file) > 2);
  assert_int_equal(events_of(admin), 10000 - some);
  event_admin_free(admin);
  event_file_close(&file);
}

CLOSED_STORE_TEST(test_a_work_that_is_abandoned_stays_as_far_as_it_came) {
  put_finished(f, 30000);
  event_file file = open_alone(f);
  event_admin *admin = new_work(
      f, &(event_admin_request){.kind = EVENT_ADMIN_PURGE,
                                .purge = {.state = EVENT_DONE, .finished_before = INT64_MAX}});
  assert_int_equal(event_admin_step(admin, file.db), EVENT_ADMIN_MORE);
  int64_t events = events_of(admin);
  assert_true(events > 0 && events < 27000);
  event_admin_free(admin);
  event_file_close(&file);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 3"), 27000 - events);
}

CLOSED_STORE_TEST(test_a_slice_that_fails_says_why_and_changes_nothing) {
  put_finished(f, 30000);
  execute(f, "CREATE TRIGGER no_delete BEFORE DELETE ON events WHEN old.id % 30000 = 20000"
             " BEGIN SELECT RAISE(ABORT, 'not this one'); END");
  event_file file = open_alone(f);
  event_admin *admin = new_work(
      f, &(event_admin_request){.kind = EVENT_ADMIN_PURGE,
                                .purge = {.state = EVENT_DONE, .finished_before = INT64_MAX}});
  (void)run(admin, &file);
  assert_string_equal(event_admin_error(admin)->message, "not this one");
  int64_t events = events_of(admin);
  event_admin_free(admin);
  event_file_close(&file);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 3"), 27000 - events);
}

/* As another program's transaction. */
CLOSED_STORE_TEST(test_a_slice_does_not_wait_for_a_lock) {
  put_finished(f, 100);
  event_file file = open_alone(f);
  (void)sqlite3_busy_handler(file.db, NULL, NULL); /* as the store has it */
  sqlite3 *other = lock_store(f);
  event_admin *admin =
      new_work(f, &(event_admin_request){.kind = EVENT_ADMIN_REPLAY, .id = id_of(f, 11)});
  assert_int_equal(event_admin_step(admin, file.db), EVENT_ADMIN_LATER);
  unlock_store(other);
  assert_int_equal(event_admin_step(admin, file.db), EVENT_ADMIN_DONE);
  assert_int_equal(event_admin_progress(admin)->replay, EVENT_REPLAYED);
  event_admin_free(admin);
  event_file_close(&file);
}

CLOSED_STORE_TEST(test_a_dry_run_only_reads) {
  put_finished(f, 3000);
  event_purge_report report;
  host_error error = {.kind = HOST_OK};
  const event_purge what = {.state = EVENT_DEAD, .finished_before = INT64_MAX, .dry_run = true};
  event_file file = open_alone(f); /* nobody could write */
  assert_true(event_store_purge(f->path, &what, &report, &error));
  assert_int_equal(report.events, 300);
  event_file_close(&file);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 4"), 300);
}

static int put_between(unsigned trace, void *context, void *statement, void *nanoseconds) {
  const fixture *f = context;
  (void)trace;
  (void)statement;
  (void)nanoseconds;
  execute(f, "INSERT OR IGNORE INTO events VALUES (17000000000001, 'login.success', 'a', 0, 0, 0, "
             "1, 0, NULL,"
             " NULL)");
  return 0;
}

/* Else all numbers from 0 on would be gone through. */
CLOSED_STORE_TEST(test_ids_are_limited_to_those_at_the_start) {
  open_store(f); /* with a log, so that others write while one reads */
  sqlite3 *db = NULL;
  int64_t after = -1, last = -1;
  assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE, put_between, f), SQLITE_OK);
  assert_true(event_file_ids(db, &after, &last));
  assert_int_equal(sqlite3_trace_v2(db, 0, NULL, NULL), SQLITE_OK);
  assert_int_equal(after, 0);
  assert_int_equal(last, 0);
  assert_true(event_file_ids(db, &after, &last));
  assert_int_equal(after, 17000000000000);
  assert_int_equal(last, 17000000000001);
  (void)sqlite3_close(db);
}
