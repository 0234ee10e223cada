/* Finds events by what a caller looks for in their bodies, beside whoever serves from the file. */
#include "store/event_admin.h"

#include "store/sqlite/database_file.h"

#include <stdlib.h>
#include <string.h>

#define RANGE 1000 /* ids in a transaction, so that it stays short */

#define NEXT                                                                                       \
  "SELECT id, action, account_id, state, attempts, error, body FROM events LEFT JOIN bodies"       \
  " USING (id) WHERE events.id > ?1 AND events.id <= ?2 ORDER BY events.id"

static event_summary read_row(sqlite3_stmt *row) {
  const char *body = sqlite3_column_blob(row, 6);
  return (event_summary){.id = sqlite3_column_int64(row, 0),
                         .action = (const char *)sqlite3_column_text(row, 1),
                         .account_id = (const char *)sqlite3_column_text(row, 2),
                         .state = event_state_name((event_state)sqlite3_column_int(row, 3)),
                         .attempts = sqlite3_column_int(row, 4),
                         .error = (const char *)sqlite3_column_text(row, 5),
                         .body = body != NULL ? body : "",
                         .body_size = (size_t)sqlite3_column_bytes(row, 6)};
}

static size_t size_of(const char *text) {
  return text != NULL ? strlen(text) + 1 : 0;
}

static const char *append(char **to, const char *text, size_t size) {
  char *copy = *to;
  if (text == NULL) {
    return NULL;
  }
  memcpy(copy, text, size);
  *to += size;
  return copy;
}

/* In one piece of memory, which the caller frees. */
static char *copy_event(event_summary *event) {
  size_t action = size_of(event->action), account = size_of(event->account_id);
  size_t error = size_of(event->error);
  char *copy = malloc(action + account + error + event->body_size + 1), *to = copy;
  if (copy != NULL) {
    event->action = append(&to, event->action, action);
    event->account_id = append(&to, event->account_id, account);
    event->error = append(&to, event->error, error);
    event->body = append(&to, event->body, event->body_size);
    *to = '\0';
  }
  return copy;
}

/* Finds the next event of a range. SQLITE_ROW, with a copy of it; SQLITE_DONE: there is none. */
static int find_next(sqlite3_stmt *query, int64_t after, int64_t last, event_visit selects,
                     void *context, event_summary *event, char **copy) {
  (void)sqlite3_bind_int64(query, 1, after);
  (void)sqlite3_bind_int64(query, 2, last);
  int step;
  bool is_found = false;
  while (!is_found && (step = event_file_step(query)) == SQLITE_ROW) {
    *event = read_row(query);
    is_found = selects(context, event);
  }
  if (is_found) {
    *copy = copy_event(event);
    step = *copy != NULL ? SQLITE_ROW : SQLITE_NOMEM;
  }
  (void)sqlite3_reset(query);
  return step;
}

static bool scan(const event_file *file, sqlite3_stmt *query, int64_t after, int64_t last,
                 event_visit selects, event_visit each, void *context, host_error *error) {
  bool goes = true;
  while (goes && after < last) {
    event_summary event;
    char *copy = NULL;
    int64_t upto = last - after > RANGE ? after + RANGE : last;
    int step = find_next(query, after, upto, selects, context, &event, &copy);
    if (step == SQLITE_NOMEM) {
      return host_error_set(error, HOST_FAILED, "out of memory");
    } else if (step != SQLITE_ROW && step != SQLITE_DONE) {
      return event_file_fail(file, "read", error);
    }
    goes = step == SQLITE_DONE || each(context, &event);
    after = step == SQLITE_ROW ? event.id : upto;
    free(copy);
    if (step == SQLITE_DONE && !event_file_skip_up(file->db, &after, last)) {
      return event_file_fail(file, "read", error);
    }
  }
  return true;
}

bool event_store_scan(const char *path, int64_t after, event_visit selects, event_visit each,
                      void *context, int64_t *last, host_error *error) {
  event_file file;
  int64_t first;
  sqlite3_stmt *query = NULL;
  *last = 0;
  if (!event_file_open_to_read(&file, path, error)) {
    return false;
  }
  bool ok = (event_file_ids(file.db, &first, last) &&
             sqlite3_prepare_v2(file.db, NEXT, -1, &query, NULL) == SQLITE_OK) ||
            event_file_fail(&file, "read", error);
  ok =
      ok && scan(&file, query, after > first ? after : first, *last, selects, each, context, error);
  (void)sqlite3_finalize(query);
  event_file_close(&file);
  *last = *last > after ? *last : after;
  return ok;
}
