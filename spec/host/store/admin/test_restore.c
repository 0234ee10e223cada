/* Tests of a restore beside a process that serves from its place. */
#include "host/store/store_fixture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void name_beside(const fixture *f, const char *suffix, char name[160]) {
  (void)snprintf(name, 160, "%s%s", f->path, suffix);
}

static bool is_there(const fixture *f, const char *suffix) {
  char name[160];
  name_beside(f, suffix, name);
  return access(name, F_OK) == 0;
}

static bool go_on(void *context, const event_backup_report *report) {
  (void)context;
  (void)report;
  return true;
}

/* A process begins to serve while the backup is being copied. */
static bool serve(void *context, const event_backup_report *report) {
  fixture *f = context;
  (void)report;
  if (f->loop == NULL) {
    open_store(f);
  }
  return true;
}

/* Serves no more, and has left its database. */
static bool serve_and_end(void *context, const event_backup_report *report) {
  if (!is_there(context, "")) {
    (void)serve(context, report);
    close_store(context);
  }
  return true;
}

/* Of a database that is lost then, but for what said which of its events had started. */
static void back_up(fixture *f, char file[160]) {
  event_backup_report report;
  host_error error;
  name_beside(f, ".backup", file);
  assert_true(put(f, "a") > 0);
  close_store(f);
  assert_true(event_store_backup(f->path, file, false, go_on, NULL, &report, &error));
  assert_int_equal(unlink(f->path), 0);
}

STORE_TEST(test_a_process_that_serves_meanwhile_keeps_its_files) {
  char file[160];
  event_restore_report report;
  host_error error;
  back_up(f, file);
  assert_false(event_store_restore(file, f->path, serve, f, &report, &error));
  assert_int_equal(error.kind, HOST_HELD);
  assert_true(is_there(f, "-started"));
  assert_int_equal(count_listed(f, NULL), 0);
}

STORE_TEST(test_a_database_that_was_made_meanwhile_is_kept) {
  char file[160];
  event_restore_report report;
  host_error error;
  back_up(f, file);
  assert_false(event_store_restore(file, f->path, serve_and_end, f, &report, &error));
  assert_non_null(strstr(error.message, "exists already"));
  assert_int_equal(count_listed(f, NULL), 0);
}

STORE_TEST(test_what_had_started_of_the_lost_database_goes) {
  char file[160], started[160];
  event_restore_report report;
  host_error error;
  back_up(f, file);
  name_beside(f, "-started", started);
  FILE *left = fopen(started, "w");
  assert_non_null(left);
  assert_int_equal(fclose(left), 0);
  assert_true(event_store_restore(file, f->path, go_on, NULL, &report, &error));
  assert_false(is_there(f, "-started"));
  assert_int_equal(count_listed(f, NULL), 1);
  open_store(f);
}
