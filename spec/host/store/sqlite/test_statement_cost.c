/* Tests of what statements cost on the loop: none goes through all events, however many there are.
 * SQLite counts the steps of each, and says how it goes about it. */
#include "common/health.h"
#include "host/store/hand_run.h"
#include "store/admin/sliced_work.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  EACH = 6000, /* of five kinds */
  /* One that went through those of a kind would take more; those of a slice are fewer than 300. */
  MAX_STEPS = 2 * EACH,
  MAX_TEXTS = 128,
  HOUR = 3600000,
  DAY = 24 * HOUR
};

/* What was seen of the statements of the store's connection. */
typedef struct {
  int steps; /* of the one that took the most */
  char worst[256];
  char *texts[MAX_TEXTS]; /* of all tests, kept to the end */
  int count;
  int dead_counts; /* how often the dead events were counted */
} cost;

static cost seen;

static void add_text(const char *text) {
  for (int i = 0; i < seen.count; i++) {
    if (strcmp(seen.texts[i], text) == 0) {
      return;
    }
  }
  assert_true(seen.count < MAX_TEXTS);
  seen.texts[seen.count++] = strdup(text);
}

static int on_statement(unsigned kind, void *context, void *statement, void *time) {
  (void)kind;
  (void)context;
  (void)time;
  int steps = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1);
  const char *text = sqlite3_sql(statement);
  if (steps > seen.steps) {
    seen.steps = steps;
    (void)snprintf(seen.worst, sizeof seen.worst, "%s", text);
  }
  seen.dead_counts += strstr(text, "count(*)") != NULL && strstr(text, "state = 4") != NULL;
  add_text(text);
  return 0;
}

static event_admin_result watch(void *context, struct sqlite3 *db, bool *changes_unfinished) {
  (void)context;
  (void)changes_unfinished;
  sqlite3_stmt *prepared = NULL;
  while (db != NULL && (prepared = sqlite3_next_stmt(db, prepared)) != NULL) {
    add_text(sqlite3_sql(prepared));
  }
  if (db != NULL) {
    (void)sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE, on_statement, NULL);
  }
  return EVENT_ADMIN_DONE;
}

static void assert_cheap(void) {
  if (seen.steps > MAX_STEPS) {
    fail_msg("%d steps: %s", seen.steps, seen.worst);
  }
}

/* ---- A store of many events ---- */

/* Received, waiting for different times, waiting for the same time, done, dead. */
static void fill(const fixture *f) {
  char text[1024];
  (void)snprintf(
      text, sizeof text,
      "BEGIN;"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
      " INSERT INTO events SELECT (SELECT max(id) FROM events) + i, 'login.success',"
      " 'a' || i, CASE i %% 5 WHEN 0 THEN 0 WHEN 3 THEN 3 WHEN 4 THEN 4 ELSE 2 END, 1, 0,"
      " 1, CASE i %% 5 WHEN 1 THEN %lld + i WHEN 2 THEN %lld ELSE 0 END,"
      " iif(i %% 5 >= 3, 1, NULL), NULL FROM n;"
      "INSERT INTO bodies SELECT id, randomblob(50) FROM events"
      " WHERE id NOT IN (SELECT id FROM bodies);"
      "COMMIT",
      5 * EACH, (long long)now_ms() + DAY, (long long)now_ms() + DAY);
  execute(f, text);
}

static void learn(fixture *f) {
  for (int i = 0; i < 20; i++) {
    pass(f, HAND_TICK_MS);
  }
}

static void open_watched(fixture *f) {
  open_store(f);
  assert_true(event_store_run_admin(f->store, watch, NULL));
  learn(f);
}

static int begin_full(void **state) {
  int result = begin_by_hand(state);
  fixture *f = *state;
  close_store(f);
  fill(f);
  time_pass_with_looks(1);
  seen.steps = 0;
  open_watched(f);
  return result;
}

static int end_full(void **state) {
  int result = tear_down(state);
  time_pass_with_looks(0);
  return result;
}

#define FULL_TEST(name) FIXTURE_TEST(name, fixture *f, begin_full, end_full)

static int64_t count_unfinished(fixture *f) {
  event_counts counts;
  event_store_counts(f->store, &counts);
  return counts.unfinished;
}

/* ---- What others have changed ---- */

FULL_TEST(test_what_others_have_changed_is_counted_in_slices) {
  assert_int_equal(count_unfinished(f), 3 * EACH);
  execute(f, "UPDATE events SET state = 3, due_at = 0, finished_at = 1"
             " WHERE state = 2 AND id % 2 = 0");
  learn(f);
  assert_int_equal(count_unfinished(f), 2 * EACH);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state < 3"), 2 * EACH);
  execute(f, "UPDATE events SET state = 0, due_at = 0 WHERE state = 2");
  assert_true(put(f, "a") > 0); /* seen by the transaction, before the store looks for it */
  learn(f);
  assert_int_equal(count_unfinished(f), 2 * EACH + 1);
  assert_cheap();
}

/* ---- Work of others ---- */

static event_admin_result run_admin(void *context, struct sqlite3 *db, bool *changes_unfinished) {
  event_admin *admin = context;
  if (db == NULL) {
    return EVENT_ADMIN_DONE;
  }
  event_admin_result result = event_admin_step(admin, db);
  *changes_unfinished = result == EVENT_ADMIN_DONE && event_admin_changes_unfinished(admin);
  return result;
}

static int64_t run_request(fixture *f, const event_admin_request *request) {
  event_admin *admin = event_admin_new(request, f->path);
  assert_non_null(admin);
  assert_true(event_store_run_admin(f->store, run_admin, admin));
  for (int i = 0; i < 40; i++) {
    pass(f, HAND_TICK_MS);
  }
  assert_int_equal(event_admin_error(admin)->kind, HOST_OK);
  int64_t events = event_admin_progress(admin)->purge.events;
  event_admin_free(admin);
  return events;
}

FULL_TEST(test_replays_and_purges_are_made_in_short_statements) {
  event_admin_request request = {.kind = EVENT_ADMIN_REPLAY_DEAD, .action = "login.error"};
  assert_int_equal(run_request(f, &request), 0);
  request.action = NULL;
  assert_int_equal(run_request(f, &request), EACH);
  assert_int_equal(count_unfinished(f), 4 * EACH);
  request = (event_admin_request){.kind = EVENT_ADMIN_PURGE,
                                  .purge = {.state = EVENT_DEAD, .finished_before = INT64_MAX}};
  assert_int_equal(run_request(f, &request), 0);
  request.purge.state = EVENT_DONE;
  request.purge.dry_run = true;
  int64_t done = run_request(f, &request);
  request.purge.dry_run = false;
  assert_int_equal(run_request(f, &request), done);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 3"), 0);
  assert_cheap();
}

FULL_TEST(test_an_event_is_queued_after_a_look_at_the_others_in_short_statements) {
  event_admin_request request = {.kind = EVENT_ADMIN_QUEUE,
                                 .queue = {.account_id = "a29999", .body = "{}"}};
  assert_int_equal(run_request(f, &request), 0); /* one of the last */
  request.queue.account_id = "a new one";
  assert_int_equal(run_request(f, &request), 1);
  assert_int_equal(run_request(f, &request), 0);
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE account_id = 'a new one'"), 1);
  assert_cheap();
}

static event_admin_result change_nothing(void *context, struct sqlite3 *db,
                                         bool *changes_unfinished) {
  int *slices = context;
  (void)changes_unfinished;
  return db != NULL && --*slices > 0 ? EVENT_ADMIN_LATER : EVENT_ADMIN_DONE;
}

FULL_TEST(test_dead_events_are_counted_again_only_after_a_change) {
  int slices = 30;
  health_watch(true);
  learn(f);
  int before = seen.dead_counts;
  assert_true(before > 0);
  assert_true(event_store_run_admin(f->store, change_nothing, &slices));
  learn(f);
  learn(f);
  assert_int_equal(slices, 0);
  assert_int_equal(seen.dead_counts, before);
  const event_admin_request request = {.kind = EVENT_ADMIN_REPLAY_DEAD};
  assert_int_equal(run_request(f, &request), EACH);
  assert_true(seen.dead_counts > before);
  health_watch(false);
}

FULL_TEST(test_old_events_are_deleted_in_short_statements) {
  close_store(f);
  f->retention = 1;
  open_watched(f);
  for (int i = 0; i < 100 && query(f, "SELECT count(*) FROM events WHERE state = 3") > 0; i++) {
    pass(f, HOUR);
  }
  assert_int_equal(query(f, "SELECT count(*) FROM events WHERE state = 3"), 0);
  assert_cheap();
}

/* ---- The clock ---- */

FULL_TEST(test_waits_are_set_back_with_the_clock_in_slices) {
  int64_t before = query(f, "SELECT sum(due_at) FROM events WHERE state = 2");
  worker w = new_worker(f);
  prefetch(f, &w, 1);
  time_set(-3 * DAY);
  for (int i = 0; i < 200; i++) { /* meanwhile events are put, leased and finished */
    (void)uv_run(host_loop_uv(f->loop), UV_RUN_NOWAIT);
    int64_t id = taken(&w);
    if (id > 0) {
      finish_done(&w, id);
    }
    event_consumer_prefetch(w.consumer, 1);
    assert_true(put(f, NULL) > 0);
  }
  free_worker(&w);
  learn(f);
  time_set(3 * DAY);
  assert_int_equal(query(f, "SELECT sum(due_at) FROM events WHERE state = 2"),
                   before - INT64_C(2) * EACH * 3 * DAY);
  assert_int_equal(query(f, "SELECT count(DISTINCT due_at) FROM events WHERE state = 2"), EACH + 1);
  assert_cheap();
}

FULL_TEST(test_waits_are_set_back_to_the_end_when_the_store_closes) {
  int64_t before = query(f, "SELECT sum(due_at) FROM events WHERE state = 2");
  time_set(-DAY);
  (void)uv_run(host_loop_uv(f->loop), UV_RUN_NOWAIT);
  close_store(f);
  assert_int_equal(query(f, "SELECT sum(due_at) FROM events WHERE state = 2"),
                   before - INT64_C(2) * EACH * DAY);
  open_store(f);
}

/* More than one statement ends, and nobody has to wait for what is left. */
FULL_TEST(test_waits_that_are_too_long_are_ended_in_slices) {
  close_store(f);
  execute(f, "DELETE FROM events WHERE state = 0");
  time_set(-4 * DAY);
  open_watched(f);
  worker w = new_worker(f);
  prefetch(f, &w, 1000);
  for (int i = 0; i < 1000; i++) {
    int64_t id = taken(&w);
    if (id == 0) {
      pass(f, 10);
      id = taken(&w);
    }
    assert_true(id > 0);
  }
  free_worker(&w);
  assert_cheap();
  time_set(4 * DAY);
}

/* ---- What every event takes ---- */

FULL_TEST(test_events_are_received_and_handled_in_short_statements) {
  static const event_outcome_kind kinds[] = {EVENT_OUTCOME_DONE, EVENT_OUTCOME_RETRY,
                                             EVENT_OUTCOME_DEAD, EVENT_OUTCOME_RELEASED};
  close_store(f);
  f->dedup_window = HOUR;
  open_watched(f);
  event_record record = record_of("a", "{1}");
  record.received_at = now_ms();
  bool is_duplicate;
  (void)put_and_get_id(f, &record, &is_duplicate);
  (void)put_and_get_id(f, &record, &is_duplicate);
  assert_true(is_duplicate);
  worker w = new_worker(f);
  assert_true(event_consumer_limit(w.consumer, "login.*", 8));
  assert_true(event_consumer_every(w.consumer, "often", 500));
  for (int i = 0; i < 100; i++) {
    prefetch(f, &w, 64);
    int64_t id = taken(&w);
    finish(&w, id, id > 0 ? kinds[i % 4] : EVENT_OUTCOME_RELEASED, now_ms() + 500, "again");
  }
  free_worker(&w);
  run(f);
  assert_cheap();
}

/* ---- Plans ---- */

static void assert_planned(sqlite3 *db, const char *text) {
  char explain[1024];
  sqlite3_stmt *plan = NULL;
  (void)snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", text);
  assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &plan, NULL), SQLITE_OK);
  while (sqlite3_step(plan) == SQLITE_ROW) {
    const char *detail = (const char *)sqlite3_column_text(plan, 3);
    bool is_scan = strncmp(detail, "SCAN", 4) == 0 &&
                   (strstr(detail, "events") != NULL || strstr(detail, "bodies") != NULL);
    if (is_scan || strstr(detail, "TEMP B-TREE") != NULL) {
      fail_msg("%s: %s", text, detail);
    }
  }
  (void)sqlite3_finalize(plan);
}

/* Each statement that it has prepared, and what the tests above have made it run. */
FULL_TEST(test_no_statement_scans_or_sorts_a_table) {
  sqlite3 *db = NULL;
  assert_true(seen.count > 30);
  assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  for (int i = 0; i < seen.count; i++) {
    assert_planned(db, seen.texts[i]);
  }
  (void)sqlite3_close(db);
}
