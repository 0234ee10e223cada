/* Creates the tables of the event store, and migrates those of earlier versions. */
#include "schema.h"

#include "purge.h"
#include "query_step.h"

#define TEXT_OF_(value) #value
#define TEXT_OF(value) TEXT_OF_(value)

/* Bodies are in a table of their own, which is only appended to: what changes with each step of
 * an event are small rows, of which many are on one page. Handlers identify events by id, so an
 * id is not reused even if rows are deleted: `ids` has the highest one that was. SQLite's own
 * AUTOINCREMENT would write it with each event. And ids begin at the time of creation, so that
 * those of a database that replaces a lost one are new as well. They have 14 digits: JSON
 * encoders that write numbers with %.14g, as lua-cjson does, write all of them. The indexes are
 * partial so that finished events, of which there is no end, leave them; and none has an account
 * or a body in it, since a key that is as good as random costs a page with each event. */
#define TABLES                                                                                     \
  "CREATE TABLE events ("                                                                          \
  " id INTEGER PRIMARY KEY,"                                                                       \
  " action TEXT NOT NULL,"                                                                         \
  " account_id TEXT,"                                                                              \
  " state INTEGER NOT NULL,"                                                                       \
  " attempts INTEGER NOT NULL,"                                                                    \
  " replays INTEGER NOT NULL,"                                                                     \
  " received_at INTEGER NOT NULL,"                                                                 \
  " due_at INTEGER NOT NULL,"                                                                      \
  " finished_at INTEGER,"                                                                          \
  " error TEXT);"                                                                                  \
  "CREATE TABLE bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL);"                              \
  "CREATE TABLE ids (last INTEGER NOT NULL);"                                                      \
  "CREATE TRIGGER events_deleted BEFORE DELETE ON events"                                          \
  " WHEN old.id = (SELECT max(id) FROM events)"                                                    \
  " BEGIN UPDATE ids SET last = max(last, old.id); END;"                                           \
  "CREATE INDEX events_unfinished ON events(state, due_at) WHERE state < 3;"                       \
  "CREATE INDEX events_dead ON events(state) WHERE state = 4;"

/* Since version 3. `serving`: options of the last process that served, for commands that run
 * beside it. The generation of a timer is that of the last list that had it. */
#define MORE_TABLES                                                                                \
  "CREATE TABLE timers ("                                                                          \
  " name TEXT PRIMARY KEY,"                                                                        \
  " interval INTEGER NOT NULL,"                                                                    \
  " due_at INTEGER NOT NULL,"                                                                      \
  " generation INTEGER NOT NULL) WITHOUT ROWID;"                                                   \
  "CREATE TABLE serving (redelivery_window INTEGER NOT NULL);"                                     \
  "INSERT INTO serving VALUES (0);"

/* Since version 5. `subject` is the event's id, but of entries that record a removal. The data of a
 * decision, which is large and may be removed, is in a table of its own. The only row of `ledger`
 * says what the first entry and the last one have to be. */
#define LEDGER_TABLES                                                                              \
  "CREATE TABLE decisions ("                                                                       \
  " number INTEGER PRIMARY KEY,"                                                                   \
  " kind INTEGER NOT NULL,"                                                                        \
  " subject INTEGER NOT NULL,"                                                                     \
  " attempt INTEGER NOT NULL,"                                                                     \
  " replay INTEGER NOT NULL,"                                                                      \
  " recorded_at INTEGER NOT NULL,"                                                                 \
  " facts TEXT NOT NULL,"                                                                          \
  " rows_digest BLOB NOT NULL,"                                                                    \
  " data_digest BLOB NOT NULL,"                                                                    \
  " previous BLOB NOT NULL,"                                                                       \
  " hash BLOB NOT NULL);"                                                                          \
  "CREATE TABLE decision_data ("                                                                   \
  " number INTEGER PRIMARY KEY,"                                                                   \
  " account_id TEXT NOT NULL,"                                                                     \
  " user_id TEXT NOT NULL,"                                                                        \
  " rows BLOB NOT NULL,"                                                                           \
  " details BLOB NOT NULL);"                                                                       \
  "CREATE TABLE ledger ("                                                                          \
  " id INTEGER PRIMARY KEY,"                                                                       \
  " first INTEGER NOT NULL,"                                                                       \
  " before BLOB NOT NULL,"                                                                         \
  " last INTEGER NOT NULL,"                                                                        \
  " head BLOB NOT NULL);"                                                                          \
  "INSERT INTO ledger VALUES (1, 1, zeroblob(32), 0, zeroblob(32));"

/* Since version 6: what a run of an event's handlers, its last one that was recorded, had of the
 * API, compressed. `decision` is the number of its entry in the ledger, or 0. */
#define RESPONSE_TABLES                                                                            \
  "CREATE TABLE event_responses ("                                                                 \
  " id INTEGER PRIMARY KEY,"                                                                       \
  " attempt INTEGER NOT NULL,"                                                                     \
  " replay INTEGER NOT NULL,"                                                                      \
  " started_at INTEGER NOT NULL,"                                                                  \
  " recorded_at INTEGER NOT NULL,"                                                                 \
  " decision INTEGER NOT NULL,"                                                                    \
  " size INTEGER NOT NULL,"                                                                        \
  " omitted INTEGER NOT NULL,"                                                                     \
  " responses BLOB NOT NULL);"                                                                     \
  "CREATE INDEX event_responses_recorded ON event_responses(recorded_at);"

/* Since version 7: the traceparent and the X-Request-Id of the request that has brought an event,
 * if there was one of them. */
#define TRACE_TABLE                                                                                \
  "CREATE TABLE IF NOT EXISTS event_traces ("                                                      \
  " id INTEGER PRIMARY KEY,"                                                                       \
  " traceparent TEXT,"                                                                             \
  " request_id TEXT);"

/* Since version 7: the events that were queued because no webhook had come, see reconciled.h. */
#define RECONCILED_TABLE                                                                           \
  "CREATE TABLE reconciled ("                                                                      \
  " account_id TEXT PRIMARY KEY,"                                                                  \
  " event INTEGER NOT NULL,"                                                                       \
  " until INTEGER NOT NULL) WITHOUT ROWID;"

/* Since version 8: one row for each attempt that has ended, with the last of the lines that its
 * handlers have logged. Of one that was interrupted the duration is not known. */
#define ATTEMPTS_TABLE                                                                             \
  "CREATE TABLE attempts ("                                                                        \
  " id INTEGER NOT NULL,"                                                                          \
  " replay INTEGER NOT NULL,"                                                                      \
  " attempt INTEGER NOT NULL,"                                                                     \
  " started_at INTEGER,"                                                                           \
  " duration INTEGER,"                                                                             \
  " outcome INTEGER NOT NULL,"                                                                     \
  " error TEXT,"                                                                                   \
  " lines TEXT,"                                                                                   \
  " lines_left_out INTEGER,"                                                                       \
  " PRIMARY KEY (id, replay, attempt)) WITHOUT ROWID;"

/* Since version 8: which ids were forgotten, by their digests, and when, see forget.h; and until
 * when what was purged had been received, see purge.h. */
#define FORGOTTEN_TABLES                                                                           \
  "CREATE TABLE forgotten (id INTEGER PRIMARY KEY, at INTEGER NOT NULL);"                          \
  "CREATE INDEX forgotten_at ON forgotten(at);"                                                    \
  "CREATE TABLE purged (received_at INTEGER NOT NULL);"

#define SET_VERSION "PRAGMA user_version = " TEXT_OF(EVENT_SCHEMA_VERSION) ";"
#define SET_COOKIE "PRAGMA schema_version = " TEXT_OF(EVENT_SCHEMA_COOKIE) ";"

static const char create[] =
    "PRAGMA auto_vacuum = INCREMENTAL;" /* before the first table, or it needs a VACUUM */
    "BEGIN IMMEDIATE;" TABLES MORE_TABLES LEDGER_TABLES RESPONSE_TABLES TRACE_TABLE RECONCILED_TABLE
        ATTEMPTS_TABLE FORGOTTEN_TABLES "INSERT INTO purged VALUES (0);"
    "INSERT INTO ids(last) VALUES (CAST(strftime('%s', 'now') AS INTEGER) * 10000);"
    "PRAGMA application_id = " TEXT_OF(EVENT_SCHEMA_APPLICATION_ID) ";" SET_VERSION SET_COOKIE
                                                                    "COMMIT;";

/* Version 1 had the body in the row, no replays, and never freed space. */
static const char from_1[] =
    "BEGIN IMMEDIATE;"
    "ALTER TABLE events RENAME TO events_1;"
    "DROP INDEX events_unfinished;"
    "DROP INDEX events_account;"
    "DROP INDEX events_dead;" TABLES
    "INSERT INTO events SELECT id, action, account_id, state, attempts, 0, received_at,"
    " due_at, finished_at, error FROM events_1 ORDER BY id;"
    "INSERT INTO bodies SELECT id, body FROM events_1 ORDER BY id;"
    "INSERT INTO ids SELECT seq FROM sqlite_sequence WHERE name = 'events_1';"
    "DROP TABLE events_1;"
    "PRAGMA user_version = 2;"
    "COMMIT;";

static const char from_2[] = "BEGIN IMMEDIATE;" MORE_TABLES "PRAGMA user_version = 3;"
                             "COMMIT;";

/* Version 4 had the tables of version 3, but earlier programs leave a closed file as if it were
 * not: the cookie below. */
static const char from_4[] = "BEGIN IMMEDIATE;" LEDGER_TABLES "PRAGMA user_version = 5;"
                             "COMMIT;";

static const char from_5[] = "BEGIN IMMEDIATE;" RESPONSE_TABLES "PRAGMA user_version = 6;"
                             "COMMIT;";

static const char from_6[] =
    "BEGIN IMMEDIATE;" TRACE_TABLE RECONCILED_TABLE "PRAGMA user_version = 7;"
    "COMMIT;";

static const char from_7[] = "BEGIN IMMEDIATE;" ATTEMPTS_TABLE FORGOTTEN_TABLES
                             "INSERT INTO purged " EVENT_PURGE_FIRST_DONE ";"
                             "PRAGMA user_version = 8;"
                             "COMMIT;";

/* Also for a backup, which begins without it. */
static const char set_cookie[] = "BEGIN IMMEDIATE;" SET_VERSION SET_COOKIE "COMMIT;";

/* Not in the transaction above, since SQLite cannot: a crash in between leaves the new version in
 * the old form, which is seen by this setting. */
static bool needs_vacuum(sqlite3 *db, bool *needed) {
  enum {
    INCREMENTAL = 2
  };
  int64_t mode;
  bool ok = event_file_read_integer(db, "PRAGMA auto_vacuum", &mode);
  *needed = ok && mode != INCREMENTAL;
  return ok;
}

bool event_schema_create(sqlite3 *db) {
  return sqlite3_exec(db, create, NULL, NULL, NULL) == SQLITE_OK;
}

bool event_schema_migrate(sqlite3 *db, bool *has_changed) {
  int64_t version, cookie;
  bool needed;
  if (!event_file_read_integer(db, "PRAGMA user_version", &version) ||
      !event_file_read_integer(db, "PRAGMA schema_version", &cookie)) {
    return false;
  }
  *has_changed = version < EVENT_SCHEMA_VERSION || cookie < EVENT_SCHEMA_COOKIE;
  if ((version < 2 && sqlite3_exec(db, from_1, NULL, NULL, NULL) != SQLITE_OK) ||
      (version < 3 && sqlite3_exec(db, from_2, NULL, NULL, NULL) != SQLITE_OK) ||
      (version < 5 && sqlite3_exec(db, from_4, NULL, NULL, NULL) != SQLITE_OK) ||
      (version < 6 && sqlite3_exec(db, from_5, NULL, NULL, NULL) != SQLITE_OK) ||
      (version < 7 && sqlite3_exec(db, from_6, NULL, NULL, NULL) != SQLITE_OK) ||
      (version < 8 && sqlite3_exec(db, from_7, NULL, NULL, NULL) != SQLITE_OK) ||
      (*has_changed && sqlite3_exec(db, set_cookie, NULL, NULL, NULL) != SQLITE_OK) ||
      !needs_vacuum(db, &needed)) {
    return false;
  }
  return !needed || sqlite3_exec(db, "PRAGMA auto_vacuum = INCREMENTAL; VACUUM;", NULL, NULL,
                                 NULL) == SQLITE_OK;
}
