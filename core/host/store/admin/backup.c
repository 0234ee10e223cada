/* Copies a database to a file in steps, by SQLite's online backup. */
#include "backup.h"

#include "backup_file.h"
#include "clock.h"
#include "store/sqlite/database_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PAGES 8 /* between two readings of the clock */

struct event_backup {
  char *file;
  sqlite3 *to;          /* NULL: not open yet, or closed */
  sqlite3_backup *copy; /* likewise */
  bool was_opened;
};

event_backup *event_backup_new(const char *file) {
  event_backup *backup = calloc(1, sizeof *backup);
  char *name = strdup(file);
  if (backup == NULL || name == NULL) {
    free(name);
    free(backup);
    return NULL;
  }
  backup->file = name;
  return backup;
}

static void close_copy(event_backup *backup) {
  (void)sqlite3_backup_finish(backup->copy); /* its failure is that of the last step */
  (void)sqlite3_close(backup->to);
  backup->copy = NULL;
  backup->to = NULL;
}

void event_backup_leave(event_backup *backup) {
  close_copy(backup);
  if (backup->was_opened) {
    event_backup_file_remove_orphan(backup->file);
  }
}

void event_backup_free(event_backup *backup) {
  if (backup != NULL) {
    close_copy(backup);
    free(backup->file);
    free(backup);
  }
}

static event_admin_result fail(event_backup *backup, sqlite3 *db, host_error *error) {
  host_error reason;
  (void)event_file_reason(db, &reason);
  (void)host_error_set(error, HOST_FAILED, "cannot copy the database to %s: %s", backup->file,
                       reason.message);
  close_copy(backup);
  return EVENT_ADMIN_DONE;
}

/* Its name is that of another process: nothing else is to be written to, or removed. */
static bool is_partial_file(const char *file, sqlite3 *db) {
  struct stat copy, database;
  size_t size = strlen(file), end = strlen(EVENT_BACKUP_PARTIAL);
  return size > end && strcmp(file + size - end, EVENT_BACKUP_PARTIAL) == 0 &&
         lstat(file, &copy) == 0 && S_ISREG(copy.st_mode) &&
         stat(sqlite3_db_filename(db, "main"), &database) == 0 &&
         (copy.st_ino != database.st_ino || copy.st_dev != database.st_dev);
}

/* A copy that is not complete is removed, so it needs neither a journal nor a sync. */
static bool open_copy(event_backup *backup, sqlite3 *db) {
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
  bool ok = sqlite3_open_v2(backup->file, &backup->to, flags, NULL) == SQLITE_OK &&
            sqlite3_exec(backup->to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL,
                         NULL, NULL) == SQLITE_OK;
  backup->copy = ok ? sqlite3_backup_init(backup->to, "main", db, "main") : NULL;
  return backup->copy != NULL;
}

event_admin_result event_backup_step(event_backup *backup, sqlite3 *db, int64_t until,
                                     event_backup_report *report, host_error *error) {
  if (!backup->was_opened && !is_partial_file(backup->file, db)) {
    (void)host_error_set(error, HOST_FAILED, "%s is no file for a backup", backup->file);
    return EVENT_ADMIN_DONE;
  }
  backup->was_opened = true;
  if (backup->copy == NULL && !open_copy(backup, db)) {
    return fail(backup, backup->to, error);
  }
  int code;
  do {
    code = sqlite3_backup_step(backup->copy, PAGES);
  } while (code == SQLITE_OK && clock_steady_ms() < until);
  report->pages = sqlite3_backup_pagecount(backup->copy);
  report->copied = report->pages - sqlite3_backup_remaining(backup->copy);
  if (code == SQLITE_OK) {
    return EVENT_ADMIN_MORE;
  }
  if ((code & 0xff) == SQLITE_BUSY || code == SQLITE_LOCKED) {
    return EVENT_ADMIN_LATER;
  }
  if (code != SQLITE_DONE) {
    (void)sqlite3_backup_finish(backup->copy); /* gives its failure to the connection */
    backup->copy = NULL;
    return fail(backup, backup->to, error);
  }
  close_copy(backup);
  return EVENT_ADMIN_DONE;
}
