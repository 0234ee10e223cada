/* Has a backup made: by the process that serves, or without one by this process, which only reads.
 */
#include "backup.h"
#include "backup_file.h"
#include "client.h"
#include "clock.h"
#include "store/sqlite/database_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SLICE_MS 50
#define TRY_AGAIN_MS 20
#define MAX_BUSY_MS 5000 /* while others write that do not respond, or start or end */

static const event_admin_timeouts timeouts = {.connect_ms = 0, .silence_ms = 10000};

typedef struct {
  const char *path;
  event_backup_progress progress;
  void *context;
  event_backup_report *report;
  host_error *error;
  int fd; /* of what is written */
} backup_run;

typedef enum {
  COPIED,
  FAILED,
  DISTURBED /* another process has written to the database meanwhile */
} copy_result;

static void wait_briefly(void) {
  (void)nanosleep(&(struct timespec){.tv_nsec = TRY_AGAIN_MS * 1000000L}, NULL);
}

/* SQLite begins the copy again when another process has written: under load it would never end. */
static copy_result copy_undisturbed(const backup_run *run, event_backup *backup, sqlite3 *db) {
  int64_t first, version;
  event_admin_result result = EVENT_ADMIN_MORE;
  run->error->kind = HOST_OK;
  if (!event_file_read_integer(db, "PRAGMA data_version", &first)) {
    return DISTURBED;
  }
  while (result != EVENT_ADMIN_DONE) {
    result = event_backup_step(backup, db, clock_steady_ms() + SLICE_MS, run->report, run->error);
    if (!run->progress(run->context, run->report)) {
      (void)host_error_set(run->error, HOST_STOPPED, "stopped");
      return FAILED;
    }
    if (result == EVENT_ADMIN_LATER ||
        !event_file_read_integer(db, "PRAGMA data_version", &version) || version != first) {
      return run->error->kind == HOST_OK ? DISTURBED : FAILED;
    }
  }
  return run->error->kind == HOST_OK ? COPIED : FAILED;
}

static copy_result copy(const backup_run *run, const char *to) {
  event_file file;
  if (!event_file_open_to_read(&file, run->path, run->error)) {
    return FAILED;
  }
  copy_result result = FAILED;
  event_backup *backup = event_backup_new(to);
  if (backup == NULL) {
    (void)host_error_set(run->error, HOST_FAILED, "out of memory");
  } else {
    result = copy_undisturbed(run, backup, file.db);
  }
  event_backup_free(backup);
  event_file_close(&file);
  return result;
}

/* All at once at the end, it would hold up the commits of the process that serves. */
static bool sync_some(void *context, const event_backup_report *report) {
  const backup_run *run = context;
  (void)fdatasync(run->fd); /* a failure is that of the last one, too */
  return run->progress(run->context, report);
}

/* Whichever is possible: a process that serves may start or end at any time. */
static bool ask_or_copy(backup_run *run, const char *to) {
  const event_admin_request request = {.kind = EVENT_ADMIN_BACKUP, .file = to};
  int64_t end = clock_steady_ms() + MAX_BUSY_MS;
  event_admin_report report;
  for (;;) {
    if (event_admin_ask(run->path, &request, &timeouts, sync_some, run, &report, run->error)) {
      *run->report = report.backup;
      return true;
    }
    if (run->error->kind != HOST_UNREACHABLE) {
      return false;
    }
    copy_result result = copy(run, to);
    if (result != DISTURBED) {
      return result == COPIED;
    }
    if (clock_steady_ms() >= end) {
      return host_error_set(run->error, HOST_FAILED,
                            "%s is being written to by a process that does not respond at "
                            "%s-socket",
                            run->path, run->path);
    }
    wait_briefly();
  }
}

/* What belongs to the database is no place for its backup. */
static bool is_part(const char *path, const char *file) {
  size_t size = strlen(path);
  return strncmp(path, file, size) == 0 && (file[size] == '\0' || file[size] == '-');
}

static bool back_up(backup_run *run, const char *name, bool overwrites) {
  struct stat status;
  event_backup_file file;
  if (stat(run->path, &status) != 0) {
    return host_error_set(run->error, HOST_FAILED, "cannot open %s: %s", run->path,
                          strerror(errno));
  }
  if (!event_backup_file_open(&file, name, overwrites, &status, run->error)) {
    return false;
  }
  bool ok = !is_part(run->path, file.name) ||
            host_error_set(run->error, HOST_FAILED, "%s is a part of the database", file.name);
  run->fd = file.fd;
  ok = ok && ask_or_copy(run, file.partial) && event_backup_file_complete(&file, run->error) &&
       event_backup_file_keep(&file, run->error);
  event_backup_file_close(&file);
  return ok;
}

bool event_store_backup(const char *path, const char *file, bool overwrites,
                        event_backup_progress progress, void *context, event_backup_report *report,
                        host_error *error) {
  char *absolute = realpath(path, NULL);
  *report = (event_backup_report){0};
  if (absolute == NULL) {
    return host_error_set(error, HOST_FAILED, "cannot open %s: %s", path, strerror(errno));
  }
  backup_run run = {
      .path = absolute, .progress = progress, .context = context, .report = report, .error = error};
  bool ok = back_up(&run, file, overwrites);
  free(absolute);
  return ok;
}
