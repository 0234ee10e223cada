/* Tests of the ledger: what is recorded with the end of an event, and what becomes of it. */
#include "host/store/store_fixture.h"
#include "store/admin/decisions.h"
#include "store/sqlite/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ledger_text text_of(const char *text) {
  return (ledger_text){.data = text, .size = strlen(text)};
}

static event_decision *new_decision(const char *rows) {
  const event_decision_parts parts = {.facts = text_of("{\"f\":1}"),
                                      .rows = text_of(rows),
                                      .details = text_of("{\"d\":1}"),
                                      .account_id = text_of("a"),
                                      .user_id = text_of("u")};
  host_error error;
  event_decision *decision = event_decision_new(&parts, &error);
  assert_non_null(decision);
  return decision;
}

static void finish_with(const worker *w, int64_t id, event_outcome_kind kind, const char *rows) {
  const event_outcome outcome = {
      .kind = kind, .retry_at = now_ms() + 1, .error = "no", .decision = new_decision(rows)};
  event_consumer_finish(w->consumer, id, &outcome);
}

static bool copy_decision(void *context, const decision_summary *decision) {
  decision_summary *last = context;
  *last = *decision;
  assert_true(decision->rows == NULL || decision->rows[0] == '{');
  assert_string_equal(decision->facts, "{\"f\":1}");
  return true;
}

static void add_problem(void *context, const ledger_problem *problem) {
  ledger_problem *last = context;
  *last = *problem;
}

static ledger_report verify(const fixture *f, ledger_problem *last) {
  ledger_report report;
  host_error error;
  ledger_problem ignored;
  assert_true(decision_verify(f->path, 0, NULL, add_problem, last != NULL ? last : &ignored,
                              &report, &error));
  return report;
}

static void wait_done(fixture *f, int64_t count) {
  event_counts counts;
  do {
    event_store_counts(f->store, &counts);
  } while (counts.done < count);
}

/* ---- Recording ---- */

STORE_TEST(test_a_decision_is_stored_with_the_end_of_its_event) {
  worker w = new_worker(f);
  int64_t id = put(f, "a");
  event_consumer_prefetch(w.consumer, 1);
  assert_int_equal(take(&w, NULL), id);
  finish_with(&w, id, EVENT_OUTCOME_DONE, "{\"r\":[1,2,3]}");
  wait_done(f, 1);
  decision_summary found = {.number = 0};
  host_error error;
  const decision_filter all = {.with_rows = true};
  assert_true(decision_list(f->path, &all, copy_decision, &found, &error));
  assert_int_equal(found.number, 1);
  assert_int_equal(found.event_id, id);
  assert_int_equal(found.attempt, 1);
  assert_true(found.recorded_at > 0 && found.has_data);
  ledger_report report = verify(f, NULL);
  assert_int_equal(report.problems, 0);
  assert_int_equal(report.decisions, 1);
  assert_string_equal(report.head, found.hash);
  free_worker(&w);
}

CLOSED_STORE_TEST(test_no_other_outcome_records_one) {
  const event_outcome_kind kinds[] = {EVENT_OUTCOME_RETRY, EVENT_OUTCOME_RELEASED,
                                      EVENT_OUTCOME_DEAD};
  open_store(f);
  worker w = new_worker(f);
  int64_t id = put(f, "a");
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    event_consumer_prefetch(w.consumer, 1);
    assert_int_equal(take(&w, NULL), id);
    finish_with(&w, id, kinds[i], "{}");
  }
  finish_with(&w, id, EVENT_OUTCOME_DONE, "{}"); /* it is not leased any more */
  free_worker(&w);
  close_store(f);
  assert_int_equal(query(f, "SELECT state FROM events"), EVENT_DEAD);
  assert_int_equal(query(f, "SELECT count(*) FROM decisions"), 0);
}

STORE_TEST(test_an_event_deleted_meanwhile_leaves_none) {
  worker w = new_worker(f);
  int64_t id = put(f, "a");
  event_consumer_prefetch(w.consumer, 1);
  assert_int_equal(take(&w, NULL), id);
  execute(f, "DELETE FROM events");
  finish_with(&w, id, EVENT_OUTCOME_DONE, "{}");
  free_worker(&w);
  close_store(f);
  assert_int_equal(query(f, "SELECT count(*) FROM decisions"), 0);
}

/* As on a full disk: neither is stored before both are. */
STORE_TEST(test_what_cannot_be_recorded_leaves_its_event_unfinished) {
  worker w = new_worker(f);
  int64_t id = put(f, "a");
  event_consumer_prefetch(w.consumer, 1);
  assert_int_equal(take(&w, NULL), id);
  execute(f, "CREATE TRIGGER full BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'full'); END;"
             "CREATE TRIGGER full_too BEFORE INSERT ON ledger"
             " BEGIN SELECT RAISE(ABORT, 'full'); END");
  finish_with(&w, id, EVENT_OUTCOME_DONE, "{}");
  wait_for(f, &f->errors);
  assert_int_equal(query(f, "SELECT state FROM events"), EVENT_RUNNING);
  assert_int_equal(query(f, "SELECT count(*) FROM decisions"), 0);
  execute(f, "DROP TRIGGER full; DROP TRIGGER full_too");
  wait_for(f, &f->heals);
  assert_int_equal(query(f, "SELECT state FROM events"), EVENT_DONE);
  assert_int_equal(query(f, "SELECT count(*) FROM decisions"), 1);
  assert_int_equal(verify(f, NULL).problems, 0);
  free_worker(&w);
}

/* Whoever has changed it by hand must not be able to stop the service. */
STORE_TEST(test_a_ledger_that_was_changed_by_hand_takes_entries) {
  worker w = new_worker(f);
  for (int i = 0; i < 3; i++) {
    int64_t id = put(f, "a");
    event_consumer_prefetch(w.consumer, 1);
    assert_int_equal(take(&w, NULL), id);
    finish_with(&w, id, EVENT_OUTCOME_DONE, "{}");
    wait_done(f, i + 1);
    execute(f, i == 0 ? "DELETE FROM ledger" : "UPDATE ledger SET last = 0, head = x'00'");
  }
  assert_int_equal(f->errors, 0);
  assert_int_equal(query(f, "SELECT count(*) FROM decisions"), 3);
  assert_true(verify(f, NULL).problems > 0);
  free_worker(&w);
}

/* ---- Removing ---- */

static sqlite3 *record_some(fixture *f, int count) {
  sqlite3 *db = NULL;
  open_store(f);
  close_store(f);
  assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
  for (int i = 1; i <= count; i++) {
    event_decision *decision = new_decision("{\"r\":1}");
    ledger_entry entry = {.subject = 100 + i, .attempt = 1, .recorded_at = 1000 * i};
    event_decision_entry(decision, &entry);
    assert_true(event_ledger_append(db, &entry, event_decision_data(decision)));
    assert_int_equal(entry.number, i);
    event_decision_free(decision);
  }
  assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
  return db;
}

CLOSED_STORE_TEST(test_rows_that_are_removed_leave_the_chain_whole) {
  sqlite3 *db = record_some(f, 5);
  bool was_there;
  assert_true(event_ledger_remove_data(db, 2, 9000, &was_there));
  assert_true(was_there);
  assert_true(event_ledger_remove_data(db, 2, 9000, &was_there));
  assert_false(was_there);
  ledger_report report = verify(f, NULL);
  assert_int_equal(report.problems, 0);
  assert_int_equal(report.last, 6);
  assert_int_equal(report.decisions, 5);
  assert_int_equal(report.removed, 1);
  decision_summary found = {.number = 0};
  const decision_filter second = {.number = 2, .with_rows = true};
  host_error error;
  assert_true(decision_list(f->path, &second, copy_decision, &found, &error));
  assert_false(found.has_data);
  assert_null(found.rows);
  execute(f, "DELETE FROM decision_data WHERE number = 4");
  ledger_problem problem;
  assert_int_equal(verify(f, &problem).problems, 1);
  assert_int_equal(problem.kind, LEDGER_NOT_REMOVED);
  assert_int_equal(problem.number, 4);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

CLOSED_STORE_TEST(test_old_entries_are_deleted_and_the_rest_is_whole) {
  sqlite3 *db = record_some(f, 8);
  int64_t deleted;
  assert_true(event_ledger_delete_old(db, 1000, 100, 9000, &deleted));
  assert_int_equal(deleted, 0);
  assert_true(event_ledger_delete_old(db, 4000, 2, 9000, &deleted));
  assert_int_equal(deleted, 2);
  assert_true(event_ledger_delete_old(db, 4000, 2, 9000, &deleted));
  assert_int_equal(deleted, 1);
  assert_true(event_ledger_delete_old(db, 4000, 2, 9000, &deleted));
  assert_int_equal(deleted, 0);
  ledger_report report = verify(f, NULL);
  assert_int_equal(report.problems, 0);
  assert_int_equal(report.first, 4);
  assert_int_equal(report.last, 10);
  assert_int_equal(report.decisions, 5);
  assert_int_equal(query(f, "SELECT count(*) FROM decision_data"), 5);
  /* What records it is not deleted by itself, but with decisions. */
  assert_true(event_ledger_delete_old(db, INT64_MAX, 100, 9000, &deleted));
  assert_int_equal(deleted, 5);
  assert_true(event_ledger_delete_old(db, INT64_MAX, 100, 9000, &deleted));
  assert_int_equal(deleted, 0);
  report = verify(f, NULL);
  assert_int_equal(report.problems, 0);
  assert_int_equal(report.first, 9);
  assert_int_equal(report.decisions, 0);
  /* Nobody else can do the same. */
  execute(f, "DELETE FROM decisions WHERE number = 9; UPDATE ledger SET first = 10, before ="
             " (SELECT previous FROM decisions WHERE number = 10)");
  ledger_problem problem;
  assert_int_equal(verify(f, &problem).problems, 1);
  assert_int_equal(problem.kind, LEDGER_CUT);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Numbers beyond any are no reason to stop, either. */
CLOSED_STORE_TEST(test_a_ledger_with_the_largest_numbers_takes_entries) {
  sqlite3 *db = record_some(f, 2);
  execute(f, "UPDATE decisions SET number = 9223372036854775807 WHERE number = 1;"
             "UPDATE ledger SET last = 9223372036854775807");
  for (int i = 3; i < 5; i++) {
    event_decision *decision = new_decision("{\"r\":1}");
    ledger_entry entry = {.subject = 100, .attempt = 1, .recorded_at = 9000};
    event_decision_entry(decision, &entry);
    assert_true(event_ledger_append(db, &entry, event_decision_data(decision)));
    assert_int_equal(entry.number, i);
    event_decision_free(decision);
  }
  int64_t deleted;
  assert_true(event_ledger_delete_old(db, INT64_MAX, 100, 9000, &deleted));
  assert_int_equal(deleted, 3);
  assert_true(verify(f, NULL).problems > 0);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

CLOSED_STORE_TEST(test_what_keeps_old_decisions_is_reported_as_that) {
  sqlite3 *db = record_some(f, 3);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
  execute(f, "CREATE TRIGGER full BEFORE DELETE ON decisions"
             " BEGIN SELECT RAISE(ABORT, 'full'); END");
  f->decision_retention = 1000;
  open_store(f);
  wait_for(f, &f->errors);
  assert_non_null(strstr(f->last_error, "cannot delete old decisions from "));
}

CLOSED_STORE_TEST(test_the_service_deletes_old_decisions) {
  sqlite3 *db = record_some(f, 3);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
  f->decision_retention = 1000;
  open_store(f);
  while (query(f, "SELECT count(*) FROM decisions WHERE kind = 1") > 0) {
  }
  assert_int_equal(query(f, "SELECT count(*) FROM decision_data"), 0);
  assert_int_equal(verify(f, NULL).problems, 0);
}

/* ---- While it is checked ---- */

enum {
  MANY = 300 /* more than are looked at in a transaction */
};

static void delete_all(void *context, const ledger_problem *problem) {
  int64_t deleted;
  assert_int_equal(problem->kind, LEDGER_CHANGED);
  assert_true(event_ledger_delete_old(context, INT64_MAX, 2 * MANY, 9000, &deleted));
  assert_int_equal(deleted, MANY + 2);
}

/* The entry that says why the rows of the fifth are missing goes before it is looked at. */
CLOSED_STORE_TEST(test_rows_removed_before_all_is_deleted_are_no_problem) {
  sqlite3 *db = record_some(f, MANY);
  bool was_there;
  assert_true(event_ledger_remove_data(db, 5, 9000, &was_there));
  event_decision *decision = new_decision("{}");
  ledger_entry entry = {.subject = 100, .attempt = 1, .recorded_at = 9000};
  event_decision_entry(decision, &entry);
  assert_true(event_ledger_append(db, &entry, event_decision_data(decision)));
  event_decision_free(decision);
  execute(f, "PRAGMA journal_mode = WAL; UPDATE decisions SET attempt = 2 WHERE number = 9");
  ledger_report report;
  host_error error;
  assert_true(decision_verify(f->path, 0, NULL, delete_all, db, &report, &error));
  assert_int_equal(report.problems, 1);
  assert_int_equal(report.first, MANY + 3);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

CLOSED_STORE_TEST(test_a_list_has_what_is_asked_for) {
  sqlite3 *db = record_some(f, 5);
  const decision_filter filters[] = {
      {.limit = 2},        {.since = 3000, .limit = 1},
      {.event_id = 104},   {.account_id = "a", .limit = 9},
      {.account_id = "b"}, {.number = 9},
  };
  const int64_t lasts[] = {5, 5, 4, 5, 0, 0};
  for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
    decision_summary found = {.number = 0};
    host_error error;
    assert_true(decision_list(f->path, &filters[i], copy_decision, &found, &error));
    assert_int_equal(found.number, lasts[i]);
  }
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}
