/* Tests of databases that an earlier version of the program has made. */
#include "host/store/store_fixture.h"
#include "store/admin/decisions.h"
#include "store/admin/recordings.h"
#include "store/sqlite/schema.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* As version 1 made it. */
static const char schema_1[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE events ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " action TEXT NOT NULL,"
    " account_id TEXT,"
    " state INTEGER NOT NULL,"
    " behind INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL,"
    " received_at INTEGER NOT NULL,"
    " due_at INTEGER NOT NULL,"
    " finished_at INTEGER,"
    " error TEXT,"
    " body BLOB NOT NULL);"
    "CREATE INDEX events_unfinished ON events(state, behind, due_at) WHERE state < 3;"
    "CREATE INDEX events_account ON events(account_id) WHERE state < 3 AND account_id IS NOT NULL;"
    "CREATE INDEX events_dead ON events(state) WHERE state = 4;"
    "INSERT INTO sqlite_sequence(name, seq) VALUES ('events', 17000000000000);"
    "PRAGMA application_id = 1346456645;"
    "PRAGMA user_version = 1;"
    "COMMIT;"
    "PRAGMA journal_mode = WAL;";

/* One of each state, and what waits for others of its account. */
static const char events_1[] =
    "INSERT INTO events(action, account_id, state, behind, attempts, received_at, due_at,"
    " finished_at, error, body) VALUES"
    " ('login.success', 'a', 3, 0, 1, 1001, 0, 2001, NULL, CAST('{1}' AS BLOB)),"
    " ('login.error', 'a', 4, 0, 8, 1002, 0, 2002, 'bad script', CAST('{2}' AS BLOB)),"
    " ('login.success', 'a', 1, 0, 2, 1003, 0, NULL, 'no reply', x'7b00ff7d'),"
    " ('login.success', 'a', 0, 1, 0, 1004, 0, NULL, NULL, CAST('{4}' AS BLOB)),"
    " ('login.success', 'b', 2, 0, 3, 1005, 1005, NULL, 'later', CAST('{5}' AS BLOB)),"
    " ('login.success', 'b', 0, 1, 0, 1006, 0, NULL, NULL, CAST('{6}' AS BLOB)),"
    " ('login.success', NULL, 0, 0, 0, 1007, 0, NULL, NULL, x''),"
    " ('login.success', 'c', 2, 0, 1, 1008, (strftime('%s', 'now') + 86400) * 1000, NULL,"
    "  'much later', CAST('{8}' AS BLOB)),"
    " ('login.success', NULL, 3, 0, 1, 1009, 0, 2009, NULL, CAST('{9}' AS BLOB));"
    "DELETE FROM events WHERE body = CAST('{9}' AS BLOB);";

static void make_version_1(fixture *f, const char *events) {
  execute(f, schema_1);
  execute(f, events);
  f->first_id = 17000000000001;
}

static void remove_beside(const fixture *f, const char *suffix) {
  char path[128];
  (void)snprintf(path, sizeof path, "%s%s", f->path, suffix);
  (void)unlink(path);
}

static void assert_next(fixture *f, const worker *w, int number, int attempt, const char *body,
                        size_t size) {
  event_lease *lease = take_lease(w);
  assert_int_equal(number_of(f, lease->id), number);
  assert_int_equal(lease->attempt, attempt);
  assert_int_equal(lease->replay, 0);
  assert_int_equal(lease->received_at, 1000 + number);
  assert_int_equal(lease->body_size, size);
  assert_memory_equal(lease->body, body, size + 1);
  finish(w, lease->id, EVENT_OUTCOME_DONE, 0, NULL);
  event_lease_free(lease);
}

CLOSED_STORE_TEST(test_events_in_every_state_go_on) {
  make_version_1(f, events_1);
  open_store(f);
  assert_listed(f, NULL,
                "1 done 1 -\n2 dead 8 bad script\n3 received 1 no reply\n4 received 0 -\n"
                "5 retry 3 later\n6 received 0 -\n7 received 0 -\n8 retry 1 much later\n");
  event_counts counts;
  event_store_counts(f->store, &counts);
  assert_int_equal(counts.unfinished, 6);
  /* Of those of one account only; which account comes first is the store's to say. */
  worker w = new_worker(f);
  int order[5], at = 0;
  event_consumer_prefetch(w.consumer, 8);
  while (at < 5) {
    int64_t id = take(&w, NULL);
    order[at++] = number_of(f, id);
    finish(&w, id, EVENT_OUTCOME_DONE, 0, NULL);
  }
  int place[9] = {0};
  for (int i = 0; i < 5; i++) {
    place[order[i]] = i + 1;
  }
  assert_true(place[3] > 0 && place[3] < place[4]);
  assert_true(place[5] > 0 && place[5] < place[6]);
  assert_true(place[7] > 0);
  /* An id is not used again, though its row was deleted. */
  assert_int_equal(number_of(f, put(f, NULL)), 10);
  close_store(f);
  assert_int_equal(query(f, "PRAGMA user_version"), EVENT_SCHEMA_VERSION);
  assert_int_equal(query(f, "PRAGMA auto_vacuum"), 2);
  assert_int_equal(query(f, "SELECT count(*) FROM pragma_integrity_check"
                            " WHERE integrity_check <> 'ok'"),
                   0);
}

CLOSED_STORE_TEST(test_what_a_handler_sees_is_unchanged) {
  make_version_1(f, events_1);
  execute(f, "UPDATE events SET state = 3 WHERE account_id IS NOT 'a'");
  open_store(f);
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 1);
  assert_next(f, &w, 3, 2, "{\0\xff}", 4);
  event_consumer_prefetch(w.consumer, 1);
  assert_next(f, &w, 4, 1, "{4}", 3);
}

static bool see_body(void *context, const event_summary *event) {
  assert_int_equal(event->body_size, 3);
  assert_memory_equal(event->body, "{2}", 4);
  assert_int_equal(event->finished_at, 2002);
  assert_int_equal(event->replays, 0);
  assert_string_equal(event->error, "bad script");
  *(bool *)context = true;
  return true;
}

CLOSED_STORE_TEST(test_a_command_that_writes_migrates_as_well) {
  make_version_1(f, events_1);
  const event_purge nothing = {.state = EVENT_DONE, .finished_before = 0};
  event_purge_report report;
  host_error error = {.kind = HOST_OK};
  bool was_seen = false;
  assert_false(event_store_show(f->path, id_of(f, 2), see_body, &was_seen, &error));
  assert_non_null(strstr(error.message, "earlier version"));
  assert_int_equal(query(f, "PRAGMA user_version"), 1);
  assert_true(event_store_purge(f->path, &nothing, &report, &error));
  assert_int_equal(query(f, "PRAGMA user_version"), EVENT_SCHEMA_VERSION);
  assert_true(event_store_show(f->path, id_of(f, 2), see_body, &was_seen, &error));
  assert_true(was_seen);
  event_replay_result result;
  assert_true(event_store_replay(f->path, id_of(f, 2), &result, &error));
  assert_int_equal(result, EVENT_REPLAYED);
}

#define WITHOUT_ATTEMPTS "DROP TABLE attempts; DROP TABLE forgotten; DROP TABLE purged;"
#define WITHOUT_TRACES WITHOUT_ATTEMPTS "DROP TABLE event_traces;"
#define WITHOUT_RECONCILED "DROP TABLE reconciled;"
#define WITHOUT_RESPONSES WITHOUT_TRACES WITHOUT_RECONCILED "DROP TABLE event_responses;"
#define WITHOUT_LEDGER                                                                             \
  WITHOUT_RESPONSES "DROP TABLE decisions; DROP TABLE decision_data; DROP TABLE ledger;"

/* Version 2 lacked what is made here only. */
STORE_TEST(test_the_events_of_version_2_go_on) {
  int64_t id = put(f, "a");
  close_store(f);
  execute(f, WITHOUT_LEDGER "DROP TABLE serving; DROP TABLE timers; PRAGMA user_version = 2;");
  f->dedup_window = 5000;
  open_store(f);
  assert_int_equal(query(f, "PRAGMA user_version"), EVENT_SCHEMA_VERSION);
  assert_int_equal(query(f, "SELECT redelivery_window FROM serving"), 5000);
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 1);
  assert_int_equal(take(&w, NULL), id);
}

/* Version 3 left a closed file as if it had a log. */
STORE_TEST(test_version_3_is_read_as_it_is_and_closed_without_a_log) {
  (void)put(f, "a");
  close_store(f);
  execute(f, WITHOUT_LEDGER "PRAGMA user_version = 3; PRAGMA journal_mode = WAL;");
  remove_beside(f, "-wal");
  remove_beside(f, "-shm");
  assert_int_equal(count_listed(f, NULL), 1);
  assert_int_equal(query(f, "PRAGMA user_version"), 3);
  open_store(f);
  assert_int_equal(count_listed(f, NULL), 1);
  close_store(f);
  assert_int_equal(query(f, "PRAGMA user_version"), EVENT_SCHEMA_VERSION);
  assert_int_equal(query(f, "SELECT journal_mode = 'delete' FROM pragma_journal_mode"), 1);
}

static bool see_none(void *context, const decision_summary *decision) {
  (void)context;
  (void)decision;
  fail();
  return false;
}

static void see_no_problem(void *context, const ledger_problem *problem) {
  (void)context;
  (void)problem;
  fail();
}

/* Version 4 had no ledger. */
STORE_TEST(test_version_4_is_read_as_it_is_and_gets_a_ledger) {
  (void)put(f, "a");
  close_store(f);
  execute(f, WITHOUT_LEDGER "PRAGMA user_version = 4;");
  const decision_filter all = {.with_rows = true};
  host_error error;
  ledger_report report;
  assert_int_equal(count_listed(f, NULL), 1);
  assert_true(decision_list(f->path, &all, see_none, NULL, &error));
  assert_true(decision_verify(f->path, 0, NULL, see_no_problem, NULL, &report, &error));
  assert_int_equal(report.last, 0);
  assert_int_equal(query(f, "PRAGMA user_version"), 4);
  open_store(f);
  assert_int_equal(count_listed(f, NULL), 1);
  close_store(f);
  assert_int_equal(query(f, "PRAGMA user_version"), EVENT_SCHEMA_VERSION);
  assert_int_equal(query(f, "SELECT count(*) FROM ledger"), 1);
  assert_true(decision_verify(f->path, 0, NULL, see_no_problem, NULL, &report, &error));
}

static bool see_no_event(void *context, const recorded_event *event) {
  (void)context;
  (void)event;
  fail();
  return false;
}

/* Version 6 had neither traces nor events that were queued because no webhook had come. */
STORE_TEST(test_version_6_is_read_as_it_is_and_gets_the_tables_of_version_7) {
  int64_t id = put(f, "a");
  close_store(f);
  execute(f, WITHOUT_TRACES WITHOUT_RECONCILED "PRAGMA user_version = 6;");
  assert_int_equal(count_listed(f, NULL), 1);
  assert_int_equal(query(f, "PRAGMA user_version"), 6);
  open_store(f);
  assert_int_equal(query(f, "PRAGMA user_version"), EVENT_SCHEMA_VERSION);
  assert_int_equal(query(f, "SELECT count(*) FROM event_traces"), 0);
  assert_int_equal(query(f, "SELECT count(*) FROM reconciled"), 0);
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 1);
  assert_int_equal(take(&w, NULL), id);
}

static bool see_no_attempt(void *context, const event_attempt *attempt) {
  (void)context;
  (void)attempt;
  fail();
  return false;
}

/* Version 7 had only the number of an event's attempts, and the error of the last one. */
STORE_TEST(test_version_7_is_read_as_it_is_and_gets_attempts) {
  int64_t id = put(f, "a");
  close_store(f);
  execute(f, WITHOUT_ATTEMPTS "UPDATE events SET state = 3, attempts = 2, finished_at = 1,"
                              " received_at = 1772323200000;"
                              "PRAGMA user_version = 7;");
  event_purge what = {.state = EVENT_DONE, .finished_before = INT64_MAX, .dry_run = true};
  event_purge_report report;
  host_error error;
  int64_t left_out;
  assert_int_equal(count_listed(f, NULL), 1);
  assert_true(event_store_attempts(f->path, id, 0, see_no_attempt, NULL, &left_out, &error));
  assert_true(event_store_purge(f->path, &what, &report, &error));
  assert_int_equal(report.events, 1);
  int64_t last_purged = 0;
  assert_true(event_store_last_purged(f->path, &last_purged, &error));
  assert_int_equal(last_purged, 1772323200000); /* what was received before may have been */
  assert_int_equal(query(f, "PRAGMA user_version"), 7);
  open_store(f);
  assert_int_equal(query(f, "SELECT received_at FROM purged"), 1772323200000);
  assert_int_equal(query(f, "PRAGMA user_version"), EVENT_SCHEMA_VERSION);
  assert_listed(f, NULL, "1 done 2 -\n");
  assert_true(event_store_attempts(f->path, id, 0, see_no_attempt, NULL, &left_out, &error));
}

/* Version 5 had no recorded responses. */
STORE_TEST(test_version_5_is_read_as_it_is_and_gets_responses) {
  (void)put(f, "a");
  close_store(f);
  execute(f, WITHOUT_RESPONSES "UPDATE events SET state = 3, finished_at = 1;"
                               "PRAGMA user_version = 5;");
  const recording_filter all = {.until = INT64_MAX};
  event_purge what = {.state = EVENT_DONE, .finished_before = INT64_MAX, .dry_run = true};
  event_purge_report report;
  host_error error;
  assert_int_equal(count_listed(f, NULL), 1);
  assert_true(recording_list(f->path, &all, see_no_event, NULL, &error));
  assert_true(event_store_purge(f->path, &what, &report, &error));
  assert_int_equal(report.events, 1);
  assert_int_equal(query(f, "PRAGMA user_version"), 5);
  what.dry_run = false;
  assert_true(event_store_purge(f->path, &what, &report, &error));
  assert_int_equal(query(f, "PRAGMA user_version"), EVENT_SCHEMA_VERSION);
  assert_int_equal(query(f, "SELECT count(*) FROM event_responses"), 0);
  assert_int_equal(query(f, "SELECT count(*) FROM events"), 0);
}

/* A crash after the first half of the migration leaves it so. */
STORE_TEST(test_the_second_half_is_done_later) {
  int64_t id = put(f, "a");
  close_store(f);
  execute(f, "PRAGMA auto_vacuum = NONE; VACUUM;");
  assert_int_equal(query(f, "PRAGMA auto_vacuum"), 0);
  open_store(f);
  assert_int_equal(query(f, "PRAGMA auto_vacuum"), 2);
  worker w = new_worker(f);
  event_consumer_prefetch(w.consumer, 1);
  assert_int_equal(take(&w, NULL), id);
}

/* ---- Crashes ---- */

enum {
  MANY = 3000,
  ROUNDS = 8
};

static const char many_1[] =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
    " INSERT INTO events(action, account_id, state, behind, attempts, received_at, due_at,"
    " finished_at, error, body) SELECT 'login.success', 'account-' || (i % 500),"
    " iif(i <= 2500, 3 + i % 2, 0), 0, 1, i, 0, iif(i <= 2500, i, NULL), NULL,"
    " CAST('body ' || i || printf('%0400d', i) AS BLOB) FROM n";

/* How long a migration takes, from fork to the end, in microseconds; killed before that. */
static int64_t migrate(fixture *f, int64_t kill_after) {
  struct timespec began, now;
  (void)clock_gettime(CLOCK_MONOTONIC, &began);
  pid_t child = fork();
  if (child == 0) {
    host_error error;
    sqlite3_temp_directory = f->directory; /* what VACUUM has there would stay */
    _exit(try_open(f, &error) != NULL ? 0 : 1);
  }
  if (kill_after > 0) {
    (void)usleep((useconds_t)kill_after);
    (void)kill(child, SIGKILL);
  }
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (now.tv_sec - began.tv_sec) * 1000000 + (now.tv_nsec - began.tv_nsec) / 1000;
}

CLOSED_STORE_TEST(test_a_crash_in_the_middle_leaves_it_consistent) {
  char original[128];
  make_version_1(f, many_1);
  execute(f, "PRAGMA wal_checkpoint(TRUNCATE)");
  (void)snprintf(original, sizeof original, "%s/original", f->directory);
  copy_file(f->path, original);
  int64_t whole = migrate(f, 0);
  for (int round = 1; round <= ROUNDS; round++) {
    remove_beside(f, "-wal");
    remove_beside(f, "-shm");
    copy_file(original, f->path);
    (void)migrate(f, whole * round / ROUNDS);
    open_store(f);
    assert_int_equal(query(f, "PRAGMA user_version"), EVENT_SCHEMA_VERSION);
    assert_int_equal(query(f, "PRAGMA auto_vacuum"), 2);
    assert_int_equal(query(f, "SELECT count(*) FROM events JOIN bodies USING (id) WHERE"
                              " body = CAST('body ' || received_at"
                              " || printf('%0400d', received_at) AS BLOB)"),
                     MANY);
    assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 0"), 500);
    assert_int_equal(number_of(f, put(f, NULL)), MANY + 1);
    close_store(f);
  }
}
