/* A number from a database. */
#include "integer.h"

#include <stddef.h>

bool event_file_read_integer(sqlite3 *db, const char *query, int64_t *value) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(db, query, -1, &statement, NULL) == SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_ROW;
  *value = ok ? sqlite3_column_int64(statement, 0) : 0;
  (void)sqlite3_finalize(statement);
  return ok;
}
