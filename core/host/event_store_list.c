/* Lists the events of a database file for people, beside whoever serves from it. */
#include "event_store.h"

#include "event_store_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS 256
#define RANGE                                                                                      \
  20000 /* ids that one query looks at, so that a filter that lets few through is short */
#define NAME_COUNT (sizeof names / sizeof names[0])

static const char *const names[] = {"received", "running", "retry", "done", "dead"};

#define COLUMNS                                                                                    \
  "SELECT id, action, account_id, state, attempts, replays, received_at, due_at, finished_at, "    \
  "error"
#define UNFINISHED COLUMNS " FROM events INDEXED BY events_unfinished "
#define IN_RANGE " AND id > ?1 AND id <= ?2"
#define FILTERS                                                                                    \
  " AND (?3 IS NULL OR action = ?3) AND (?4 IS NULL OR account_id = ?4) AND received_at >= ?5"
#define IN_ORDER " ORDER BY id LIMIT ?6"

/* All but the retries are read in the order of an index, so that a page costs the same however
 * many events there are; the retries are in order of their time and have to be sorted. */
static const char *const queries[] = {
    UNFINISHED "WHERE state = 0 AND due_at = 0 AND state < 3" IN_RANGE FILTERS IN_ORDER,
    UNFINISHED "WHERE state = 1 AND due_at = 0 AND state < 3" IN_RANGE FILTERS IN_ORDER,
    COLUMNS " FROM events WHERE id IN (SELECT id FROM events INDEXED BY events_unfinished"
            " WHERE state = 2 AND state < 3)" IN_RANGE FILTERS IN_ORDER,
    COLUMNS " FROM events WHERE state = 3" IN_RANGE FILTERS IN_ORDER,
    COLUMNS " FROM events INDEXED BY events_dead WHERE state = 4" IN_RANGE FILTERS IN_ORDER,
    COLUMNS " FROM events WHERE 1" IN_RANGE FILTERS IN_ORDER,
};
_Static_assert(sizeof queries / sizeof queries[0] == NAME_COUNT + 1, "one each, and one for all");

const char *event_state_name(event_state state) {
  return (size_t)state < NAME_COUNT ? names[state] : "unknown";
}

typedef struct {
  event_summary events[PAGE_ROWS];
  char *texts[PAGE_ROWS]; /* what the strings of each event are in */
  int count;
} event_page;

static void clear(event_page *page) {
  for (int i = 0; i < page->count; i++) {
    free(page->texts[i]);
  }
  page->count = 0;
}

static const char *copy_text(sqlite3_stmt *row, int column, char **to) {
  const unsigned char *text = sqlite3_column_text(row, column);
  if (text == NULL) {
    return NULL;
  }
  size_t size = (size_t)sqlite3_column_bytes(row, column);
  char *copy = *to;
  memcpy(copy, text, size);
  copy[size] = '\0';
  *to += size + 1;
  return copy;
}

static bool add(event_page *page, sqlite3_stmt *row) {
  size_t size = (size_t)sqlite3_column_bytes(row, 1) + (size_t)sqlite3_column_bytes(row, 2) +
                (size_t)sqlite3_column_bytes(row, 9) + 3;
  char *text = malloc(size);
  if (text == NULL) {
    return false;
  }
  page->texts[page->count] = text;
  event_summary *event = &page->events[page->count++];
  *event = (event_summary){
      .id = sqlite3_column_int64(row, 0),
      .state = event_state_name((event_state)sqlite3_column_int(row, 3)),
      .attempts = sqlite3_column_int(row, 4),
      .replays = sqlite3_column_int(row, 5),
      .received_at = sqlite3_column_int64(row, 6),
      .due_at = sqlite3_column_int64(row, 7),
      .finished_at = sqlite3_column_int64(row, 8),
  };
  event->action = copy_text(row, 1, &text);
  event->account_id = copy_text(row, 2, &text);
  event->error = copy_text(row, 9, &text);
  return true;
}

/* A page is copied before it is shown: a reader that somebody has paused must not hold its
 * snapshot, because the writer's log grows for as long as one is held. */
static bool read_page(const event_file *file, sqlite3_stmt *query, int64_t after, int64_t last,
                      int64_t limit, event_page *page, char *error, size_t error_size) {
  (void)sqlite3_bind_int64(query, 1, after);
  (void)sqlite3_bind_int64(query, 2, last);
  (void)sqlite3_bind_int64(query, 6, limit > 0 && limit < PAGE_ROWS ? limit : PAGE_ROWS);
  int step;
  bool has_memory = true;
  while (has_memory && (step = sqlite3_step(query)) == SQLITE_ROW) {
    has_memory = add(page, query);
  }
  if (!has_memory) {
    (void)snprintf(error, error_size, "out of memory");
  } else if (step != SQLITE_DONE) {
    (void)event_file_fail(file, "read", error, error_size);
  }
  (void)sqlite3_reset(query);
  return has_memory && step == SQLITE_DONE;
}

/* The events after `after` and up to `last`, of those there were at the beginning. */
static bool list_pages(const event_file *file, sqlite3_stmt *query, int64_t after, int64_t last,
                       int64_t limit, event_visit each, void *context, char *error,
                       size_t error_size) {
  event_page *page = calloc(1, sizeof *page);
  if (page == NULL) {
    (void)snprintf(error, error_size, "out of memory");
    return false;
  }
  int64_t shown = 0;
  bool ok = true, go_on = true;
  while (ok && go_on && after < last) {
    int64_t left = limit > 0 ? limit - shown : 0;
    int64_t upto = last - after > RANGE ? after + RANGE : last;
    ok = read_page(file, query, after, upto, left, page, error, error_size);
    bool is_full = page->count == PAGE_ROWS;
    after = is_full ? page->events[PAGE_ROWS - 1].id : upto;
    for (int i = 0; ok && go_on && i < page->count; i++, shown++) {
      go_on = each(context, &page->events[i]);
    }
    go_on = go_on && (limit <= 0 || shown < limit);
    clear(page);
  }
  free(page);
  return ok;
}

static bool find_query(const char *state, size_t *found, char *error, size_t error_size) {
  for (*found = 0; *found < NAME_COUNT; ++*found) {
    if (state != NULL && strcmp(state, names[*found]) == 0) {
      return true;
    }
  }
  if (state != NULL) {
    (void)snprintf(error, error_size, "unknown state '%s': received, running, retry, done or dead",
                   state);
  }
  return state == NULL;
}

bool event_store_list(const char *path, const event_filter *filter, event_visit each, void *context,
                      char *error, size_t error_size) {
  size_t which;
  event_file file;
  if (!find_query(filter->state, &which, error, error_size) ||
      !event_file_open_beside(&file, path, false, error, error_size)) {
    return false;
  }
  sqlite3_stmt *query = NULL;
  int64_t after, last;
  bool ok = (event_file_ids(file.db, &after, &last) &&
             sqlite3_prepare_v2(file.db, queries[which], -1, &query, NULL) == SQLITE_OK) ||
            event_file_fail(&file, "read", error, error_size);
  if (ok) {
    (void)sqlite3_bind_text(query, 3, filter->action, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(query, 4, filter->account_id, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(query, 5, filter->since);
    ok = list_pages(&file, query, after, last, filter->limit, each, context, error, error_size);
  }
  (void)sqlite3_finalize(query);
  event_file_close(&file);
  return ok;
}

/* The row is copied, and the file closed, before it is shown. */
static bool show_row(sqlite3_stmt *row, event_page *page, char **body, size_t *size) {
  *size = (size_t)sqlite3_column_bytes(row, 10);
  *body = malloc(*size + 1);
  if (*body == NULL || !add(page, row)) {
    return false;
  }
  if (*size > 0) {
    memcpy(*body, sqlite3_column_blob(row, 10), *size);
  }
  (*body)[*size] = '\0';
  page->events[0].body = *body;
  page->events[0].body_size = *size;
  return true;
}

bool event_store_show(const char *path, int64_t id, event_visit each, void *context, char *error,
                      size_t error_size) {
  event_file file;
  if (!event_file_open_beside(&file, path, false, error, error_size)) {
    return false;
  }
  event_page *page = calloc(1, sizeof *page);
  sqlite3_stmt *query = NULL;
  char *body = NULL;
  size_t size;
  bool ok = true;
  int step = sqlite3_prepare_v2(file.db,
                                COLUMNS ", body FROM events JOIN bodies USING (id)"
                                        " WHERE id = ?1",
                                -1, &query, NULL);
  (void)sqlite3_bind_int64(query, 1, id);
  if (step == SQLITE_OK && (step = sqlite3_step(query)) == SQLITE_ROW) {
    ok = page != NULL && show_row(query, page, &body, &size);
    (void)snprintf(error, error_size, "out of memory");
  } else if (step != SQLITE_DONE) {
    ok = event_file_fail(&file, "read", error, error_size);
  }
  (void)sqlite3_finalize(query);
  event_file_close(&file);
  if (ok && step == SQLITE_ROW) {
    (void)each(context, &page->events[0]);
  }
  if (page != NULL) {
    clear(page);
  }
  free(body);
  free(page);
  return ok;
}
