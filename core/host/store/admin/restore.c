/* Makes a database of a backup. */
#include "backup.h"
#include "backup_file.h"
#include "clock.h"
#include "store/sqlite/database_file.h"
#include "store/sqlite/lock_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SLICE_MS 50
#define CHECK_OPERATIONS 100000 /* of SQLite, between two calls about the progress */

/* Ids begin at 10,000 a second of Unix time, and the lost database has hardly received more events
 * than that. These are for bursts, and for a clock that is behind. */
#define IDS_PER_MS 10
#define IDS_TO_SPARE 100000000

typedef struct {
  event_backup_progress progress;
  void *context;
  event_backup_report copied;
  bool is_stopped;
  event_restore_report *report;
  host_error *error;
} restore_run;

static bool stop(restore_run *run) {
  run->is_stopped = true;
  return host_error_set(run->error, HOST_STOPPED, "stopped");
}

static bool is_present(const char *path, const char *suffix) {
  char name[4096];
  struct stat status;
  (void)snprintf(name, sizeof name, "%s%s", path, suffix);
  return lstat(name, &status) == 0;
}

static bool is_place_free(const char *path, host_error *error) {
  if (is_present(path, "")) {
    return host_error_set(error, HOST_FAILED,
                          "%s exists: a restore makes a new database, and replaces none", path);
  }
  if (event_file_size(path, "-wal") > 0) {
    return host_error_set(error, HOST_FAILED,
                          "%s-wal is there, the log of a database that is not: keep it elsewhere, "
                          "or remove it",
                          path);
  }
  return event_lock_is_free(path, error);
}

/* ---- The copy ---- */

static bool copy_all(restore_run *run, event_backup *backup, sqlite3 *db) {
  event_admin_result result = EVENT_ADMIN_MORE;
  while (result == EVENT_ADMIN_MORE) {
    result = event_backup_step(backup, db, clock_steady_ms() + SLICE_MS, &run->copied, run->error);
    if (!run->progress(run->context, &run->copied)) {
      return stop(run);
    }
  }
  if (result == EVENT_ADMIN_LATER) {
    return host_error_set(run->error, HOST_FAILED, "another process writes to the backup");
  }
  return run->error->kind == HOST_OK;
}

static bool copy(restore_run *run, const char *from, const char *to) {
  event_file file;
  if (!event_file_open_to_read(&file, from, run->error)) {
    return false;
  }
  event_backup *backup = event_backup_new(to);
  run->error->kind = HOST_OK;
  bool ok = backup != NULL ? copy_all(run, backup, file.db)
                           : host_error_set(run->error, HOST_FAILED, "out of memory");
  event_backup_free(backup);
  event_file_close(&file);
  return ok;
}

/* ---- What is checked and changed in it ---- */

static int on_operations(void *context) {
  restore_run *run = context;
  run->is_stopped = run->is_stopped || !run->progress(run->context, &run->copied);
  return run->is_stopped;
}

static bool check(restore_run *run, sqlite3 *db, const char *name) {
  sqlite3_stmt *statement = NULL;
  sqlite3_progress_handler(db, CHECK_OPERATIONS, on_operations, run);
  bool ok = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &statement, NULL) == SQLITE_OK;
  int step = ok ? sqlite3_step(statement) : SQLITE_ERROR;
  const char *found = step == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
  ok = found != NULL && strcmp(found, "ok") == 0;
  if (!ok && !run->is_stopped) {
    (void)host_error_set(run->error, HOST_FAILED, "%s is damaged: %s", name,
                         found != NULL ? found : sqlite3_errmsg(db));
  }
  (void)sqlite3_finalize(statement);
  sqlite3_progress_handler(db, 0, NULL, NULL);
  return run->is_stopped ? stop(run) : ok;
}

static bool skip_ids(restore_run *run, sqlite3 *db) {
  char text[256];
  (void)snprintf(text, sizeof text,
                 "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;"
                 " UPDATE ids SET last = max(last, coalesce((SELECT max(id) FROM events), 0), %lld)"
                 " + %d",
                 (long long)clock_unix_ms() * IDS_PER_MS, IDS_TO_SPARE);
  return sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK &&
         event_file_read_integer(db, "SELECT last FROM ids", &run->report->last_id) &&
         event_file_read_integer(db, "SELECT count(*) FROM events", &run->report->events);
}

static bool prepare(restore_run *run, const char *from, const char *partial) {
  sqlite3 *db = NULL;
  bool ok =
      sqlite3_open_v2(partial, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK;
  ok = ok && check(run, db, from);
  if (ok && !skip_ids(run, db)) {
    host_error reason;
    (void)event_file_reason(db, &reason);
    ok = host_error_set(run->error, HOST_FAILED, "cannot write to %s: %s", partial, reason.message);
  }
  (void)sqlite3_close(db);
  return ok;
}

/* Which events of the lost database had started is of no use for those of the backup. */
static void remove_started(const char *path) {
  char name[4096];
  (void)snprintf(name, sizeof name, "%s-started", path);
  (void)unlink(name);
}

/* Whoever has come to serve from there meanwhile holds the lock, or has left a database. */
static bool put_in_place(event_backup_file *file, host_error *error) {
  int lock = event_lock_take_place(file->name, file->partial, "palenca events", error);
  if (lock < 0) {
    return false;
  }
  if (!is_present(file->name, "")) {
    remove_started(file->name);
  }
  bool ok = event_backup_file_keep(file, error);
  event_lock_release(lock);
  return ok;
}

bool event_store_restore(const char *from, const char *path, event_backup_progress progress,
                         void *context, event_restore_report *report, host_error *error) {
  restore_run run = {.progress = progress, .context = context, .report = report, .error = error};
  event_backup_file file;
  *report = (event_restore_report){0};
  if (!is_place_free(path, error) || !event_backup_file_open(&file, path, false, NULL, error)) {
    return false;
  }
  bool ok = copy(&run, from, file.partial) && event_backup_file_complete(&file, error) &&
            prepare(&run, from, file.partial) && put_in_place(&file, error);
  event_backup_file_close(&file);
  return ok;
}
