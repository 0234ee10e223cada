/* Opens, checks and creates the database file of the event store. */
#include "event_store_file.h"

#include "event_store_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How long to wait for another process that writes, in tries of a millisecond. */
static const int patience = 3000;

/* The log is begun anew after a checkpoint. It grows while somebody reads for long, and is cut to
 * this after that: it would stay as big as it ever was otherwise. */
#define LOG_SIZE "8388608"

/* What is written over syncs in half the time of what makes its file grow, so the log is as big as
 * it gets from the beginning. */
#define LOG_AT_START ((sqlite3_int64)5 * 1024 * 1024)

static const char not_a_database[] = "%s is not a database; it was left as it is";

__attribute__((format(printf, 3, 4))) static bool fail(char *error, size_t size, const char *format,
                                                       ...) {
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(error, size, format, arguments);
  va_end(arguments);
  return false;
}

void event_file_reason(sqlite3 *db, char *reason, size_t size) {
  int code = sqlite3_errcode(db) & 0xff;
  int system = sqlite3_system_errno(db);
  /* The file itself was there: it is the log beside it that is not, and cannot be made. */
  bool is_closed = code == SQLITE_READONLY || (code == SQLITE_CANTOPEN && system == ENOENT);
  bool has_cause = code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_FULL;
  if (is_closed) {
    (void)snprintf(reason, size, "the file or its directory is read-only");
  } else if (has_cause && system != 0) {
    (void)snprintf(reason, size, "%s (%s)", sqlite3_errmsg(db), strerror(system));
  } else {
    (void)snprintf(reason, size, "%s", sqlite3_errmsg(db));
  }
}

bool event_file_fail(const event_file *file, const char *what, char *error, size_t size) {
  char reason[256];
  event_file_reason(file->db, reason, sizeof reason);
  return fail(error, size, "cannot %s %s: %s", what, file->path, reason);
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

bool event_file_ids(sqlite3 *db, int64_t *after, int64_t *last) {
  return event_file_read_integer(db, "SELECT (SELECT min(id) FROM events) - 1", after) &&
         event_file_read_integer(db, "SELECT (SELECT max(id) FROM events)", last);
}

/* Reads only: whatever this refuses must stay as it is. */
static bool check(event_file *file, char *error, size_t error_size) {
  int64_t pages, application, version;
  if (!event_file_read_integer(file->db, "PRAGMA page_count", &pages) ||
      !event_file_read_integer(file->db, "PRAGMA application_id", &application) ||
      !event_file_read_integer(file->db, "PRAGMA user_version", &version)) {
    if ((sqlite3_errcode(file->db) & 0xff) == SQLITE_NOTADB) {
      return fail(error, error_size, not_a_database, file->path);
    }
    return event_file_fail(file, "read", error, error_size);
  }
  file->version = pages == 0 ? 0 : (int)version;
  if (pages > 0 && application != EVENT_SCHEMA_APPLICATION_ID) {
    return fail(error, error_size, "%s is a database of another program; it was left as it is",
                file->path);
  }
  if (version > EVENT_SCHEMA_VERSION) {
    return fail(error, error_size,
                "%s was written by a later version of this program (schema %lld, this one knows "
                "%d); it was left as it is",
                file->path, (long long)version, EVENT_SCHEMA_VERSION);
  }
  return true;
}

static bool resolve(event_file *file, const char *path, char *error, size_t error_size) {
  struct stat status;
  file->path = realpath(path, NULL);
  if (file->path == NULL || stat(file->path, &status) != 0) {
    return fail(error, error_size, "cannot open %s: %s", path, strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(error, error_size, "cannot open %s: not a regular file", path);
  }
  /* Its log and its lock go by the name, so that two names would be two of each for one file. */
  if (status.st_nlink > 1) {
    return fail(error, error_size, "cannot open %s: the file has several names (hard links)", path);
  }
  /* SQLite takes a file of one byte for an empty one. */
  if (status.st_size == 1) {
    return fail(error, error_size, not_a_database, file->path);
  }
  return true;
}

/* Made before SQLite sees it, because the mode of this file is also given to the log: events hold
 * personal data. An existing file is not opened here, since closing a descriptor of a database
 * drops the locks this process holds on it. */
static bool touch(const char *path, char *error, size_t error_size) {
  int descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor >= 0) {
    (void)close(descriptor);
  } else if (errno != EEXIST) {
    return fail(error, error_size, "cannot create %s: %s", path, strerror(errno));
  }
  return true;
}

/* The lock file stays when the lock is gone: removing it would let two processes lock two files of
 * the same name. */
static bool lock(event_file *file, char *error, size_t error_size) {
  size_t size = strlen(file->path) + sizeof "-lock";
  char *path = malloc(size);
  if (path == NULL) {
    return fail(error, error_size, "out of memory");
  }
  (void)snprintf(path, size, "%s-lock", file->path);
  bool ok = true;
  file->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file->lock < 0) {
    ok = fail(error, error_size, "cannot open %s: %s", path, strerror(errno));
  } else if (flock(file->lock, LOCK_EX | LOCK_NB) != 0) {
    ok = errno == EWOULDBLOCK
             ? fail(error, error_size, "another process is serving from %s", file->path)
             : fail(error, error_size, "cannot lock %s: %s", path, strerror(errno));
  }
  free(path);
  return ok;
}

/* SQLite's own handler sleeps up to 100 ms at a time, and would hardly ever find the moment between
 * two transactions of a store that is busy. */
static int try_again(void *most, int tries) {
  (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  return tries < *(const int *)most;
}

static bool connect_to(event_file *file, int flags, char *error, size_t error_size) {
  if (sqlite3_open_v2(file->path, &file->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
    return file->db == NULL ? fail(error, error_size, "out of memory")
                            : event_file_fail(file, "open", error, error_size);
  }
  (void)sqlite3_busy_handler(file->db, try_again, (void *)(uintptr_t)&patience);
  (void)sqlite3_wal_autocheckpoint(file->db, 0); /* a commit would wait for it */
  /* Otherwise closing a file that was refused would move its log into it. */
  (void)sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
  return true;
}

static bool is_read_only(const event_file *file, char *error, size_t error_size) {
  return sqlite3_db_readonly(file->db, "main") != 0 &&
         !fail(error, error_size, "cannot write to %s: it is read-only", file->path);
}

/* Zeros behind the end of a log mean nothing to SQLite. Without room for them it grows as it has
 * to. */
static void fill_log(sqlite3_file *log) {
  static const char zeros[65536];
  sqlite3_int64 size = 0;
  if (log->pMethods == NULL || log->pMethods->xFileSize(log, &size) != SQLITE_OK) {
    return;
  }
  int code = SQLITE_OK;
  sqlite3_int64 end = size;
  for (; code == SQLITE_OK && end < LOG_AT_START; end += (sqlite3_int64)sizeof zeros) {
    code = log->pMethods->xWrite(log, zeros, (int)sizeof zeros, end);
  }
  if (code == SQLITE_OK) {
    (void)log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
  } else {
    (void)log->pMethods->xTruncate(log, size);
  }
}

/* In a transaction, so that no other process writes there meanwhile. */
static void make_log(event_file *file) {
  sqlite3_file *log = NULL;
  if (sqlite3_exec(file->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK) {
    if (sqlite3_file_control(file->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
        log != NULL) {
      fill_log(log);
    }
    (void)sqlite3_exec(file->db, "COMMIT", NULL, NULL, NULL);
  }
}

static bool prepare_to_write(event_file *file, char *error, size_t error_size) {
  if (is_read_only(file, error, error_size)) {
    return false;
  }
  /* The schema is made before the log is turned on, so that the file itself always says whose it
   * is. The journal makes this whole or not at all. */
  if (file->version == 0 && !event_schema_create(file->db)) {
    return event_file_fail(file, "create", error, error_size);
  }
  if (sqlite3_exec(file->db,
                   "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                   " PRAGMA journal_size_limit = " LOG_SIZE ";",
                   NULL, NULL, NULL) != SQLITE_OK) {
    return event_file_fail(file, "prepare", error, error_size);
  }
  /* Without a log (some network file systems), readers would hold up commits. */
  int64_t has_log = 0;
  if (!event_file_read_integer(file->db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode",
                               &has_log)) {
    return event_file_fail(file, "prepare", error, error_size);
  }
  if (!has_log) {
    return fail(error, error_size,
                "cannot use %s: its file system does not support a write-ahead log", file->path);
  }
  if (file->version > 0 && !event_schema_migrate(file->db)) {
    return event_file_fail(file, "bring to this version", error, error_size);
  }
  file->version = EVENT_SCHEMA_VERSION;
  (void)sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, (int *)NULL);
  make_log(file);
  remember_parts(file);
  (void)sqlite3_busy_handler(file->db, NULL, NULL);
  file->is_writer = true;
  return true;
}

bool event_file_open(event_file *file, const char *path, char *error, size_t error_size) {
  *file = (event_file){.lock = -1};
  /* The first check keeps the lock file away from files that are not ours; the second is the one
   * that holds, now that nobody else can be creating the schema. */
  bool ok = touch(path, error, error_size) && resolve(file, path, error, error_size) &&
            connect_to(file, SQLITE_OPEN_READWRITE, error, error_size) &&
            check(file, error, error_size) && lock(file, error, error_size) &&
            check(file, error, error_size) && prepare_to_write(file, error, error_size);
  if (!ok) {
    event_file_close(file);
  }
  return ok;
}

static bool connect_beside(event_file *file, const char *path, bool writes, char *error,
                           size_t error_size) {
  *file = (event_file){.lock = -1};
  int flags = writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  bool ok = resolve(file, path, error, error_size) && connect_to(file, flags, error, error_size) &&
            check(file, error, error_size);
  if (ok && file->version == 0) {
    ok = fail(error, error_size, "%s holds no events: it is empty", file->path);
  }
  ok = ok && !(writes && is_read_only(file, error, error_size));
  if (ok && sqlite3_exec(file->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL) != SQLITE_OK) {
    ok = event_file_fail(file, "prepare", error, error_size);
  }
  if (!ok) {
    event_file_close(file);
  }
  return ok;
}

bool event_file_open_beside(event_file *file, const char *path, bool writes, char *error,
                            size_t error_size) {
  if (!connect_beside(file, path, writes, error, error_size)) {
    return false;
  }
  if (file->version == EVENT_SCHEMA_VERSION) {
    return true;
  }
  event_file_close(file);
  event_file owner;
  if (!event_file_open(&owner, path, error, error_size)) {
    return false;
  }
  event_file_close(&owner);
  return connect_beside(file, path, writes, error, error_size);
}

void event_file_close(event_file *file) {
  if (file->db != NULL) {
    if (file->is_writer) {
      (void)sqlite3_wal_checkpoint_v2(file->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
    (void)sqlite3_close(file->db);
  }
  /* Last: the next process may open the database from here on. */
  if (file->lock >= 0) {
    (void)close(file->lock);
  }
  free(file->path);
  *file = (event_file){.lock = -1};
}
