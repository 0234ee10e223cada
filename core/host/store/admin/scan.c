/* Finds events by what a caller looks for in their bodies, beside whoever serves from the file. */
#include "server_forget.h"

#include "store/postgres/url.h"
#include "store/sqlite/attempts.h"
#include "store/sqlite/database_file.h"

#include <stdlib.h>
#include <string.h>

#define RANGE 1000 /* ids in a transaction, so that it stays short */

#define NEXT                                                                                       \
  "SELECT id, action, account_id, state, attempts, error, body FROM events LEFT JOIN bodies"       \
  " USING (id) WHERE events.id > ?1 AND events.id <= ?2 ORDER BY events.id"

#define ATTEMPTS                                                                                   \
  "SELECT group_concat(coalesce(error, '') || char(10) || coalesce(lines, ''), char(10))"          \
  " FROM attempts WHERE id = ?1"

typedef struct {
  event_file file;
  sqlite3_stmt *query, *attempts; /* the latter is NULL in a file of an earlier version */
  bool reads_attempts;
  event_visit selects, each;
  void *context;
  host_error *error;
} scan;

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
  size_t error = size_of(event->error), attempts = size_of(event->attempts_text);
  char *copy = malloc(action + account + error + attempts + event->body_size + 1), *to = copy;
  if (copy != NULL) {
    event->action = append(&to, event->action, action);
    event->account_id = append(&to, event->account_id, account);
    event->error = append(&to, event->error, error);
    event->attempts_text = append(&to, event->attempts_text, attempts);
    event->body = append(&to, event->body, event->body_size);
    *to = '\0';
  }
  return copy;
}

/* The text stays until the statement is reset. */
static int read_attempts(const scan *s, event_summary *event) {
  if (s->attempts == NULL) {
    return SQLITE_ROW;
  }
  (void)sqlite3_reset(s->attempts);
  (void)sqlite3_bind_int64(s->attempts, 1, event->id);
  int step = event_file_step(s->attempts);
  event->attempts_text =
      step == SQLITE_ROW ? (const char *)sqlite3_column_text(s->attempts, 0) : NULL;
  return step;
}

/* Finds the next event of a range. SQLITE_ROW, with a copy of it; SQLITE_DONE: there is none. */
static int find_next(const scan *s, int64_t after, int64_t last, event_summary *event,
                     char **copy) {
  (void)sqlite3_bind_int64(s->query, 1, after);
  (void)sqlite3_bind_int64(s->query, 2, last);
  int step;
  bool is_found = false;
  while (!is_found && (step = event_file_step(s->query)) == SQLITE_ROW) {
    *event = read_row(s->query);
    if (s->reads_attempts && (step = read_attempts(s, event)) != SQLITE_ROW) {
      break;
    }
    is_found = s->selects(s->context, event);
  }
  if (is_found && !s->reads_attempts) {
    step = read_attempts(s, event);
  }
  if (is_found && step == SQLITE_ROW) {
    *copy = copy_event(event);
    step = *copy != NULL ? SQLITE_ROW : SQLITE_NOMEM;
  }
  (void)sqlite3_reset(s->query);
  (void)sqlite3_reset(s->attempts);
  return step;
}

static bool scan_ids(scan *s, int64_t after, int64_t last) {
  bool goes = true;
  while (goes && after < last) {
    event_summary event;
    char *copy = NULL;
    int64_t upto = last - after > RANGE ? after + RANGE : last;
    int step = find_next(s, after, upto, &event, &copy);
    if (step == SQLITE_NOMEM) {
      return host_error_set(s->error, HOST_FAILED, "out of memory");
    } else if (step != SQLITE_ROW && step != SQLITE_DONE) {
      return event_file_fail(&s->file, "read", s->error);
    }
    goes = step == SQLITE_DONE || s->each(s->context, &event);
    after = step == SQLITE_ROW ? event.id : upto;
    free(copy);
    if (step == SQLITE_DONE && !event_file_skip_up(s->file.db, &after, last)) {
      return event_file_fail(&s->file, "read", s->error);
    }
  }
  return true;
}

static bool prepare(scan *s) {
  sqlite3 *db = s->file.db;
  return sqlite3_prepare_v2(db, NEXT, -1, &s->query, NULL) == SQLITE_OK &&
         (!event_attempts_are_there(db) ||
          sqlite3_prepare_v2(db, ATTEMPTS, -1, &s->attempts, NULL) == SQLITE_OK);
}

bool event_store_scan(const char *path, int64_t after, bool reads_attempts, event_visit selects,
                      event_visit each, void *context, int64_t *last, host_error *error) {
  scan s = {.reads_attempts = reads_attempts,
            .selects = selects,
            .each = each,
            .context = context,
            .error = error};
  int64_t first;
  *last = 0;
  if (postgres_is_url(path)) {
    return server_forget_scan(path, after, reads_attempts, selects, each, context, last, error);
  }
  if (!event_file_open_to_read(&s.file, path, error)) {
    return false;
  }
  bool ok = (event_file_ids(s.file.db, &first, last) && prepare(&s)) ||
            event_file_fail(&s.file, "read", error);
  ok = ok && scan_ids(&s, after > first ? after : first, *last);
  (void)sqlite3_finalize(s.query);
  (void)sqlite3_finalize(s.attempts);
  event_file_close(&s.file);
  *last = *last > after ? *last : after;
  return ok;
}
