/* Turns SQLite's synchronous=FULL into NORMAL in a program that is linked with
 * --wrap=sqlite3_exec: what the power-cut test must not let pass. */
#include <sqlite3.h>
#include <string.h>

typedef int (*row_callback)(void *, int, char **, char **);

int __real_sqlite3_exec(sqlite3 *db, const char *sql, row_callback callback, void *context,
                        char **error);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, row_callback callback, void *context,
                        char **error);

int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, row_callback callback, void *context,
                        char **error) {
  int result = __real_sqlite3_exec(db, sql, callback, context, error);
  if (result == SQLITE_OK && strstr(sql, "synchronous") != NULL) {
    result = __real_sqlite3_exec(db, "PRAGMA synchronous = NORMAL;", NULL, NULL, NULL);
  }
  return result;
}
