/* Lists the events of a database file for people, beside whoever serves from it. */
#include "server_events.h"

#include "clock.h"
#include "store/postgres/url.h"
#include "store/sqlite/database_file.h"
#include "store/sqlite/filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS 256
/* Ids per query, so that one whose filter matches few events stays short. */
#define RANGE 20000
#define RANGE_OF_BODIES 500

#define COLUMNS                                                                                    \
  "id, action, account_id, state, attempts, replays, received_at, due_at, finished_at, "           \
  "error, " EVENT_PLATFORM
#define TRACE_COLUMNS_SINCE 7 /* a version of the schema */
#define UNFINISHED "INDEXED BY events_unfinished WHERE state < 3 AND "
#define IN_RANGE " AND id > ?1 AND id <= ?2"

/* Those of each state, and all. All but the retries are read in the order of an index, so that a
 * page costs the same however many events there are; the retries are in order of their time and
 * have to be sorted. */
static const char *const sources[] = {
    UNFINISHED "state = 0 AND due_at = 0",
    UNFINISHED "state = 1 AND due_at = 0",
    "WHERE id IN (SELECT id FROM events " UNFINISHED "state = 2)",
    "WHERE state = 3",
    "INDEXED BY events_dead WHERE state = 4",
    "WHERE 1",
};
_Static_assert(sizeof sources / sizeof sources[0] == EVENT_STATES + 1, "one each, and one for all");

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
                (size_t)sqlite3_column_bytes(row, 9) + (size_t)sqlite3_column_bytes(row, 10) + 6;
  bool is_shown = sqlite3_column_count(row) > 12;
  if (is_shown) {
    size += (size_t)sqlite3_column_bytes(row, 12) + (size_t)sqlite3_column_bytes(row, 13);
  }
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
  event->platform = copy_text(row, 10, &text);
  if (is_shown) {
    event->trace.traceparent = copy_text(row, 12, &text);
    event->trace.request_id = copy_text(row, 13, &text);
  }
  return true;
}

/* A page is copied before it is shown: a paused reader must not hold its snapshot, because the
 * writer's log grows for as long as one is held. */
static bool read_page(const event_file *file, sqlite3_stmt *query, int64_t rows, event_page *page,
                      host_error *error) {
  (void)sqlite3_bind_int64(query, 3, rows);
  int step;
  bool has_memory = true;
  while (has_memory && (step = event_file_step(query)) == SQLITE_ROW) {
    has_memory = add(page, query);
  }
  if (!has_memory) {
    (void)host_error_set(error, HOST_FAILED, "out of memory");
  } else if (step != SQLITE_DONE) {
    (void)event_file_fail(file, "read", error);
  }
  (void)sqlite3_reset(query);
  return has_memory && step == SQLITE_DONE;
}

/* What a listing works with; what goes wrong is put into `error`. */
typedef struct {
  event_file file;
  const event_filter *filter;
  int64_t after, last; /* the ids that are left */
  int64_t until;       /* when it has to end, on the monotonic clock */
  event_visit each;
  void *context;
  event_page page;
  host_error *error;
} listing;

/* Returns whether the visits go on. */
static bool show_page(listing *l) {
  bool go_on = true;
  for (int i = 0; go_on && i < l->page.count; i++) {
    go_on = l->each(l->context, &l->page.events[i]);
  }
  clear(&l->page);
  return go_on;
}

/* A query of those that the filter lets through. */
static sqlite3_stmt *prepare(const listing *l, const char *source) {
  char conditions[EVENT_FILTER_SIZE], text[EVENT_FILTER_SIZE + 1024];
  sqlite3_stmt *query = NULL;
  const event_filter *filter = l->filter;
  event_filter_conditions(filter, conditions);
  (void)snprintf(text, sizeof text,
                 "SELECT " COLUMNS " FROM events %s" IN_RANGE "%s ORDER BY id %s LIMIT ?3", source,
                 conditions, filter->oldest_first ? "ASC" : "DESC");
  if (sqlite3_prepare_v2(l->file.db, text, -1, &query, NULL) == SQLITE_OK &&
      !event_filter_bind(query, filter)) {
    (void)sqlite3_finalize(query);
    query = NULL;
  }
  return query;
}

/* Reads the next page, of at most so many rows, and takes its ids from those that are left. */
static bool read_next(listing *l, sqlite3_stmt *query, int64_t rows) {
  int64_t range = event_filter_reads_bodies(l->filter) ? RANGE_OF_BODIES : RANGE;
  bool is_upward = l->filter->oldest_first, is_short = l->last - l->after <= range;
  int64_t after = is_upward || is_short ? l->after : l->last - range;
  int64_t last = is_upward && !is_short ? l->after + range : l->last;
  (void)sqlite3_bind_int64(query, 1, after);
  (void)sqlite3_bind_int64(query, 2, last);
  if (!read_page(&l->file, query, rows, &l->page, l->error)) {
    return false;
  }
  const event_page *page = &l->page;
  bool is_full = page->count == rows;
  if (is_upward) {
    l->after = is_full ? page->events[page->count - 1].id : last;
  } else {
    l->last = is_full ? page->events[page->count - 1].id - 1 : after;
  }
  bool ok = page->count > 0 || (is_upward ? event_file_skip_up(l->file.db, &l->after, l->last)
                                          : event_file_skip_down(l->file.db, l->after, &l->last));
  return ok || event_file_fail(&l->file, "read", l->error);
}

static bool list_events(listing *l, const char *source) {
  sqlite3_stmt *query = prepare(l, source);
  bool ok = query != NULL || event_file_fail(&l->file, "read", l->error);
  bool go_on = true;
  int64_t left = l->filter->limit > 0 ? l->filter->limit : INT64_MAX;
  while (ok && go_on && left > 0 && l->after < l->last) {
    ok = read_next(l, query, left < PAGE_ROWS ? left : PAGE_ROWS);
    left -= l->page.count;
    go_on = ok && show_page(l) && clock_steady_ms() < l->until; /* after some of it at least */
  }
  (void)sqlite3_finalize(query);
  return ok;
}

static bool find_source(const char *state, size_t *found, host_error *error) {
  for (*found = 0; *found < EVENT_STATES; ++*found) {
    if (state != NULL && strcmp(state, event_state_names[*found]) == 0) {
      return true;
    }
  }
  return state == NULL || host_error_set(error, HOST_FAILED, "unknown state '%s'", state);
}

static bool find_ids(listing *l) {
  const event_filter *filter = l->filter;
  if (!event_file_ids(l->file.db, &l->after, &l->last)) {
    return event_file_fail(&l->file, "read", l->error);
  }
  l->after = l->after > filter->after ? l->after : filter->after;
  l->last = filter->before == 0 || l->last < filter->before ? l->last : filter->before - 1;
  return true;
}

bool event_store_list_some(const char *path, const event_filter *filter, int64_t timeout_ms,
                           event_visit each, void *context, int64_t *next, host_error *error) {
  size_t which;
  *next = 0;
  if (postgres_is_url(path)) {
    return server_events_list(path, filter, timeout_ms, each, context, next, error);
  }
  if (!find_source(filter->state, &which, error)) {
    return false;
  }
  listing *l = calloc(1, sizeof *l);
  if (l == NULL) {
    return host_error_set(error, HOST_FAILED, "out of memory");
  }
  l->filter = filter;
  l->each = each;
  l->context = context;
  l->error = error;
  l->until = timeout_ms > 0 ? clock_steady_ms() + timeout_ms : INT64_MAX;
  bool ok = event_file_open_to_read(&l->file, path, error);
  if (ok) {
    ok = find_ids(l) && list_events(l, sources[which]);
    *next = ok && l->after < l->last ? l->last + 1 : 0;
    clear(&l->page);
    event_file_close(&l->file);
  }
  free(l);
  return ok;
}

bool event_store_list(const char *path, const event_filter *filter, event_visit each, void *context,
                      host_error *error) {
  int64_t next;
  return event_store_list_some(path, filter, 0, each, context, &next, error);
}

/* The row is copied, and the file closed, before it is shown. */
static bool show_row(sqlite3_stmt *row, event_page *page, char **body, size_t *size) {
  *size = (size_t)sqlite3_column_bytes(row, 11);
  *body = malloc(*size + 1);
  if (*body == NULL || !add(page, row)) {
    return false;
  }
  if (*size > 0) {
    memcpy(*body, sqlite3_column_blob(row, 11), *size);
  }
  (*body)[*size] = '\0';
  page->events[0].body = *body;
  page->events[0].body_size = *size;
  return true;
}

#define SHOW(trace, table)                                                                         \
  "SELECT " COLUMNS ", body" trace " FROM events JOIN bodies USING (id)" table " WHERE id = ?1"
static const char show_text[] =
    SHOW(", traceparent, request_id", " LEFT JOIN event_traces USING (id)");
static const char show_old_text[] = SHOW("", "");

bool event_store_show(const char *path, int64_t id, event_visit each, void *context,
                      host_error *error) {
  event_file file;
  if (postgres_is_url(path)) {
    return server_events_show(path, id, each, context, error);
  }
  if (!event_file_open_to_read(&file, path, error)) {
    return false;
  }
  event_page *page = calloc(1, sizeof *page);
  sqlite3_stmt *query = NULL;
  char *body = NULL;
  size_t size;
  bool ok = true;
  bool has_trace = file.version >= TRACE_COLUMNS_SINCE;
  int step = sqlite3_prepare_v2(file.db, has_trace ? show_text : show_old_text, -1, &query, NULL);
  (void)sqlite3_bind_int64(query, 1, id);
  if (step == SQLITE_OK && (step = event_file_step(query)) == SQLITE_ROW) {
    ok = (page != NULL && show_row(query, page, &body, &size)) ||
         host_error_set(error, HOST_FAILED, "out of memory");
  } else if (step != SQLITE_DONE) {
    ok = event_file_fail(&file, "read", error);
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
