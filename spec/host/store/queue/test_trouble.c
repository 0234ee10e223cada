/* Tests of the event store in trouble: files that are not its own, a full disk. */
#include "host/store/store_fixture.h"
#include "store/sqlite/schema.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Files that may not be opened ---- */

STORE_TEST(test_a_second_process_is_rejected) {
  host_error error = {.kind = HOST_OK};
  assert_null(try_open(f, &error));
  assert_non_null(strstr(error.message, "another process is serving from"));
  assert_int_equal(error.kind, HOST_HELD);
  assert_true(put(f, NULL) > 0);
  close_store(f);
  open_store(f);
}

STORE_TEST(test_a_later_version_is_rejected) {
  (void)put(f, NULL);
  close_store(f);
  char text[64];
  (void)snprintf(text, sizeof text, "PRAGMA user_version = %d", EVENT_SCHEMA_VERSION + 1);
  execute(f, text);
  host_error error = {.kind = HOST_OK};
  assert_null(try_open(f, &error));
  assert_non_null(strstr(error.message, "later version"));
  (void)snprintf(text, sizeof text, "PRAGMA user_version = %d", EVENT_SCHEMA_VERSION);
  execute(f, text);
  open_store(f);
}

static void write_file(const fixture *f, const char *content) {
  FILE *file = fopen(f->path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
  assert_int_equal(fclose(file), 0);
}

static size_t read_file(const fixture *f, char *content, size_t size) {
  FILE *file = fopen(f->path, "rb");
  assert_non_null(file);
  size_t count = fread(content, 1, size, file);
  assert_int_equal(fclose(file), 0);
  return count;
}

static int count_entries(const fixture *f) {
  DIR *directory = opendir(f->directory);
  assert_non_null(directory);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    count += entry->d_name[0] != '.';
  }
  (void)closedir(directory);
  return count;
}

CLOSED_STORE_TEST(test_other_files_are_rejected_and_left_alone) {
  char text[9000], after[sizeof text];
  host_error error = {.kind = HOST_OK};
  memset(text, 'x', sizeof text);
  text[sizeof text - 1] = '\0';
  for (size_t size = sizeof text - 1; size > 0; size = size > 20 ? 20 : size > 1 ? 1 : 0) {
    text[size] = '\0';
    write_file(f, text);
    assert_null(try_open(f, &error));
    assert_non_null(strstr(error.message, "is not a database"));
    assert_int_equal(read_file(f, after, sizeof after), size);
    assert_memory_equal(after, text, size);
    assert_int_equal(count_entries(f), 1);
  }
}

CLOSED_STORE_TEST(test_other_databases_are_rejected_and_left_alone) {
  execute(f, "PRAGMA journal_mode = WAL; CREATE TABLE events (id); INSERT INTO events VALUES (1);");
  static char before[65536], after[65536];
  size_t size = read_file(f, before, sizeof before);
  host_error error = {.kind = HOST_OK};
  assert_null(try_open(f, &error));
  assert_non_null(strstr(error.message, "another program"));
  assert_int_equal(read_file(f, after, sizeof after), size);
  assert_memory_equal(after, before, size);
  listing l = {.f = f, .text = ""};
  const event_filter filter = {.state = NULL};
  assert_false(event_store_list(f->path, &filter, add_line, &l, &error));
  assert_non_null(strstr(error.message, "another program"));
}

CLOSED_STORE_TEST(test_a_missing_directory_is_an_error) {
  host_error error = {.kind = HOST_OK};
  host_loop *loop = host_loop_new(&error);
  const event_store_options options = {.path = "/nonexistent/directory/events.db", .loop = loop};
  assert_null(event_store_open(&options, &error));
  assert_non_null(strstr(error.message, "No such file"));
  const event_store_options directory = {.path = f->directory, .loop = loop};
  assert_null(event_store_open(&directory, &error));
  assert_non_null(strstr(error.message, "not a regular file"));
  host_loop_close(loop);
}

/* ---- A full disk ---- */

STORE_TEST(test_a_full_disk_fails_puts_keeps_finishes_and_heals) {
  worker w = new_worker(f);
  int64_t first = put(f, "a"), second = put(f, "a");
  event_consumer_prefetch(w.consumer, 1);
  assert_int_equal(take(&w, NULL), first);
  limit_files(true);
  char reason[256] = "";
  int64_t ids[3];
  const event_record record = record_of("b", "{}");
  for (int i = 0; i < 3; i++) {
    ids[i] = put_record(f, &record, reason, sizeof reason);
  }
  finish(&w, first, EVENT_OUTCOME_DONE, 0, "of no interest");
  event_consumer_prefetch(w.consumer, 1);
  int64_t fourth = put_record(f, &record, NULL, 0);
  event_counts counts;
  event_store_counts(f->store, &counts);
  limit_files(false);
  assert_int_equal(ids[0] + ids[1] + ids[2] + fourth, 0);
  assert_string_not_equal(reason, "");
  assert_int_equal(counts.unfinished, 2);
  assert_int_equal(counts.done, 0);
  /* The finish is tried again by itself, and its account goes on. */
  wait_for(f, &f->heals);
  assert_int_equal(take(&w, NULL), second);
  assert_int_equal(f->errors, 1);
  assert_int_equal(f->heals, 1);
  /* the system's own words for it are known of one failure, and not of the next */
  char *of_system = strstr(reason, " (");
  if (of_system != NULL) {
    *of_system = '\0';
  }
  assert_non_null(strstr(f->last_error, reason));
  int64_t third = put(f, "b");
  close_store(f);
  char expected[128];
  (void)snprintf(expected, sizeof expected, "1 done 1 -\n2 received 0 -\n%d received 0 -\n",
                 number_of(f, third));
  assert_listed(f, NULL, expected);
}

CLOSED_STORE_TEST(test_a_duplicate_on_a_full_disk_is_acknowledged_and_clears_no_failure) {
  f->dedup_window = 3600000;
  open_store(f);
  event_record record = record_of("a", "{}"), other = record_of("a", "{\"b\":1}");
  record.received_at = other.received_at = now_ms();
  int64_t id = put_record(f, &record, NULL, 0);
  limit_files(true);
  int64_t failed = put_record(f, &other, NULL, 0);
  bool is_duplicate;
  int64_t again = put_and_get_id(f, &record, &is_duplicate);
  int64_t last = put_record(f, &other, NULL, 0);
  limit_files(false);
  assert_int_equal(failed + last, 0);
  assert_true(is_duplicate);
  assert_int_equal(again, id);
  assert_int_equal(f->errors, 1);
  assert_int_equal(f->heals, 0);
  assert_true(put_record(f, &other, NULL, 0) > id);
  wait_for(f, &f->heals);
}

/* What may run is kept in memory, and a transaction that fails has changed it there. */
STORE_TEST(test_the_order_is_what_it_was_before_a_lease_that_failed) {
  worker w = new_worker(f);
  int64_t id = put(f, "a");
  limit_files(true);
  event_consumer_prefetch(w.consumer, 1);
  wait_for(f, &f->errors);
  limit_files(false);
  assert_int_equal(take(&w, NULL), id);
  wait_for(f, &f->heals);
}

STORE_TEST(test_the_order_is_what_it_was_before_a_finish_that_failed) {
  worker w = new_worker(f);
  int64_t ids[3];
  for (int i = 0; i < 3; i++) {
    ids[i] = put(f, "a");
  }
  event_consumer_prefetch(w.consumer, 1);
  assert_int_equal(take(&w, NULL), ids[0]);
  limit_files(true);
  finish(&w, ids[0], EVENT_OUTCOME_DONE, 0, NULL);
  wait_for(f, &f->errors);
  limit_files(false);
  wait_for(f, &f->heals);
  event_consumer_prefetch(w.consumer, 3);
  assert_int_equal(take(&w, NULL), ids[1]);
  assert_nothing_before(f, &w);
  finish(&w, ids[1], EVENT_OUTCOME_DONE, 0, NULL);
  assert_int_equal(take(&w, NULL), ids[2]);
}

/* ---- Other trouble ---- */

STORE_TEST(test_leases_that_fail_hold_up_neither_puts_nor_finishes) {
  worker w = new_worker(f);
  int64_t first = put(f, "a"), second = put(f, "b");
  event_consumer_prefetch(w.consumer, 1);
  assert_int_equal(take(&w, NULL), first);
  forbid_leases(f);
  event_consumer_prefetch(w.consumer, 1);
  wait_for(f, &f->errors);
  assert_true(put(f, "c") > second);
  finish(&w, first, EVENT_OUTCOME_DONE, 0, NULL);
  while (count_listed(f, "done") < 1) {
    (void)usleep(1000);
  }
  assert_listed(f, NULL, "1 done 1 -\n2 received 0 -\n3 received 0 -\n");
  allow_leases(f);
  assert_int_equal(take(&w, NULL), second);
}

STORE_TEST(test_a_locked_database_fails_puts_and_commands_and_heals) {
  int64_t first = put(f, "a");
  sqlite3 *other = lock_store(f);
  host_error error = {.kind = HOST_OK};
  const event_record record = record_of("b", "{}");
  response a = NO_RESPONSE;
  put_now(f, &record, on_put, &a);
  event_replay_result result;
  assert_false(event_store_replay(f->path, first, &result, &error));
  assert_non_null(strstr(error.message, "cannot write to"));
  assert_non_null(strstr(error.message, "locked"));
  await_responses(&a, 1);
  assert_int_equal(a.id, 0);
  assert_non_null(strstr(a.reason, "locked"));
  assert_int_equal(f->errors, 1);
  assert_non_null(strstr(f->last_error, "locked"));
  unlock_store(other);
  assert_true(put(f, "b") > first);
  assert_int_equal(f->heals, 1);
  assert_true(event_store_replay(f->path, first, &result, &error));
  close_store(f);
  assert_int_equal(query(f, "SELECT count(*) FROM events"), 2);
}

STORE_TEST(test_the_log_has_its_size_from_the_beginning) {
  int64_t size = log_size(f);
  assert_true(size > (4 << 20));
  put_many(f, "a", 20);
  assert_int_equal(log_size(f), size);
}

/* The child's descriptor is not this process's, whose locks on the file would go with it. */
static size_t read_beyond_first_page(const fixture *f, char *bytes, size_t size) {
  char command[160];
  (void)snprintf(command, sizeof command, "tail -c +4097 %s", f->path);
  FILE *pipe = popen(command, "r");
  assert_non_null(pipe);
  size_t count = fread(bytes, 1, size, pipe);
  assert_int_equal(pclose(pipe), 0);
  assert_in_range(count, 4096, size - 1);
  return count;
}

/* Writes over all but the first page; in a child for the same reason. */
static void scribble(const fixture *f, const char *bytes, size_t size) {
  pid_t child = fork();
  if (child == 0) {
    int file = open(f->path, O_RDWR);
    _exit(pwrite(file, bytes, size, 4096) == (ssize_t)size ? 0 : 1);
  }
  assert_child_succeeds(child);
}

/* Damages all but the first page, and returns what was there. While another process writes, the
 * store does not, and none of its tasks meets a half of the damage; and as the first page is
 * written, all that the store has in its memory is out of date. */
static size_t damage(const fixture *f, char *whole, size_t size) {
  execute(f, "PRAGMA wal_checkpoint(TRUNCATE)");
  sqlite3 *other = lock_store(f);
  size = read_beyond_first_page(f, whole, size);
  char *broken = malloc(size);
  assert_non_null(broken);
  memset(broken, 0xa5, size);
  scribble(f, broken, size);
  free(broken);
  char text[64];
  (void)snprintf(text, sizeof text, "PRAGMA user_version = %d; COMMIT", EVENT_SCHEMA_VERSION);
  assert_int_equal(sqlite3_exec(other, text, NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_close(other), SQLITE_OK);
  return size;
}

STORE_TEST(test_a_damaged_database_fails_puts_and_heals_with_it) {
  int64_t first = put(f, "a");
  static char whole[262144];
  size_t size = damage(f, whole, sizeof whole);
  char reason[256] = "";
  const event_record record = record_of("b", "{}");
  int64_t second = put_record(f, &record, reason, sizeof reason);
  int64_t third = put_record(f, &record, reason, sizeof reason);
  scribble(f, whole, size);
  assert_int_equal(second + third, 0);
  assert_non_null(strstr(reason, "malformed"));
  assert_int_equal(f->errors, 1);
  assert_non_null(strstr(f->last_error, "cannot write to"));
  assert_non_null(strstr(f->last_error, "malformed"));
  assert_true(put(f, "b") > first);
  assert_int_equal(f->heals, 1);
  close_store(f);
  assert_int_equal(query(f, "SELECT count(*) FROM events JOIN bodies USING (id)"), 2);
}

CLOSED_STORE_TEST(test_damage_that_maintenance_meets_before_a_put_is_logged_once) {
  f->decision_retention = 1000; /* a round each 200 ms */
  open_store(f);
  (void)put(f, "a");
  static char whole[262144];
  size_t size = damage(f, whole, sizeof whole);
  wait_for(f, &f->errors);
  const event_record record = record_of("b", "{}");
  assert_int_equal(put_record(f, &record, NULL, 0), 0);
  scribble(f, whole, size);
  assert_int_equal(f->errors, 1);
  assert_non_null(strstr(f->last_error, "cannot write to"));
  assert_true(put(f, "b") > 0);
  assert_int_equal(f->heals, 1);
}

STORE_TEST(test_a_damaged_database_is_not_opened) {
  (void)put(f, "a");
  close_store(f);
  static char broken[262144];
  size_t size = read_beyond_first_page(f, broken, sizeof broken);
  memset(broken, 0xa5, sizeof broken);
  scribble(f, broken, size);
  host_error error = {.kind = HOST_OK};
  assert_null(try_open(f, &error));
  assert_non_null(strstr(error.message, f->path));
  assert_non_null(strstr(error.message, "malformed"));
}
