/* Changes a ledger in every way that somebody may, and demands that the check finds each and names
 * the entry. SPEC_TRIES: how often (2,000); SPEC_SEED: the same changes as in an earlier run. */
#include "host/store/store_fixture.h"
#include "store/admin/decisions.h"
#include "store/sqlite/ledger.h"
#include "store/sqlite/query_step.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  TRIES = 2000,
  RECORDED = 24,
  OLD = 4,           /* of them, which were deleted */
  WITHOUT_ROWS = 10, /* one of those without rows */
};

static uint64_t random_state;
static char last_change[128]; /* for who reads a failure */

static uint64_t random_below(uint64_t limit) {
  random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (random_state >> 33) % limit;
}

/* ---- A ledger ---- */

static event_decision *new_decision(int number) {
  char rows[2048] = "{\"rows\":[";
  for (int i = 0; i < 20; i++) {
    size_t used = strlen(rows);
    (void)snprintf(rows + used, sizeof rows - used, "%s{\"amount\":%d.25,\"currency\":\"mxn\"}",
                   i > 0 ? "," : "", 400 + number * i % 97);
  }
  (void)strncat(rows, "]}", sizeof rows - strlen(rows) - 1);
  char account[32];
  (void)snprintf(account, sizeof account, "account %d", number);
  static const char facts[] = "{\"verdict\":{\"outcome\":\"approve\"}}", details[] = "{\"f\":{}}";
  const event_decision_parts parts = {.facts = {facts, sizeof facts - 1},
                                      .rows = {rows, strlen(rows)},
                                      .details = {details, sizeof details - 1},
                                      .account_id = {account, strlen(account)},
                                      .user_id = {"user", 4}};
  host_error error;
  event_decision *decision = event_decision_new(&parts, &error);
  assert_non_null(decision);
  return decision;
}

static void make_ledger(fixture *f) {
  sqlite3 *db = NULL;
  open_store(f);
  close_store(f);
  assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
  for (int i = 1; i <= RECORDED; i++) {
    event_decision *decision = new_decision(i);
    ledger_entry entry = {.subject = 17000000000000 + i, .attempt = 1 + i % 2, .recorded_at = i};
    event_decision_entry(decision, &entry);
    assert_true(event_ledger_append(db, &entry, event_decision_data(decision)));
    event_decision_free(decision);
    bool was_there;
    assert_true(i != WITHOUT_ROWS || event_ledger_remove_data(db, i, i, &was_there));
    int64_t deleted = OLD;
    assert_true(i != RECORDED - 3 || event_ledger_delete_old(db, OLD + 1, RECORDED, i, &deleted));
    assert_int_equal(deleted, OLD);
  }
  assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static char *read_file(const char *path, size_t *size) {
  struct stat status;
  int fd = open(path, O_RDONLY);
  assert_true(fd >= 0 && fstat(fd, &status) == 0);
  *size = (size_t)status.st_size;
  char *bytes = malloc(*size);
  assert_non_null(bytes);
  assert_int_equal(read(fd, bytes, *size), *size);
  (void)close(fd);
  return bytes;
}

static void write_file(const char *path, const char *bytes, size_t size) {
  int fd = open(path, O_WRONLY | O_TRUNC);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, bytes, size), size);
  (void)close(fd);
}

/* ---- The check ---- */

typedef struct {
  int64_t number;
  bool is_named;
  int count;
} named_entry;

static void see_problem(void *context, const ledger_problem *problem) {
  named_entry *entry = context;
  int64_t last = problem->kind == LEDGER_MISSING ? problem->other : problem->number;
  entry->count++;
  entry->is_named = entry->is_named ||
                    (problem->number <= entry->number && entry->number <= last) ||
                    (problem->kind == LEDGER_UNLINKED && problem->number == entry->number + 1);
}

static void keep_problem(void *context, const ledger_problem *problem) {
  ledger_problem *first = context;
  *first = first->number == -1 ? *problem : *first;
}

static named_entry check(const fixture *f, int64_t number) {
  named_entry entry = {.number = number};
  ledger_report report;
  host_error error;
  assert_true(decision_verify(f->path, 0, NULL, see_problem, &entry, &report, &error));
  assert_int_equal(report.problems, entry.count);
  return entry;
}

/* ---- Changes ---- */

/* Runs statements, which all have the same parameters. */
static void run(sqlite3 *db, const char *texts, int64_t one, int64_t other) {
  (void)snprintf(last_change, sizeof last_change, "%.80s (%lld, %lld)", texts, (long long)one,
                 (long long)other);
  while (*texts != '\0') {
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, texts, -1, &statement, &texts), SQLITE_OK);
    (void)sqlite3_bind_int64(statement, 1, one);
    (void)sqlite3_bind_int64(statement, 2, other);
    while (sqlite3_step(statement) == SQLITE_ROW) {
    }
    if (sqlite3_finalize(statement) != SQLITE_OK) {
      fail_msg("%s", sqlite3_errmsg(db));
    }
  }
}

static int64_t number_in(sqlite3 *db, const char *text) {
  int64_t number;
  assert_true(event_file_read_integer(db, text, &number));
  return number;
}

static const char *const entry_columns[] = {"number",      "kind",        "subject", "attempt",
                                            "replay",      "recorded_at", "facts",   "rows_digest",
                                            "data_digest", "previous",    "hash"};
static const char *const data_columns[] = {"number", "account_id", "user_id", "rows", "details"};
static const char *const ledger_columns[] = {"first", "before", "last", "head"};

/* Binds the value of a column with one bit flipped. */
static void bind_flipped(sqlite3_stmt *update, sqlite3_stmt *row) {
  int type = sqlite3_column_type(row, 0);
  if (type == SQLITE_INTEGER) {
    uint64_t value = (uint64_t)sqlite3_column_int64(row, 0);
    (void)sqlite3_bind_int64(update, 1, (int64_t)(value ^ (UINT64_C(1) << random_below(63))));
    return;
  }
  size_t size = (size_t)sqlite3_column_bytes(row, 0);
  unsigned char bytes[4096] = {0};
  assert_in_range(size, 0, sizeof bytes);
  if (size > 0) {
    memcpy(bytes, sqlite3_column_blob(row, 0), size);
  } else { /* of an entry that is no decision: a byte more */
    size = 1;
  }
  bytes[random_below(size)] ^= (unsigned char)(1 << random_below(8));
  if (type == SQLITE_TEXT) {
    (void)sqlite3_bind_text(update, 1, (const char *)bytes, (int)size, SQLITE_TRANSIENT);
  } else {
    (void)sqlite3_bind_blob(update, 1, bytes, (int)size, SQLITE_TRANSIENT);
  }
}

static void flip(sqlite3 *db, const char *table, const char *column, int64_t rowid) {
  char text[256];
  sqlite3_stmt *row = NULL, *update = NULL;
  (void)snprintf(text, sizeof text, "SELECT %s FROM %s WHERE rowid = %lld", column, table,
                 (long long)rowid);
  assert_int_equal(sqlite3_prepare_v2(db, text, -1, &row, NULL), SQLITE_OK);
  (void)snprintf(text, sizeof text, "UPDATE %s SET %s = ?1 WHERE rowid = %lld", table, column,
                 (long long)rowid);
  (void)snprintf(last_change, sizeof last_change, "%.120s", text);
  assert_int_equal(sqlite3_prepare_v2(db, text, -1, &update, NULL), SQLITE_OK);
  int step;
  do { /* a number that another entry has is none to be set */
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    bind_flipped(update, row);
    (void)sqlite3_reset(row);
    step = sqlite3_step(update);
    (void)sqlite3_reset(update);
  } while (step == SQLITE_CONSTRAINT);
  assert_int_equal(step, SQLITE_DONE);
  (void)sqlite3_finalize(row);
  (void)sqlite3_finalize(update);
}

#define RENUMBER(table, from, to)                                                                  \
  "UPDATE " table " SET number = -number WHERE number " from ";"                                   \
  "UPDATE " table " SET number = -number" to " WHERE number < 0;"

static void swap(sqlite3 *db, int64_t one, int64_t other, bool with_data) {
  static const char *const texts[] = {"UPDATE decisions SET number = ?1 WHERE number = ?2",
                                      "UPDATE decision_data SET number = ?1 WHERE number = ?2"};
  for (int i = 0; i < 1 + with_data; i++) {
    run(db, texts[i], 0, one);
    run(db, texts[i], one, other);
    run(db, texts[i], other, 0);
  }
}

/* A copy of another entry, which comes to stand as this number; `hash` as it should be there. */
static void insert_copy(sqlite3 *db, int64_t of, int64_t as, bool with_hash) {
  run(db,
      "INSERT INTO decisions SELECT ?1, kind, subject, attempt, replay, recorded_at, facts,"
      " rows_digest, data_digest, previous, hash FROM decisions WHERE number = ?2",
      as, of);
  run(db,
      "INSERT INTO decision_data SELECT ?1, account_id, user_id, rows, details"
      " FROM decision_data WHERE number = ?2",
      as, of);
  if (!with_hash) {
    return;
  }
  sqlite3_stmt *query = NULL, *update = NULL;
  ledger_row row;
  run(db,
      "UPDATE decisions SET attempt = 9, previous = coalesce((SELECT hash FROM decisions WHERE "
      "number = ?1),"
      " previous) WHERE number = ?2",
      as - 1, as);
  assert_int_equal(sqlite3_prepare_v2(db,
                                      "SELECT " LEDGER_COLUMNS " FROM " LEDGER_TABLES
                                      " WHERE decisions.number = ?1",
                                      -1, &query, NULL),
                   SQLITE_OK);
  (void)sqlite3_bind_int64(query, 1, as);
  assert_int_equal(sqlite3_step(query), SQLITE_ROW);
  event_ledger_read(query, &row);
  unsigned char hash[LEDGER_DIGEST_SIZE];
  assert_true(ledger_entry_hash(&row.entry, hash));
  (void)sqlite3_finalize(query);
  assert_int_equal(
      sqlite3_prepare_v2(db, "UPDATE decisions SET hash = ?1 WHERE number = ?2", -1, &update, NULL),
      SQLITE_OK);
  (void)sqlite3_bind_blob(update, 1, hash, sizeof hash, SQLITE_TRANSIENT);
  (void)sqlite3_bind_int64(update, 2, as);
  assert_int_equal(sqlite3_step(update), SQLITE_DONE);
  (void)sqlite3_finalize(update);
}

static bool has_data(sqlite3 *db, int64_t number) {
  char text[96];
  int64_t count;
  (void)snprintf(text, sizeof text, "SELECT count(*) FROM decision_data WHERE number = %lld",
                 (long long)number);
  assert_true(event_file_read_integer(db, text, &count));
  return count > 0;
}

/* Makes one of the changes; returns the entry to be named, or 0 if none is touched. */
static int64_t flip_something(sqlite3 *db, int64_t first, int64_t last) {
  int64_t number = first + (int64_t)random_below((uint64_t)(last - first + 1));
  size_t column = random_below(11 + 5 + 4);
  if (column >= 16) {
    flip(db, "ledger", ledger_columns[column - 16], 1);
    return 0;
  }
  if (column >= 11) {
    do { /* of the entries that have data */
      number = number % last + 1;
    } while (!has_data(db, number));
    flip(db, "decision_data", data_columns[column - 11], number);
    return number;
  }
  flip(db, "decisions", entry_columns[column], number);
  return number;
}

static int64_t remove_one(sqlite3 *db, int64_t number, int64_t last) {
  run(db, "DELETE FROM decisions WHERE number = ?1", number, 0);
  switch (random_below(4)) {
  case 0: /* its data is left */
    return number;
  case 1: /* those that follow take its number */
    run(db, "DELETE FROM decision_data WHERE number = ?1", number, 0);
    run(db, RENUMBER("decisions", "> ?1", " - 1"), number, 0);
    run(db, RENUMBER("decision_data", "> ?1", " - 1"), number, 0);
    run(db, "UPDATE ledger SET last = last - 1", 0, 0);
    return number < last ? number : 0;
  case 2: /* and the ledger's own row knows its length */
    run(db, "DELETE FROM decisions WHERE number > ?1", number, 0);
    run(db, "DELETE FROM decision_data WHERE number >= ?1", number, 0);
    run(db, "UPDATE ledger SET last = ?1", number - 1, 0);
    return 0;
  default:
    run(db, "DELETE FROM decision_data WHERE number = ?1", number, 0);
    return number;
  }
}

static int64_t insert_one(sqlite3 *db, int64_t number, int64_t first, int64_t last) {
  switch (random_below(3)) {
  case 0: /* behind the last, or before the first */
    insert_copy(db, number, random_below(2) ? last + 1 : first - 1, random_below(2) == 0);
    return number_in(db, "SELECT max(number) FROM decisions") > last ? last + 1 : first - 1;
  case 1: /* those that follow are moved */
    run(db, RENUMBER("decisions", ">= ?1", " + 1"), number, 0);
    run(db, RENUMBER("decision_data", ">= ?1", " + 1"), number, 0);
    run(db, "UPDATE ledger SET last = last + 1", 0, 0);
    if (random_below(2) == 0) { /* the copy is what it is a copy of, and that is one too many */
      insert_copy(db, number + 1, number, false);
      return number + 1;
    }
    insert_copy(db, number + 1, number, true);
    return number;
  default: /* in the place of another, its hash as it should be */
    run(db, "DELETE FROM decisions WHERE number = ?1", number, 0);
    run(db, "DELETE FROM decision_data WHERE number = ?1", number, 0);
    insert_copy(db, number > first ? number - 1 : number + 1, number, true);
    return number < last ? number : 0;
  }
}

/* Makes a change; returns the entry to be named, or 0 if that need not be. */
static int64_t change(sqlite3 *db, int64_t first, int64_t last) {
  int64_t number = first + (int64_t)random_below((uint64_t)(last - first + 1));
  int64_t other = first + (number - first + 1 + (int64_t)random_below((uint64_t)(last - first))) %
                              (last - first + 1);
  switch (random_below(8)) {
  case 0:
    return remove_one(db, number, last);
  case 1:
    swap(db, number, other, random_below(2) == 0);
    return number;
  case 2:
    return insert_one(db, number, first, last);
  default:
    return flip_something(db, first, last);
  }
}

CLOSED_STORE_TEST(test_every_change_is_found) {
  const char *tries = getenv("SPEC_TRIES"), *seed = getenv("SPEC_SEED");
  random_state = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)now_ms();
  printf("seed %llu\n", (unsigned long long)random_state);
  make_ledger(f);
  assert_int_equal(check(f, 0).count, 0);
  size_t size;
  char *original = read_file(f->path, &size);
  int64_t first = query(f, "SELECT first FROM ledger"), last = query(f, "SELECT last FROM ledger");
  for (int i = 0; i < (tries != NULL ? atoi(tries) : TRIES); i++) {
    sqlite3 *db = NULL;
    uint64_t before = random_state;
    write_file(f->path, original, size);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    run(db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; BEGIN", 0, 0);
    int64_t number = change(db, first, last);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    named_entry entry = check(f, number);
    if (entry.count == 0 || (number != 0 && !entry.is_named)) {
      fail_msg("try %d, seed %llu, %s: of entry %lld %d problems", i, (unsigned long long)before,
               last_change, (long long)number, entry.count);
    }
  }
  free(original);
}

/* ---- What is in no row as it was recorded, but reads the same ---- */

static ledger_problem first_problem(const fixture *f, const char *change) {
  ledger_problem problem = {.number = -1};
  ledger_report report;
  host_error error;
  execute(f, change);
  assert_true(decision_verify(f->path, 0, NULL, keep_problem, &problem, &report, &error));
  return problem;
}

CLOSED_STORE_TEST(test_values_of_other_types_are_found) {
  make_ledger(f);
  static const char *const changes[] = {
      "UPDATE decisions SET attempt = attempt + 0.5 WHERE number = 6",
      "UPDATE decisions SET kind = '1x' WHERE number = 7",
      "UPDATE decisions SET facts = CAST(facts AS BLOB) WHERE number = 8",
      "UPDATE decision_data SET account_id = CAST(account_id AS BLOB) WHERE number = 9",
  };
  for (int i = 3; i >= 0; i--) {
    ledger_problem problem = first_problem(f, changes[i]);
    assert_int_equal(problem.kind, LEDGER_CHANGED);
    assert_int_equal(problem.number, 6 + i);
  }
}

CLOSED_STORE_TEST(test_an_entry_below_all_numbers_is_found) {
  make_ledger(f);
  ledger_problem problem = first_problem(
      f, "INSERT INTO decisions SELECT -9223372036854775807 - 1, kind, subject, attempt, replay,"
         " recorded_at, facts, rows_digest, data_digest, previous, hash FROM decisions LIMIT 1");
  assert_int_equal(problem.kind, LEDGER_INSERTED);
  assert_true(problem.number == INT64_MIN);
}

CLOSED_STORE_TEST(test_a_damaged_row_of_the_ledger_is_named_as_that) {
  make_ledger(f);
  int64_t last = query(f, "SELECT last FROM ledger");
  static const char *const changes[] = {"UPDATE ledger SET last = 9223372036854775807",
                                        "UPDATE ledger SET last = '5x'", "DELETE FROM ledger"};
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    ledger_problem problem = first_problem(f, changes[i]);
    assert_int_equal(problem.kind, i < 2 ? LEDGER_HEAD : LEDGER_MISSING);
    assert_int_equal(problem.number, i < 2 ? last : 1);
  }
}

CLOSED_STORE_TEST(test_a_table_that_is_not_there_is_named) {
  make_ledger(f);
  ledger_report report;
  host_error error;
  execute(f, "DROP TABLE decision_data");
  assert_false(decision_verify(f->path, 0, NULL, keep_problem, NULL, &report, &error));
  assert_non_null(strstr(error.message, "decision_data"));
}

/* ---- What is found only by a hash that was kept elsewhere ---- */

CLOSED_STORE_TEST(test_a_shorter_ledger_is_found_by_a_head_that_was_kept) {
  make_ledger(f);
  ledger_report whole, report;
  named_entry entry = {.number = 0};
  host_error error;
  assert_true(decision_verify(f->path, 0, NULL, see_problem, &entry, &whole, &error));
  int64_t last = whole.last;
  assert_true(decision_verify(f->path, last, whole.head, see_problem, &entry, &report, &error));
  assert_int_equal(report.problems, 0);
  execute(f, "DELETE FROM decision_data WHERE number = (SELECT last FROM ledger);"
             "DELETE FROM decisions WHERE number = (SELECT last FROM ledger);"
             "UPDATE ledger SET last = (SELECT max(number) FROM decisions),"
             " head = (SELECT hash FROM decisions ORDER BY number DESC LIMIT 1)");
  assert_true(decision_verify(f->path, 0, NULL, see_problem, &entry, &report, &error));
  assert_int_equal(report.problems, 0);
  assert_true(decision_verify(f->path, last, whole.head, see_problem, &entry, &report, &error));
  assert_int_equal(report.problems, 1);
}
