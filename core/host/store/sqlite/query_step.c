/* Steps a query, trying again for a short time while another process changes the header, and reads
 * a number from a database. */
#include "query_step.h"

#include <stddef.h>
#include <time.h>

/* Far longer than it takes to commit a change of the header, in tries of a millisecond. */
#define MAX_TRIES 200

/* Waits a little before the next try; false: there is none. */
static bool is_tried_again(sqlite3 *db, int *tries) {
  bool ok = sqlite3_extended_errcode(db) == SQLITE_READONLY_ROLLBACK && ++*tries < MAX_TRIES;
  if (ok) {
    (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  return ok;
}

int event_file_step(sqlite3_stmt *query) {
  int tries = 0;
  int code = sqlite3_step(query);
  while (code != SQLITE_ROW && code != SQLITE_DONE &&
         is_tried_again(sqlite3_db_handle(query), &tries)) {
    (void)sqlite3_reset(query);
    code = sqlite3_step(query);
  }
  return code;
}

bool event_file_read_integer(sqlite3 *db, const char *query, int64_t *value) {
  sqlite3_stmt *statement = NULL;
  int tries = 0;
  int code = sqlite3_prepare_v2(db, query, -1, &statement, NULL);
  while (code != SQLITE_OK && is_tried_again(db, &tries)) { /* it reads the schema */
    code = sqlite3_prepare_v2(db, query, -1, &statement, NULL);
  }
  bool ok = code == SQLITE_OK && event_file_step(statement) == SQLITE_ROW;
  *value = ok ? sqlite3_column_int64(statement, 0) : 0;
  (void)sqlite3_finalize(statement);
  return ok;
}
