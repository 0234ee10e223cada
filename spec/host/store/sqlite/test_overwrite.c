/* Tests of the bytes that no row uses: SQLite leaves copies there, and they are overwritten. */
#include "clock.h"
#include "host/store/store_fixture.h"
#include "store/sqlite/database_file.h"
#include "store/sqlite/overwrite.h"
#include "store/sqlite/unused_bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often a text is in a file; 0 if that is not there. */
static int count_in(const fixture *f, const char *suffix, const char *text) {
  char name[160];
  int found = 0;
  (void)snprintf(name, sizeof name, "%s%s", f->path, suffix);
  FILE *file = fopen(name, "rb");
  if (file == NULL) {
    return 0;
  }
  size_t size = (size_t)event_file_size(name, "");
  char *bytes = malloc(size + 1);
  assert_non_null(bytes);
  assert_int_equal(fread(bytes, 1, size, file), size);
  /* sanitizers have memmem look at all of the file each time */
  size_t length = strlen(text);
  for (size_t at = 0; at + length <= size; at++) {
    found += bytes[at] == text[0] && memcmp(bytes + at, text, length) == 0;
  }
  free(bytes);
  (void)fclose(file);
  return found;
}

static event_file open_alone(const fixture *f) {
  event_file file;
  host_error error;
  if (!event_file_open_alone(&file, f->path, "a test", &error)) {
    fail_msg("open: %s", error.message);
  }
  return file;
}

static void run(sqlite3 *db, const char *text) {
  char *problem = NULL;
  if (sqlite3_exec(db, text, NULL, NULL, &problem) != SQLITE_OK) {
    fail_msg("%s: %s", text, problem);
  }
}

/* Rows that grow, as events do, so that pages are divided; then most of them go. */
static void move_rows(sqlite3 *db, int64_t first) {
  char text[512];
  (void)snprintf(text, sizeof text,
                 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
                 " INSERT INTO events SELECT %lld + i, 'login.success', printf('account-%%05d', i),"
                 " 3, 1, 0, i, 0, i, NULL FROM n;",
                 (long long)first);
  run(db, text);
  run(db, "INSERT INTO bodies SELECT id, printf('body-%05d ', id % 100000)"
          " || replace(hex(zeroblob(3000 + id % 4000)), '00', 'xy') FROM events WHERE state = 3");
  run(db, "UPDATE events SET error = 'it has failed for ' || account_id WHERE id % 3 = 0");
  run(db, "DELETE FROM bodies WHERE id % 5 > 0; DELETE FROM events WHERE id % 5 > 0");
}

static bool is_continued(event_overwrite_result result) {
  return result == EVENT_OVERWRITE_MORE || result == EVENT_OVERWRITE_PAUSE;
}

/* `between`: what is written after each step. */
static void overwrite(sqlite3 *db, const char *between) {
  event_overwrite *work = event_overwrite_new();
  assert_non_null(work);
  event_overwrite_result result;
  while (is_continued(result = event_overwrite_step(work, db, clock_steady_ms() + 1000))) {
    assert_int_not_equal(sqlite3_get_autocommit(db), 0);
    run(db, between);
  }
  if (result != EVENT_OVERWRITE_DONE) {
    fail_msg("overwrite: %s", event_overwrite_reason(work));
  }
  event_overwrite_free(work);
}

static int64_t number(sqlite3 *db, const char *text) {
  int64_t value;
  assert_true(event_file_read_integer(db, text, &value));
  return value;
}

#define SUM                                                                                        \
  "SELECT sum(unicode(substr(body, 1 + id % 3000, 1)) * (id % 1009) + length(body)"                \
  " + coalesce(length(error), 0)) FROM events JOIN bodies USING (id)"

STORE_TEST(test_what_no_row_uses_is_overwritten) {
  int64_t first = put(f, "some-account");
  close_store(f);
  event_file file = open_alone(f);
  move_rows(file.db, first);
  (void)sqlite3_wal_checkpoint_v2(file.db, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL);
  int64_t sum = number(file.db, SUM), rows = number(file.db, "SELECT count(*) FROM events");
  int64_t uses = number(file.db, "SELECT sum(1 + (error IS NOT NULL)) FROM events"
                                 " WHERE account_id LIKE 'account-%'");
  /* what the test is about: there are copies */
  assert_true(count_in(f, "", "account-") > uses);
  overwrite(file.db, "");
  assert_int_equal(count_in(f, "", "account-"), uses);
  assert_int_equal(number(file.db, SUM), sum);
  assert_int_equal(number(file.db, "SELECT count(*) FROM events"), rows);
  assert_int_equal(number(file.db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
  run(file.db, "DELETE FROM bodies; DELETE FROM events");
  overwrite(file.db, "");
  assert_int_equal(count_in(f, "", "account-"), 0);
  assert_int_equal(count_in(f, "", "xyxy"), 0);
  assert_int_equal(count_in(f, "-wal", "xyxy") + count_in(f, "-wal", "account-"), 0);
  event_file_close(&file);
  assert_int_equal(query(f, "SELECT count(*) FROM events"), 0);
}

/* Each page is written between all steps, from what SQLite has of it in its cache. */
static void check_writes_between(fixture *f, const char *between) {
  int64_t first = put(f, "some-account");
  close_store(f);
  event_file file = open_alone(f);
  move_rows(file.db, first);
  int64_t sum = number(file.db, SUM);
  int64_t uses = number(file.db, "SELECT sum(1 + (error IS NOT NULL)) FROM events"
                                 " WHERE account_id LIKE 'account-%'");
  run(file.db, "UPDATE events SET account_id = replace(account_id, 'account-', 'changed-')"
               " WHERE account_id LIKE 'account-%'");
  uses -= number(file.db, "SELECT count(*) FROM events WHERE account_id LIKE 'changed-%'");
  overwrite(file.db, between);
  (void)sqlite3_wal_checkpoint_v2(file.db, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL);
  assert_int_equal(count_in(f, "", "account-"), uses);
  run(file.db, "UPDATE events SET error = NULL WHERE account_id LIKE 'changed-%'");
  overwrite(file.db, between);
  assert_int_equal(count_in(f, "", "account-"), 0);
  assert_int_equal(count_in(f, "-wal", "account-"), 0);
  (void)sqlite3_wal_checkpoint_v2(file.db, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL);
  assert_int_equal(count_in(f, "", "account-"), 0);
  assert_int_equal(number(file.db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
  run(file.db, "UPDATE events SET error = 'it has failed for ' || account_id WHERE id % 3 = 0");
  assert_int_equal(number(file.db, SUM), sum);
  event_file_close(&file);
}

STORE_TEST(test_no_copy_is_written_back_meanwhile) {
  check_writes_between(f, "UPDATE events SET due_at = due_at + 1");
}

STORE_TEST(test_no_copy_is_moved_back_by_a_checkpoint) {
  check_writes_between(f, "UPDATE events SET due_at = due_at + 1; PRAGMA wal_checkpoint");
}

/* As of a program that does not have SQLite overwrite what it deletes. */
STORE_TEST(test_what_others_have_deleted_is_overwritten) {
  int64_t first = put(f, "some-account");
  close_store(f);
  event_file file = open_alone(f);
  run(file.db, "PRAGMA secure_delete = OFF");
  move_rows(file.db, first);
  /* chains that begin with used pages */
  run(file.db, "UPDATE bodies SET body = substr(body, 1, length(body) - 1000)");
  overwrite(file.db, "");
  int64_t size = number(file.db, "SELECT sum(length(body)) FROM bodies");
  assert_true(count_in(f, "", "xy") <= size / 2);
  assert_int_equal(number(file.db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
  event_file_close(&file);
}

/* Of a table without row ids, whose pages are those of an index. */
STORE_TEST(test_the_ends_of_long_rows_of_attempts_are_overwritten) {
  close_store(f);
  event_file file = open_alone(f);
  run(file.db, "PRAGMA secure_delete = OFF");
  run(file.db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
               " INSERT INTO attempts SELECT i, 0, 1, i, i, 3, NULL,"
               " replace(hex(zeroblob(300 + i * 13)), '00', 'xy'), 0 FROM n");
  run(file.db, "UPDATE attempts SET lines = replace(hex(zeroblob(300 + id * 7)), '00', 'ab')");
  overwrite(file.db, "");
  assert_int_equal(count_in(f, "", "xyxy") + count_in(f, "-wal", "xyxy"), 0);
  assert_int_equal(number(file.db, "SELECT count(*) FROM attempts WHERE lines ="
                                   " replace(hex(zeroblob(300 + id * 7)), '00', 'ab')"),
                   500);
  assert_int_equal(number(file.db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
  event_file_close(&file);
}

STORE_TEST(test_a_reader_of_the_log_is_waited_for) {
  (void)put(f, "some-account");
  close_store(f);
  event_file file = open_alone(f);
  (void)sqlite3_busy_timeout(file.db, 0);
  run(file.db, "UPDATE events SET account_id = 'another'");
  sqlite3 *reader = NULL;
  assert_int_equal(sqlite3_open_v2(f->path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  run(reader, "BEGIN; SELECT count(*) FROM events");
  event_overwrite *work = event_overwrite_new();
  assert_int_equal(event_overwrite_step(work, file.db, clock_steady_ms() + 1000),
                   EVENT_OVERWRITE_MORE);
  assert_int_equal(event_overwrite_step(work, file.db, clock_steady_ms() + 1000),
                   EVENT_OVERWRITE_PAUSE);
  assert_int_equal(event_overwrite_step(work, file.db, clock_steady_ms() + 1000),
                   EVENT_OVERWRITE_LATER);
  run(reader, "COMMIT");
  event_overwrite_result result;
  while (is_continued(result = event_overwrite_step(work, file.db, clock_steady_ms() + 1000))) {
  }
  assert_int_equal(result, EVENT_OVERWRITE_DONE);
  event_overwrite_free(work);
  (void)sqlite3_close(reader);
  event_file_close(&file);
}

/* ---- Pages as they should not be ---- */

UNIT_TEST(test_a_page_that_cannot_be_understood_stays) {
  const page_format format = {.size = 512, .usable = 512, .is_mapped = true};
  unsigned char page[512], before[512];
  srand(20261129);
  for (int i = 0; i < 50000; i++) {
    static const unsigned char kinds[] = {0, 2, 5, 10, 13, 255};
    for (size_t at = 0; at < sizeof page; at++) {
      page[at] = (unsigned char)rand();
    }
    page[0] = kinds[i % 6];
    page[3] = i % 7 != 0 ? 0 : page[3];
    page[5] = i % 11 != 0 ? page[5] & 1 : page[5];
    memcpy(before, page, sizeof page);
    bool has_changed = page_clear_unused(&format, page, 2);
    assert_int_equal(has_changed, memcmp(before, page, sizeof page) != 0);
    assert_memory_equal(page, before, 8);
    page_chain chain;
    for (size_t row = 0; page_chain_of(&format, page, 2, row, &chain); row++) {
      assert_true(chain.first == 0 ||
                  (chain.pages > 0 && chain.last_size > 4 && chain.last_size <= format.usable));
    }
  }
}

UNIT_TEST(test_the_map_is_where_sqlite_has_it) {
  const page_format format = {.size = 4096, .usable = 4096, .is_mapped = true};
  assert_int_equal(page_map_of(&format, 2), 2);
  assert_int_equal(page_map_of(&format, 3), 2);
  assert_int_equal(page_map_of(&format, 821), 2);
  assert_int_equal(page_map_of(&format, 822), 822);
  const page_format small = {.size = 1024, .usable = 1024, .is_mapped = true};
  unsigned char map[1024];
  memset(map, 5, sizeof map);
  assert_true(page_map_is_tree(&small, map, 1));
  assert_true(page_map_is_tree(&small, map, 3));
  assert_false(page_map_is_tree(&small, map, 2));
  assert_false(page_map_is_tree(&small, map, 0x40000000 / 1024 + 1));
  memset(map, 3, sizeof map);
  assert_false(page_map_is_tree(&small, map, 3));
}
