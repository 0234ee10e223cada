/* Reads and sets the marks in the header of a database file: whose it is, and whether it is
 * complete without its log. */
#include "header_mark.h"

#include "lock_file.h"
#include "schema.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How long to wait for another process, in tries of a millisecond. */
#define MAX_LOCK_TRIES 3000
#define MAX_CLOSE_TRIES 1000

/* Of SQLite's file format. */
#define HEADER_SIZE 100
#define MAGIC "SQLite format 3"
enum {
  READ_VERSION = 19, /* of the file format: ROLLBACK or LOG */
  COOKIE = 40,
  USER_VERSION = 60,
  APPLICATION_ID = 68
};
enum {
  ROLLBACK = 1,
  LOG = 2
};

/* Earlier versions of the schema left the header as it was at a clean close. */
#define FIRST_MARKED_VERSION 4

static void wait_briefly(void) {
  (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static uint32_t number_at(const unsigned char *header, int offset) {
  const unsigned char *at = header + offset;
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* An empty log holds nothing, and SQLite ignores it. -1: there is none. */
static int64_t log_size(const char *path) {
  char name[PATH_MAX];
  struct stat status;
  (void)snprintf(name, sizeof name, "%s-wal", path);
  return stat(name, &status) == 0 ? (int64_t)status.st_size : -1;
}

static event_mark judge(const unsigned char *header, sqlite3_int64 file_size, int64_t log) {
  if (file_size == 0) {
    return log > 0 ? EVENT_MARK_FOREIGN_LOG : EVENT_MARK_READABLE;
  }
  if (file_size < HEADER_SIZE || memcmp(header, MAGIC, sizeof MAGIC) != 0) {
    return EVENT_MARK_NOT_A_DATABASE;
  }
  if (number_at(header, APPLICATION_ID) != EVENT_SCHEMA_APPLICATION_ID) {
    return EVENT_MARK_FOREIGN;
  }
  if (number_at(header, USER_VERSION) > EVENT_SCHEMA_VERSION) {
    return EVENT_MARK_LATER;
  }
  bool is_marked = number_at(header, USER_VERSION) >= FIRST_MARKED_VERSION;
  bool is_backup = is_marked && number_at(header, COOKIE) < EVENT_SCHEMA_COOKIE;
  if ((header[READ_VERSION] == ROLLBACK || is_backup) && log > 0) {
    return EVENT_MARK_FOREIGN_LOG;
  }
  bool is_copy = header[READ_VERSION] == LOG && log < 0 && is_marked && !is_backup;
  return is_copy ? EVENT_MARK_COPY : EVENT_MARK_READABLE;
}

/* By SQLite's own descriptor, since closing another one would end the locks that this process holds
 * on the file. While it holds the shared lock the header does not change. */
event_mark event_mark_read(sqlite3 *db, const char *path, long long *version, int *code) {
  sqlite3_file *file = NULL;
  unsigned char header[HEADER_SIZE] = {0};
  sqlite3_int64 size = 0;
  (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  for (int tries = 0; (*code = file->pMethods->xLock(file, SQLITE_LOCK_SHARED)) == SQLITE_BUSY &&
                      tries < MAX_LOCK_TRIES;
       tries++) {
    wait_briefly();
  }
  if (*code != SQLITE_OK) {
    return EVENT_MARK_UNREADABLE;
  }
  *code = file->pMethods->xFileSize(file, &size);
  if (*code == SQLITE_OK && size >= HEADER_SIZE) {
    *code = file->pMethods->xRead(file, header, HEADER_SIZE, 0);
  }
  int64_t log = log_size(path);
  (void)file->pMethods->xUnlock(file, SQLITE_LOCK_NONE);
  *version = number_at(header, USER_VERSION);
  return *code == SQLITE_OK ? judge(header, size, log) : EVENT_MARK_UNREADABLE;
}

static bool sync_directory(const char *path) {
  char name[PATH_MAX];
  (void)snprintf(name, sizeof name, "%s", path);
  char *slash = strrchr(name, '/');
  if (slash != NULL) {
    slash[slash == name] = '\0';
  }
  int directory = open(slash != NULL ? name : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  /* Some file systems cannot, and have nothing to sync then. */
  bool ok = directory >= 0 && (fsync(directory) == 0 || errno == EINVAL || errno == ENOTSUP);
  if (directory >= 0) {
    (void)close(directory);
  }
  return ok;
}

bool event_mark_create_log(const char *path) {
  int log = event_lock_open_beside(path, "-wal", 0666);
  if (log < 0) {
    return false;
  }
  (void)close(log);
  return sync_directory(path);
}

bool event_mark_remove_log(const char *path) {
  static const char *const suffixes[] = {"-wal", "-shm"};
  bool ok = true;
  for (int i = 0; ok && i < 2; i++) {
    char name[PATH_MAX];
    (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
    ok = unlink(name) == 0 || errno == ENOENT;
  }
  return ok;
}

bool event_mark_sync_switches(sqlite3 *db) {
  return sqlite3_exec(db, "PRAGMA synchronous = EXTRA", NULL, NULL, NULL) == SQLITE_OK;
}

static bool leave_log(sqlite3 *db) {
  sqlite3_stmt *statement = NULL;
  bool ok =
      sqlite3_prepare_v2(db, "PRAGMA journal_mode = DELETE", -1, &statement, NULL) == SQLITE_OK &&
      sqlite3_step(statement) == SQLITE_ROW &&
      strcmp((const char *)sqlite3_column_text(statement, 0), "delete") == 0;
  (void)sqlite3_finalize(statement);
  return ok;
}

static bool exclude_others(sqlite3 *db) {
  return sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) == SQLITE_OK;
}

/* While others read, whose transactions are short. */
static bool try_for_a_while(sqlite3 *db, bool (*act)(sqlite3 *db)) {
  bool ok = act(db);
  for (int tries = 0; !ok && (sqlite3_errcode(db) & 0xff) == SQLITE_BUSY && tries < MAX_CLOSE_TRIES;
       tries++) {
    wait_briefly();
    ok = act(db);
  }
  return ok;
}

bool event_mark_close_log(sqlite3 *db, const char *path) {
  int is_persistent = 1; /* SQLite would remove it before the header says so */
  bool ok =
      sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &is_persistent) == SQLITE_OK &&
      event_mark_sync_switches(db) && try_for_a_while(db, leave_log);
  /* No reader can start meanwhile. An empty log that remains counts as none. */
  if (ok && try_for_a_while(db, exclude_others)) {
    (void)event_mark_remove_log(path);
    (void)sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
  }
  return ok;
}
