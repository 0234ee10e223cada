/* Tests of what the header of a database says: whether its file is whole without a log. */
#include "host/store/store_fixture.h"

#include <errno.h>
#include <linux/capability.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef struct {
  char path[160];
} name;

static name beside(const fixture *f, const char *file) {
  name n;
  (void)snprintf(n.path, sizeof n.path, "%s/%s", f->directory, file);
  return n;
}

static bool is_there(const fixture *f, const char *file) {
  return access(beside(f, file).path, F_OK) == 0;
}

static void make_empty(const fixture *f, const char *file) {
  FILE *out = fopen(beside(f, file).path, "wb");
  assert_non_null(out);
  assert_int_equal(fclose(out), 0);
}

/* Another database of the same directory, closed. */
static fixture sibling(const fixture *f, const char *file) {
  fixture other = *f;
  other.loop = NULL;
  other.store = NULL;
  other.admin = NULL;
  other.worker_count = 0;
  (void)snprintf(other.path, sizeof other.path, "%.100s/%.16s", f->directory, file);
  return other;
}

static void copy(const fixture *f, const char *from, const char *to) {
  copy_file(beside(f, from).path, beside(f, to).path);
}

static fixture copy_database(const fixture *f) {
  copy(f, "events.db", "copy.db");
  return sibling(f, "copy.db");
}

/* What a process leaves that is killed while it serves, with some events in its log. */
static void leave_killed(fixture *f, int events) {
  pid_t child = fork();
  if (child == 0) {
    host_error error;
    f->store = try_open(f, &error);
    for (int i = 0; f->store != NULL && i < events; i++) {
      const event_record record = record_of("a", "{}");
      (void)put_record(f, &record, NULL, 0);
    }
    _exit(f->store != NULL ? 0 : 1);
  }
  assert_child_succeeds(child);
  f->first_id = query(f, "SELECT min(id) FROM events");
}

static void assert_rejected(const fixture *f, const char *reason) {
  fixture other = *f;
  host_error error = {.kind = HOST_OK};
  event_replay_result result;
  event_stats stats;
  listing l = {.f = f, .text = ""};
  const event_filter filter = {.state = NULL};
  assert_null(try_open(&other, &error));
  assert_non_null(strstr(error.message, reason));
  assert_non_null(strstr(error.message, f->path));
  error = (host_error){.kind = HOST_OK};
  assert_false(event_store_list(f->path, &filter, add_line, &l, &error));
  assert_non_null(strstr(error.message, reason));
  error = (host_error){.kind = HOST_OK};
  assert_false(event_store_stats(f->path, &stats, &error));
  event_stats_free(&stats);
  assert_non_null(strstr(error.message, reason));
  error = (host_error){.kind = HOST_OK};
  assert_false(event_store_replay(f->path, 1, &result, &error));
  assert_non_null(strstr(error.message, reason));
}

static void assert_events(fixture *f, int64_t count) {
  open_store(f);
  assert_int_equal(query(f, "SELECT count(*) FROM events"), count);
  assert_int_equal(query(f, "SELECT count(*) FROM pragma_integrity_check"
                            " WHERE integrity_check <> 'ok'"),
                   0);
  assert_true(put(f, NULL) > 0);
  close_store(f);
}

/* ---- A clean close ---- */

STORE_TEST(test_a_closed_file_is_complete_by_itself) {
  (void)put(f, "a");
  assert_true(is_there(f, "events.db-wal"));
  close_store(f);
  assert_false(is_there(f, "events.db-wal"));
  assert_false(is_there(f, "events.db-shm"));
  assert_int_equal(query(f, "SELECT journal_mode = 'delete' FROM pragma_journal_mode"), 1);
  fixture other = copy_database(f);
  assert_int_equal(count_listed(&other, NULL), 1);
  assert_events(&other, 1);
  assert_events(f, 1);
}

STORE_TEST(test_a_reader_keeps_the_log_beside_the_file) {
  (void)put(f, "a");
  sqlite3 *reader = NULL;
  assert_int_equal(sqlite3_open_v2(f->path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM events;", NULL, NULL, NULL),
                   SQLITE_OK);
  close_store(f);
  assert_true(is_there(f, "events.db-wal"));
  (void)sqlite3_close(reader);
  assert_events(f, 1);
  assert_false(is_there(f, "events.db-wal"));
}

/* ---- Copies ---- */

STORE_TEST(test_a_copy_of_a_live_file_without_its_log_is_rejected) {
  (void)put(f, "a");
  fixture other = copy_database(f);
  for (int i = 0; i < 2;
       i++) { /* the first time leaves nothing that the second one takes for a log */
    assert_rejected(&other, "the log beside it (-wal) is missing");
    assert_false(is_there(f, "copy.db-wal"));
  }
  copy(f, "events.db-wal", "copy.db-wal");
  assert_int_equal(count_listed(&other, NULL), 1);
  assert_events(&other, 1);
}

CLOSED_STORE_TEST(test_a_copy_of_a_killed_file_without_its_log_is_rejected) {
  leave_killed(f, 3);
  fixture other = copy_database(f);
  assert_rejected(&other, "the log beside it (-wal) is missing");
  assert_int_equal(count_listed(f, NULL), 3);
  assert_true(is_there(f, "events.db-wal"));
  assert_events(f, 3);
}

/* What the message says. */
STORE_TEST(test_a_rejected_copy_can_be_used_on_purpose) {
  (void)put(f, "a");
  fixture other = copy_database(f);
  execute(&other, "PRAGMA journal_mode = DELETE");
  assert_events(&other, 0);
}

STORE_TEST(test_a_copy_that_sqlite_makes_of_a_live_file_is_complete) {
  (void)put(f, "a");
  char text[256];
  fixture other = sibling(f, "copy.db");
  (void)snprintf(text, sizeof text, "VACUUM INTO '%s'", other.path);
  execute(f, text);
  assert_events(&other, 1);
}

/* As the command .backup of sqlite3 does. */
static void back_up(const fixture *f, const char *path) {
  sqlite3 *from = NULL, *to = NULL;
  assert_int_equal(sqlite3_open(f->path, &from), SQLITE_OK);
  assert_int_equal(sqlite3_open(path, &to), SQLITE_OK);
  sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
  assert_non_null(backup);
  assert_int_equal(sqlite3_backup_step(backup, -1), SQLITE_DONE);
  assert_int_equal(sqlite3_backup_finish(backup), SQLITE_OK);
  assert_int_equal(sqlite3_close(to), SQLITE_OK);
  assert_int_equal(sqlite3_close(from), SQLITE_OK);
}

STORE_TEST(test_a_backup_of_a_live_file_is_complete) {
  (void)put(f, "a");
  fixture other = sibling(f, "copy.db");
  back_up(f, other.path);
  assert_false(is_there(f, "copy.db-wal"));
  assert_int_equal(count_listed(&other, NULL), 1);
  assert_events(&other, 1);
  /* And is a live file itself from then on. */
  open_store(&other);
  copy(f, "copy.db", "again.db");
  fixture again = sibling(f, "again.db");
  assert_rejected(&again, "the log beside it (-wal) is missing");
  close_store(&other);
}

STORE_TEST(test_a_backup_does_not_take_the_log_of_the_file_it_replaces) {
  (void)put(f, "a");
  (void)put(f, "a");
  fixture other = sibling(f, "backup.db");
  back_up(f, other.path);
  close_store(f);
  leave_killed(f, 20);
  copy(f, "backup.db", "events.db");
  assert_events(f, 2);
  assert_int_equal(count_listed(f, NULL), 3);
}

/* Its only events are in the log when it is killed. */
CLOSED_STORE_TEST(test_a_restored_backup_keeps_its_own_log) {
  fixture other = sibling(f, "backup.db");
  open_store(f);
  back_up(f, other.path);
  close_store(f); /* a child of a process with a second thread must not use SQLite */
  leave_killed(&other, 3);
  assert_events(&other, 3);
}

/* ---- Crashes ---- */

/* Killed after the log was made, and before anything was in it. */
STORE_TEST(test_an_empty_log_is_a_log) {
  (void)put(f, "a");
  close_store(f);
  execute(f, "PRAGMA journal_mode = WAL");
  make_empty(f, "events.db-wal");
  assert_int_equal(count_listed(f, NULL), 1);
  assert_events(f, 1);
  make_empty(f, "events.db-wal"); /* before the header, and after it */
  assert_int_equal(count_listed(f, NULL), 2);
  assert_events(f, 2);
}

STORE_TEST(test_the_log_of_another_file_is_not_read) {
  (void)put(f, "a");
  (void)put(f, "a");
  close_store(f);
  copy(f, "events.db", "backup.db");
  leave_killed(f, 500);
  copy(f, "backup.db", "events.db");
  host_error error = {.kind = HOST_OK};
  listing l = {.f = f, .text = ""};
  const event_filter filter = {.state = NULL};
  assert_false(event_store_list(f->path, &filter, add_line, &l, &error));
  assert_non_null(strstr(error.message, "that of another file"));
  assert_events(f, 2);
  assert_int_equal(count_listed(f, NULL), 3);
}

/* ---- Beside a process that opens or closes it ---- */

static struct {
  sqlite3_vfs *base;
  int left; /* so many times a journal is there only as it is looked for */
} vanishing;

static int look_for(sqlite3_vfs *vfs, const char *path, int flags, int *result) {
  size_t size = strlen(path);
  (void)vfs;
  if (vanishing.left == 0 || size < 8 || strcmp(path + size - 8, "-journal") != 0) {
    return vanishing.base->xAccess(vanishing.base, path, flags, result);
  }
  vanishing.left--;
  *result = 1;
  return SQLITE_OK;
}

STORE_TEST(test_a_journal_that_vanishes_is_not_taken_for_that_of_a_dead_process) {
  (void)put(f, "a");
  close_store(f);
  vanishing.base = sqlite3_vfs_find(NULL);
  sqlite3_vfs vfs = *vanishing.base;
  vfs.zName = "vanishing";
  vfs.pNext = NULL;
  vfs.xAccess = look_for;
  assert_int_equal(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
  vanishing.left = 3;
  assert_int_equal(count_listed(f, NULL), 1);
  assert_int_equal(vanishing.left, 0);
  assert_int_equal(sqlite3_vfs_unregister(&vfs), SQLITE_OK);
}

/* What a process leaves that is killed while it writes outside the log: a change that is on disk in
 * part, with the journal that takes it back. */
static void leave_hot_journal(const fixture *f) {
  pid_t child = fork();
  if (child == 0) {
    sqlite3 *db = NULL;
    bool ok = sqlite3_open(f->path, &db) == SQLITE_OK &&
              sqlite3_exec(db,
                           "PRAGMA cache_size = 1; BEGIN; DELETE FROM events;"
                           "CREATE TABLE half (x); INSERT INTO half VALUES (zeroblob(1000000));",
                           NULL, NULL, NULL) == SQLITE_OK;
    _exit(ok ? 0 : 1);
  }
  assert_child_succeeds(child);
  assert_true(is_there(f, "events.db-journal"));
}

STORE_TEST(test_a_reader_rolls_back_the_journal_of_a_killed_process) {
  (void)put(f, "a");
  close_store(f);
  leave_hot_journal(f);
  assert_int_equal(count_listed(f, NULL), 1);
  assert_false(is_there(f, "events.db-journal"));
  assert_events(f, 1);
}

/* In a process that may not write to the file, even as root; 0: the reason is as it should be. */
static int read_without_rights(const fixture *f) {
  host_error error;
  event_stats stats;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
  if (syscall(SYS_capset, &header, none) != 0) {
    return 1;
  }
  return event_store_stats(f->path, &stats, &error) ||
                 strstr(error.message, "left a journal beside it") == NULL
             ? 1
             : 0;
}

STORE_TEST(test_a_reader_that_may_not_write_names_the_journal_of_a_killed_process) {
  (void)put(f, "a");
  close_store(f);
  leave_hot_journal(f);
  assert_int_equal(chmod(f->path, 0400), 0);
  pid_t child = fork();
  if (child == 0) {
    _exit(read_without_rights(f));
  }
  assert_child_succeeds(child);
  assert_true(is_there(f, "events.db-journal"));
  assert_int_equal(chmod(f->path, 0600), 0);
  assert_events(f, 1);
}

/* ---- Who holds it ---- */

STORE_TEST(test_the_holder_of_the_lock_is_named) {
  host_error error = {.kind = HOST_OK};
  char holder[64];
  assert_null(try_open(f, &error));
  (void)snprintf(holder, sizeof holder, "(process %ld, palenca serve)", (long)getpid());
  assert_non_null(strstr(error.message, holder));
}
