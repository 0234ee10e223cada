/* Opens, checks and creates the database file of the event store. */
#include "database_file.h"

#include "header_mark.h"
#include "lock_file.h"
#include "schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How long to wait for another process that writes, in tries of a millisecond. */
static const int timeout = 3000;

/* The log is restarted after a checkpoint. It grows during a long read, and is truncated to this
 * size after that; otherwise it would keep its largest size. */
#define LOG_SIZE "8388608"

#define CHECKPOINT_PAGES 1000 /* where no client waits */

/* Its tables are those of today, as far as they are read. */
#define OLDEST_READABLE 3

/* What is written over syncs in half the time of what makes its file grow, so the log is as big as
 * it gets from the beginning. */
#define LOG_AT_START ((sqlite3_int64)5 * 1024 * 1024)

static const char not_a_database[] = "%s is not a database; it was left as it is";
static const char foreign_database[] = "%s is a database of another program; it was left as it is";
static const char copy_without_log[] =
    "%s was in use, and the log beside it (-wal) is missing: without it events may be lost. Copy "
    "both, or the file once its process has ended. If sqlite3 made the copy or removed the log, "
    "nothing is lost: sqlite3 FILE 'PRAGMA journal_mode = DELETE'";
static const char foreign_log[] =
    "%s is whole, and the log beside it (-wal) is that of another file; remove that, as 'palenca "
    "serve' does when it starts";
static const char not_writable[] = "cannot write to %s: the file or its directory is read-only";
static const char hot_journal[] =
    "its last process was killed as it opened or closed it, and left a journal beside it "
    "(-journal), "
    "which can be rolled back only by a user who may write to the file and its directory";
static const char no_events[] = "%s holds no events: it is empty";
static const char later_version[] =
    "%s was written by a later version of this program (schema %lld, this one knows %d); it was "
    "left as it is";
static const char old_version[] =
    "%s was written by an earlier version of this program (schema %d): it can be read once "
    "'palenca serve' has started with it";

bool event_file_reason(sqlite3 *db, host_error *error) {
  int code = sqlite3_errcode(db) & 0xff;
  int system = sqlite3_system_errno(db);
  /* The file itself was there: it is the log beside it that is not, and cannot be made. */
  bool is_closed = code == SQLITE_READONLY || (code == SQLITE_CANTOPEN && system == ENOENT);
  bool has_journal = sqlite3_extended_errcode(db) == SQLITE_READONLY_ROLLBACK;
  bool has_cause = code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_FULL;
  if (has_journal) {
    return host_error_set(error, HOST_FAILED, "%s", hot_journal);
  }
  if (is_closed) {
    return host_error_set(error, HOST_FAILED, "the file or its directory is read-only");
  }
  if (has_cause && system != 0) {
    return host_error_set(error, HOST_FAILED, "%s (%s)", sqlite3_errmsg(db), strerror(system));
  }
  return host_error_set(error, HOST_FAILED, "%s", sqlite3_errmsg(db));
}

bool event_file_fail(const event_file *file, const char *what, host_error *error) {
  host_error reason;
  (void)event_file_reason(file->db, &reason);
  return host_error_set(error, HOST_FAILED, "cannot %s %s: %s", what, file->path, reason.message);
}

static void name_part(char name[4096], const char *path, const char *suffix) {
  (void)snprintf(name, 4096, "%s%s", path, suffix);
}

int64_t event_file_size(const char *path, const char *suffix) {
  char name[4096];
  struct stat status;
  name_part(name, path, suffix);
  return stat(name, &status) == 0 ? (int64_t)status.st_size : 0;
}

/* 0: there is none. A plain stat asks for the times as well: file systems that tell them exactly
 * to who has asked have to write them down at the next change then, before each commit. */
static uint64_t inode_of(const char *path, const char *suffix) {
  char name[4096];
  name_part(name, path, suffix);
#ifdef STATX_INO
  struct statx status;
  return statx(AT_FDCWD, name, 0, STATX_INO, &status) == 0 ? status.stx_ino : 0;
#else /* not in musl before 1.2.5 */
  struct stat status;
  return stat(name, &status) == 0 ? status.st_ino : 0;
#endif
}

static void remember_parts(event_file *file) {
  for (size_t i = 0; i < EVENT_FILE_PART_COUNT; i++) {
    file->parts[i] = inode_of(file->path, EVENT_FILE_PARTS[i]);
  }
}

const char *event_file_missing_part(const event_file *file) {
  for (size_t i = 0; i < EVENT_FILE_PART_COUNT; i++) {
    uint64_t inode = inode_of(file->path, EVENT_FILE_PARTS[i]);
    if (inode == 0 || inode != file->parts[i]) {
      return EVENT_FILE_PARTS[i];
    }
  }
  return NULL;
}

/* In one statement, and so at one point in time. */
bool event_file_ids(sqlite3 *db, int64_t *after, int64_t *last) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(db,
                               "SELECT (SELECT min(id) FROM events) - 1,"
                               " (SELECT max(id) FROM events)",
                               -1, &statement, NULL) == SQLITE_OK &&
            event_file_step(statement) == SQLITE_ROW;
  *after = ok ? sqlite3_column_int64(statement, 0) : 0;
  *last = ok ? sqlite3_column_int64(statement, 1) : 0;
  (void)sqlite3_finalize(statement);
  return ok;
}

static bool find_id(sqlite3 *db, const char *text, int64_t from, int64_t end, int64_t *id) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK;
  (void)sqlite3_bind_int64(statement, 1, from);
  (void)sqlite3_bind_int64(statement, 2, end);
  ok = ok && event_file_step(statement) == SQLITE_ROW;
  if (ok) {
    *id = sqlite3_column_int64(statement, 0);
  }
  (void)sqlite3_finalize(statement);
  return ok;
}

bool event_file_skip_up(sqlite3 *db, int64_t *after, int64_t last) {
  return *after >= last ||
         find_id(db,
                 "SELECT coalesce((SELECT min(id) - 1 FROM events WHERE id > ?1 AND id <= ?2), ?2)",
                 *after, last, after);
}

bool event_file_skip_down(sqlite3 *db, int64_t after, int64_t *last) {
  return *last <= after ||
         find_id(db, "SELECT coalesce((SELECT max(id) FROM events WHERE id <= ?1 AND id > ?2), ?2)",
                 *last, after, last);
}

typedef enum {
  READING,
  BEFORE_LOCK,
  LOCKED
} check_stage;

/* The log of a file that was replaced by this one. */
static bool check_log(const event_file *file, check_stage stage, host_error *error) {
  if (stage == READING) {
    return host_error_set(error, HOST_FAILED, foreign_log, file->path);
  }
  return stage == BEFORE_LOCK || event_mark_remove_log(file->path) ||
         host_error_set(error, HOST_FAILED, "cannot remove %s-wal: %s", file->path,
                        strerror(errno));
}

/* Before SQLite reads anything. */
static bool check_mark(const event_file *file, check_stage stage, host_error *error) {
  int code = SQLITE_OK;
  long long version = 0;
  switch (event_mark_read(file->db, file->path, &version, &code)) {
  case EVENT_MARK_READABLE:
    return true;
  case EVENT_MARK_NOT_A_DATABASE:
    return host_error_set(error, HOST_FAILED, not_a_database, file->path);
  case EVENT_MARK_FOREIGN:
    return host_error_set(error, HOST_FAILED, foreign_database, file->path);
  case EVENT_MARK_LATER:
    return host_error_set(error, HOST_FAILED, later_version, file->path, version,
                          EVENT_SCHEMA_VERSION);
  case EVENT_MARK_COPY:
    return host_error_set(error, HOST_FAILED, copy_without_log, file->path);
  case EVENT_MARK_FOREIGN_LOG:
    return check_log(file, stage, error);
  default:
    return host_error_set(error, HOST_FAILED, "cannot read %s: %s", file->path,
                          sqlite3_errstr(code));
  }
}

/* Reads only: whatever this rejects must stay as it is. */
static bool check(event_file *file, host_error *error) {
  int64_t pages, application, version;
  if (!event_file_read_integer(file->db, "PRAGMA page_count", &pages) ||
      !event_file_read_integer(file->db, "PRAGMA application_id", &application) ||
      !event_file_read_integer(file->db, "PRAGMA user_version", &version)) {
    if ((sqlite3_errcode(file->db) & 0xff) == SQLITE_NOTADB) {
      return host_error_set(error, HOST_FAILED, not_a_database, file->path);
    }
    return event_file_fail(file, "read", error);
  }
  file->version = pages == 0 ? 0 : (int)version;
  if (pages > 0 && application != EVENT_SCHEMA_APPLICATION_ID) {
    return host_error_set(error, HOST_FAILED, foreign_database, file->path);
  }
  if (version > EVENT_SCHEMA_VERSION) {
    return host_error_set(error, HOST_FAILED, later_version, file->path, (long long)version,
                          EVENT_SCHEMA_VERSION);
  }
  return true;
}

static bool resolve(event_file *file, const char *path, host_error *error) {
  struct stat status;
  file->path = realpath(path, NULL);
  if (file->path == NULL || stat(file->path, &status) != 0) {
    return host_error_set(error, HOST_FAILED, "cannot open %s: %s", path, strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return host_error_set(error, HOST_FAILED, "cannot open %s: not a regular file", path);
  }
  /* Its log and its lock go by the name, so that two names would be two of each for one file. */
  if (status.st_nlink > 1) {
    return host_error_set(error, HOST_FAILED,
                          "cannot open %s: the file has several names (hard links)", path);
  }
  /* SQLite takes a file of one byte for an empty one. */
  if (status.st_size == 1) {
    return host_error_set(error, HOST_FAILED, not_a_database, file->path);
  }
  return true;
}

/* Made before SQLite sees it, because the mode of this file is also given to the log: events hold
 * personal data. An existing file is not opened here, since closing a descriptor of a database
 * drops the locks this process holds on it. */
static bool touch(const char *path, host_error *error) {
  int descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor >= 0) {
    (void)close(descriptor);
  } else if (errno != EEXIST) {
    return host_error_set(error, HOST_FAILED, "cannot create %s: %s", path, strerror(errno));
  }
  return true;
}

/* SQLite's own handler sleeps up to 100 ms at a time, and would hardly ever hit the gap between
 * two transactions of a busy store. */
static int try_again(void *max_tries, int tries) {
  (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  return tries < *(const int *)max_tries;
}

static bool connect_to(event_file *file, int flags, host_error *error) {
  if (sqlite3_open_v2(file->path, &file->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
    return file->db == NULL ? host_error_set(error, HOST_FAILED, "out of memory")
                            : event_file_fail(file, "open", error);
  }
  (void)sqlite3_busy_handler(file->db, try_again, (void *)(uintptr_t)&timeout);
  (void)sqlite3_wal_autocheckpoint(file->db, 0); /* a commit would wait for it */
  /* Otherwise closing a rejected file would move its log into it. */
  (void)sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
  return true;
}

static bool is_writable(const event_file *file, host_error *error) {
  return sqlite3_db_readonly(file->db, "main") == 0 ||
         host_error_set(error, HOST_FAILED, not_writable, file->path);
}

/* SQLite ignores zeros after the end of a log. Without room for them it grows as it has to. */
static void fill_log(sqlite3_file *log, sqlite3_int64 upto) {
  static const char zeros[65536];
  sqlite3_int64 size = 0;
  if (log->pMethods->xFileSize(log, &size) != SQLITE_OK) {
    return;
  }
  int code = SQLITE_OK;
  sqlite3_int64 end = size;
  for (; code == SQLITE_OK && end < upto; end += (sqlite3_int64)sizeof zeros) {
    code = log->pMethods->xWrite(log, zeros, (int)sizeof zeros, end);
  }
  if (code == SQLITE_OK && end >= LOG_AT_START) { /* else the next commit does, or the last part */
    (void)log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
  } else if (code != SQLITE_OK) {
    (void)log->pMethods->xTruncate(log, size);
  }
}

sqlite3_file *event_file_log(sqlite3 *db) {
  sqlite3_file *log = NULL;
  bool ok = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK;
  return ok && log != NULL && log->pMethods != NULL ? log : NULL;
}

/* In a transaction, so that no other process writes there meanwhile. */
void event_file_fill_log(sqlite3 *db, int64_t size) {
  if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK) {
    sqlite3_file *log = event_file_log(db);
    if (log != NULL) {
      fill_log(log, size);
    }
    (void)sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
  }
}

/* Without a log (some network file systems), readers would hold up commits. */
static bool turn_log_on(event_file *file, host_error *error) {
  int64_t has_log = 0;
  int is_persistent = 1; /* who removes it is event_mark_close_log */
  if (!event_mark_create_log(file->path)) {
    return host_error_set(error, HOST_FAILED, "cannot create %s-wal: %s", file->path,
                          strerror(errno));
  }
  (void)sqlite3_file_control(file->db, "main", SQLITE_FCNTL_PERSIST_WAL, &is_persistent);
  if (sqlite3_exec(file->db,
                   "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                   " PRAGMA secure_delete = ON;" /* what is deleted is overwritten */
                   " PRAGMA journal_size_limit = " LOG_SIZE ";",
                   NULL, NULL, NULL) != SQLITE_OK ||
      !event_file_read_integer(file->db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode",
                               &has_log)) {
    return (sqlite3_errcode(file->db) & 0xff) == SQLITE_BUSY
               ? host_error_set(error, HOST_FAILED, "cannot open %s: another program is using it",
                                file->path)
               : event_file_fail(file, "prepare", error);
  }
  return has_log != 0 ||
         host_error_set(error, HOST_FAILED,
                        "cannot use %s: its file system does not support a write-ahead log",
                        file->path);
}

/* The mark of a copy without its log has to be in the file itself. */
static bool migrate(event_file *file, host_error *error) {
  bool has_changed = false;
  bool ok = event_schema_migrate(file->db, &has_changed) &&
            (!has_changed || sqlite3_wal_checkpoint_v2(file->db, NULL, SQLITE_CHECKPOINT_FULL, NULL,
                                                       NULL) == SQLITE_OK);
  return ok || event_file_fail(file, "bring to this version", error);
}

static bool prepare_to_write(event_file *file, host_error *error) {
  if (!event_mark_sync_switches(file->db)) {
    return event_file_fail(file, "prepare", error);
  }
  /* The schema is made before the log is turned on, so that the file itself always says whose it
   * is. The journal makes this atomic. */
  if (file->version == 0 && !event_schema_create(file->db)) {
    return event_file_fail(file, "create", error);
  }
  if (!turn_log_on(file, error) || (file->version > 0 && !migrate(file, error))) {
    return false;
  }
  file->version = EVENT_SCHEMA_VERSION;
  (void)sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, (int *)NULL);
  file->is_writer = true;
  return true;
}

static void attach_filter(event_file *file) {
  sqlite3_file *opened = NULL;
  int code = sqlite3_file_control(file->db, "main", SQLITE_FCNTL_FILE_POINTER, &opened);
  file->filter = code == SQLITE_OK ? read_filter_attach(opened) : NULL;
}

/* Keeps the lock file away from files that are not ours. */
static bool check_before_lock(event_file *file, host_error *error) {
  if (access(file->path, W_OK) != 0) {
    return host_error_set(error, HOST_FAILED, not_writable, file->path);
  }
  bool ok = connect_to(file, SQLITE_OPEN_READONLY, error) && check_mark(file, BEFORE_LOCK, error);
  (void)sqlite3_close(file->db);
  file->db = NULL;
  return ok;
}

/* Not opened for writing before the lock is there. The second check of the mark is the one that
 * holds, now that no other process can be creating the schema. */
static bool open_locked(event_file *file, const char *path, const char *role, host_error *error) {
  if (!resolve(file, path, error) || !check_before_lock(file, error)) {
    return false;
  }
  file->lock = event_lock_take(file->path, role, error);
  bool ok = file->lock >= 0 && connect_to(file, SQLITE_OPEN_READWRITE, error) &&
            is_writable(file, error) && check_mark(file, LOCKED, error) && check(file, error);
  if (ok && file->version == 0 && strcmp(role, EVENT_FILE_SERVER) != 0) {
    ok = host_error_set(error, HOST_FAILED, no_events, file->path);
  }
  ok = ok && prepare_to_write(file, error);
  if (ok) {
    attach_filter(file);
  }
  return ok;
}

bool event_file_open(event_file *file, const char *path, host_error *error) {
  *file = (event_file){.lock = -1};
  bool ok = touch(path, error) && open_locked(file, path, EVENT_FILE_SERVER, error);
  if (!ok) {
    event_file_close(file);
    return false;
  }
  event_file_fill_log(file->db, LOG_AT_START);
  sqlite3_file *log = event_file_log(file->db);
  file->log = log == NULL ? NULL : log_writer_attach(log);
  remember_parts(file);
  (void)sqlite3_busy_handler(file->db, NULL, NULL);
  return true;
}

bool event_file_open_alone(event_file *file, const char *path, const char *role,
                           host_error *error) {
  *file = (event_file){.lock = -1};
  bool ok = open_locked(file, path, role, error);
  if (!ok) {
    event_file_close(file);
    return false;
  }
  (void)sqlite3_wal_autocheckpoint(file->db, CHECKPOINT_PAGES);
  return true;
}

/* Rolls back what a process was writing outside the log as it was killed: a connection that only
 * reads cannot. If another process holds the lock, that one does it. */
static bool roll_back_journal(const event_file *file, host_error *error) {
  int64_t version;
  event_file writer = {.path = file->path};
  writer.lock = event_lock_take(file->path, "palenca events", error);
  if (writer.lock < 0) {
    return error->kind == HOST_HELD;
  }
  bool ok = connect_to(&writer, SQLITE_OPEN_READWRITE, error) &&
            (event_file_read_integer(writer.db, "PRAGMA schema_version", &version) ||
             event_file_fail(&writer, "read", error));
  (void)sqlite3_close(writer.db);
  event_lock_release(writer.lock);
  return ok;
}

static bool has_hot_journal(const event_file *file) {
  int64_t version;
  return !event_file_read_integer(file->db, "PRAGMA schema_version", &version) &&
         sqlite3_extended_errcode(file->db) == SQLITE_READONLY_ROLLBACK;
}

bool event_file_open_to_read(event_file *file, const char *path, host_error *error) {
  *file = (event_file){.lock = -1};
  bool ok = resolve(file, path, error) && connect_to(file, SQLITE_OPEN_READONLY, error) &&
            check_mark(file, READING, error);
  if (ok && has_hot_journal(file) && access(file->path, W_OK) == 0) {
    ok = roll_back_journal(file, error);
  }
  ok = ok && check(file, error);
  if (ok && file->version == 0) {
    ok = host_error_set(error, HOST_FAILED, no_events, file->path);
  } else if (ok && file->version < OLDEST_READABLE) {
    ok = host_error_set(error, HOST_FAILED, old_version, file->path, file->version);
  }
  if (!ok) {
    event_file_close(file);
  }
  return ok;
}

void event_file_close(event_file *file) {
  if (file->db != NULL) {
    (void)sqlite3_busy_handler(file->db, NULL, NULL);
    if (file->is_writer && !event_mark_close_log(file->db, file->path)) {
      (void)sqlite3_wal_checkpoint_v2(file->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
    (void)sqlite3_close(file->db);
  }
  log_writer_free(file->log);
  read_filter_free(file->filter);
  /* Last: the next process may open the database from here on. */
  event_lock_release(file->lock);
  free(file->path);
  *file = (event_file){.lock = -1};
}
