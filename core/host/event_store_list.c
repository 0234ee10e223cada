/* Lists the events of a database file for people, beside whoever serves from it. */
#include "event_store.h"

#include "event_store_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS 256
#define NAME_COUNT (sizeof names / sizeof names[0])

static const char *const names[] = {"received", "running", "retry", "done", "dead"};

#define COLUMNS "SELECT id, action, account_id, state, attempts, received_at, error "
#define UNFINISHED COLUMNS "FROM events INDEXED BY events_unfinished "
#define AFTER "AND due_at = 0 AND state < 3 AND id > ?1 "
#define IN_ORDER "ORDER BY id LIMIT ?2"

/* All but the retries are read in the order of an index, so that a page costs the same however
 * many events there are; the retries are in order of their time and have to be sorted. */
static const char *const queries[] = {
    UNFINISHED "WHERE state = 0 AND behind = 0 " AFTER "UNION ALL " UNFINISHED
               "WHERE state = 0 AND behind = 1 " AFTER IN_ORDER,
    UNFINISHED "WHERE state = 1 AND behind = 0 " AFTER IN_ORDER,
    COLUMNS "FROM events WHERE id IN (SELECT id FROM events INDEXED BY events_unfinished"
            " WHERE state = 2 AND behind = 0 AND state < 3 AND id > ?1 " IN_ORDER ") ORDER BY id",
    COLUMNS "FROM events WHERE state = 3 AND id > ?1 " IN_ORDER,
    COLUMNS "FROM events INDEXED BY events_dead WHERE state = 4 AND id > ?1 " IN_ORDER,
    COLUMNS "FROM events WHERE id > ?1 " IN_ORDER,
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
                (size_t)sqlite3_column_bytes(row, 6) + 3;
  char *text = malloc(size);
  if (text == NULL) {
    return false;
  }
  page->texts[page->count] = text;
  event_summary *event = &page->events[page->count++];
  event->id = sqlite3_column_int64(row, 0);
  event->action = copy_text(row, 1, &text);
  event->account_id = copy_text(row, 2, &text);
  event->state = event_state_name((event_state)sqlite3_column_int(row, 3));
  event->attempts = sqlite3_column_int(row, 4);
  event->received_at = sqlite3_column_int64(row, 5);
  event->error = copy_text(row, 6, &text);
  return true;
}

/* A page is copied before it is shown: a reader that somebody has paused must not hold its
 * snapshot, because the writer's log grows for as long as one is held. */
static bool read_page(const event_file *file, sqlite3_stmt *query, int64_t after, int64_t limit,
                      event_page *page, char *error, size_t error_size) {
  (void)sqlite3_bind_int64(query, 1, after);
  (void)sqlite3_bind_int64(query, 2, limit > 0 && limit < PAGE_ROWS ? limit : PAGE_ROWS);
  int step;
  bool has_memory = true;
  while (has_memory && (step = sqlite3_step(query)) == SQLITE_ROW) {
    has_memory = add(page, query);
  }
  if (!has_memory) {
    (void)snprintf(error, error_size, "out of memory");
  } else if (step != SQLITE_DONE) {
    char reason[256];
    event_file_reason(file->db, reason, sizeof reason);
    (void)snprintf(error, error_size, "cannot read %s: %s", file->path, reason);
  }
  (void)sqlite3_reset(query);
  return has_memory && step == SQLITE_DONE;
}

static bool list_pages(const event_file *file, sqlite3_stmt *query, int64_t limit,
                       bool (*each)(void *context, const event_summary *event), void *context,
                       char *error, size_t error_size) {
  event_page *page = calloc(1, sizeof *page);
  if (page == NULL) {
    (void)snprintf(error, error_size, "out of memory");
    return false;
  }
  int64_t last = INT64_MIN, shown = 0;
  bool ok = true, go_on = true;
  while (ok && go_on) {
    int64_t left = limit > 0 ? limit - shown : 0;
    ok = read_page(file, query, last, left, page, error, error_size);
    go_on = page->count == PAGE_ROWS;
    for (int i = 0; ok && i < page->count; i++, shown++) {
      last = page->events[i].id;
      if (!each(context, &page->events[i])) {
        go_on = false;
        break;
      }
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

bool event_store_list(const char *path, const event_filter *filter,
                      bool (*each)(void *context, const event_summary *event), void *context,
                      char *error, size_t error_size) {
  size_t which;
  event_file file;
  if (!find_query(filter->state, &which, error, error_size) ||
      !event_file_open_to_read(&file, path, error, error_size)) {
    return false;
  }
  sqlite3_stmt *query = NULL;
  bool ok = false;
  if (sqlite3_prepare_v2(file.db, queries[which], -1, &query, NULL) == SQLITE_OK) {
    ok = list_pages(&file, query, filter->limit, each, context, error, error_size);
  } else {
    char reason[256];
    event_file_reason(file.db, reason, sizeof reason);
    (void)snprintf(error, error_size, "cannot read %s: %s", file.path, reason);
  }
  (void)sqlite3_finalize(query);
  event_file_close(&file);
  return ok;
}
