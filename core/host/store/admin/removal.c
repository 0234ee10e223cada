/* Removes a database that a start has made, and that was not used. */
#include "store/event_admin.h"
#include "store/sqlite/database_file.h"
#include "store/sqlite/lock_file.h"
#include "store/sqlite/started_events.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_empty(const char *path) {
  sqlite3 *db = NULL;
  sqlite3_stmt *query = NULL;
  bool empty = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
               sqlite3_prepare_v2(db, "SELECT EXISTS(SELECT 1 FROM events)", -1, &query, NULL) ==
                   SQLITE_OK &&
               sqlite3_step(query) == SQLITE_ROW && sqlite3_column_int(query, 0) == 0;
  (void)sqlite3_finalize(query);
  (void)sqlite3_close(db);
  return empty;
}

static void remove_part(const char *path, const char *suffix) {
  char name[PATH_MAX];
  if (snprintf(name, sizeof name, "%s%s", path, suffix) < (int)sizeof name) {
    (void)unlink(name);
  }
}

/* The lock is held until its file is gone, too: see event_lock_take. */
bool event_store_remove_empty(const char *path) {
  struct stat found;
  host_error error;
  if (lstat(path, &found) != 0 || !S_ISREG(found.st_mode)) {
    return false;
  }
  int lock = event_lock_take(path, EVENT_FILE_SERVER, &error);
  if (lock < 0) {
    return false;
  }
  bool removes = event_file_size(path, "-wal") == 0 && is_empty(path);
  if (removes) {
    remove_part(path, STARTED_EVENTS_SUFFIX);
    for (size_t i = 0; i < EVENT_FILE_PART_COUNT; i++) {
      remove_part(path, EVENT_FILE_PARTS[i]);
    }
  }
  event_lock_release(lock);
  return removes;
}
