/* Lists events with their recorded responses for people, beside whoever serves from the file. */
#include "recordings.h"

#include "server_recordings.h"
#include "store/ledger/entry.h"
#include "store/postgres/url.h"
#include "store/sqlite/database_file.h"
#include "store/sqlite/responses.h"

#include <stdlib.h>
#include <string.h>

#define RANGE 20000 /* ids per query, so that one that matches few events stays short */

#define FIND                                                                                       \
  "SELECT id FROM events WHERE id > ?1 AND id <= ?2 AND received_at >= ?3 AND received_at < ?4"    \
  " ORDER BY id DESC LIMIT ?5"

/* What a replay has left of the run before is not of the last attempt, but it is there. */
#define READ                                                                                       \
  "SELECT state, attempts, replays, received_at, error, body, started_at, size, omitted,"          \
  " responses, decision, facts,"                                                                   \
  " event_responses.attempt = attempts AND event_responses.replay = replays AS is_of_last"         \
  " FROM events JOIN bodies USING (id) LEFT JOIN event_responses USING (id)"                       \
  " LEFT JOIN decisions ON decisions.number = decision AND kind = 1 AND subject = events.id"       \
  " WHERE events.id = ?1"

typedef struct {
  event_file file;
  const recording_filter *filter;
  int64_t *ids; /* the newest first */
  size_t count, capacity;
  host_error *error;
} listing;

static bool no_memory(const listing *l) {
  return host_error_set(l->error, HOST_FAILED, "out of memory");
}

/* ---- Which ---- */

static bool append(listing *l, int64_t id) {
  if (l->count == l->capacity) {
    size_t capacity = l->capacity > 0 ? l->capacity * 2 : 256;
    int64_t *grown = realloc(l->ids, capacity * sizeof *grown);
    if (grown == NULL) {
      return no_memory(l);
    }
    l->ids = grown;
    l->capacity = capacity;
  }
  l->ids[l->count++] = id;
  return true;
}

static int64_t left_of(const listing *l) {
  return l->filter->limit > 0 ? l->filter->limit - (int64_t)l->count : INT64_MAX;
}

static bool find_range(listing *l, sqlite3_stmt *query, int64_t after, int64_t last) {
  int step = SQLITE_DONE;
  bool ok = true;
  (void)sqlite3_bind_int64(query, 1, after);
  (void)sqlite3_bind_int64(query, 2, last);
  (void)sqlite3_bind_int64(query, 5, left_of(l));
  while (ok && (step = event_file_step(query)) == SQLITE_ROW) {
    ok = append(l, sqlite3_column_int64(query, 0));
  }
  (void)sqlite3_reset(query);
  return ok && (step == SQLITE_DONE || event_file_fail(&l->file, "read", l->error));
}

static bool find(listing *l) {
  sqlite3_stmt *query = NULL;
  int64_t first, last;
  bool ok = (event_file_ids(l->file.db, &first, &last) &&
             sqlite3_prepare_v2(l->file.db, FIND, -1, &query, NULL) == SQLITE_OK) ||
            event_file_fail(&l->file, "read", l->error);
  (void)sqlite3_bind_int64(query, 3, l->filter->since);
  (void)sqlite3_bind_int64(query, 4, l->filter->until);
  while (ok && last > first && left_of(l) > 0) {
    int64_t after = last - first > RANGE ? last - RANGE : first;
    ok = find_range(l, query, after, last) && (event_file_skip_down(l->file.db, first, &after) ||
                                               event_file_fail(&l->file, "read", l->error));
    last = after;
  }
  (void)sqlite3_finalize(query);
  return ok;
}

/* ---- All of one ---- */

bool recording_unpack(recorded_event *event, const char *packed, size_t packed_size, char **text) {
  *text = NULL;
  if (event->omitted != RECORDING_WHOLE || event->size < 0) {
    return true;
  }
  if (event->size == 0) {
    *text = calloc(1, 1);
  } else if (!ledger_unpack(packed, packed_size, (size_t)event->size, text,
                            &event->responses_size)) {
    return false;
  } else if (*text == NULL || event->responses_size != (size_t)event->size) {
    free(*text);
    *text = NULL;
    return true;
  }
  event->responses = *text;
  return *text != NULL;
}

/* Copied before it is shown: whoever looks at it must not hold a snapshot. */
typedef struct {
  recorded_event event;
  char *last_error, *body, *responses, *facts;
} copied_event;

static void clear(copied_event *copied) {
  free(copied->last_error);
  free(copied->body);
  free(copied->responses);
  free(copied->facts);
  *copied = (copied_event){.last_error = NULL};
}

/* Of NULL, NULL. */
static bool copy(sqlite3_stmt *row, int column, char **text, size_t *size) {
  *text = NULL;
  *size = 0;
  if (sqlite3_column_type(row, column) == SQLITE_NULL) {
    return true;
  }
  const void *data = sqlite3_column_blob(row, column);
  *size = (size_t)sqlite3_column_bytes(row, column);
  *text = malloc(*size + 1);
  if (*text == NULL) {
    return false;
  }
  if (*size > 0) {
    memcpy(*text, data, *size);
  }
  (*text)[*size] = '\0';
  return true;
}

static bool copy_row(sqlite3_stmt *row, copied_event *copied) {
  size_t ignored;
  recorded_event *event = &copied->event;
  event->state = event_state_name((event_state)sqlite3_column_int(row, 0));
  event->attempts = sqlite3_column_int64(row, 1);
  event->replays = sqlite3_column_int64(row, 2);
  event->received_at = sqlite3_column_int64(row, 3);
  event->is_recorded = sqlite3_column_int(row, 12) != 0;
  event->started_at = sqlite3_column_int64(row, 6);
  event->size = sqlite3_column_int64(row, 7);
  event->omitted = (recording_state)sqlite3_column_int(row, 8);
  event->has_decision = sqlite3_column_int64(row, 10) > 0;
  bool ok = copy(row, 4, &copied->last_error, &ignored) &&
            copy(row, 5, &copied->body, &event->body_size) &&
            copy(row, 11, &copied->facts, &ignored) &&
            (sqlite3_column_type(row, 6) == SQLITE_NULL ||
             recording_unpack(event, sqlite3_column_blob(row, 9),
                              (size_t)sqlite3_column_bytes(row, 9), &copied->responses));
  event->error = copied->last_error;
  event->body = copied->body;
  event->facts = copied->facts;
  return ok;
}

/* `*was_there`: it may have been deleted meanwhile. */
static bool read_event(const listing *l, sqlite3_stmt *query, int64_t id, copied_event *copied,
                       bool *was_there) {
  bool has_memory = true;
  *copied = (copied_event){.event = {.id = id}};
  (void)sqlite3_bind_int64(query, 1, id);
  int step = event_file_step(query);
  *was_there = step == SQLITE_ROW;
  if (step == SQLITE_ROW) {
    has_memory = copy_row(query, copied) || no_memory(l);
  }
  (void)sqlite3_reset(query);
  return has_memory &&
         (step == SQLITE_ROW || step == SQLITE_DONE || event_file_fail(&l->file, "read", l->error));
}

static bool show_all(const listing *l, recording_visit each, void *context) {
  sqlite3_stmt *query = NULL;
  copied_event copied;
  bool ok = sqlite3_prepare_v2(l->file.db, READ, -1, &query, NULL) == SQLITE_OK ||
            event_file_fail(&l->file, "read", l->error);
  bool is_continued = ok, was_there;
  for (size_t at = 1; ok && is_continued && at <= l->count; at++) {
    ok = read_event(l, query, l->ids[l->count - at], &copied, &was_there);
    copied.event.at = (int64_t)at;
    copied.event.total = (int64_t)l->count;
    is_continued = !ok || !was_there || each(context, &copied.event);
    clear(&copied);
  }
  (void)sqlite3_finalize(query);
  return ok;
}

bool recording_list(const char *path, const recording_filter *filter, recording_visit each,
                    void *context, host_error *error) {
  if (postgres_is_url(path)) {
    return server_recordings_list(path, filter, each, context, error);
  }
  listing l = {.filter = filter, .error = error};
  if (!event_file_open_to_read(&l.file, path, error)) {
    return false;
  }
  bool ok = !event_responses_are_there(l.file.db) || (find(&l) && show_all(&l, each, context));
  free(l.ids);
  event_file_close(&l.file);
  return ok;
}
