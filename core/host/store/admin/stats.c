/* Counts the events of a database file for people, beside whoever serves from it. */
#include "server_events.h"
#include "server_queue.h"

#include "store/postgres/url.h"
#include "store/sqlite/database_file.h"
#include "store/sqlite/purge.h"

#include <stdlib.h>
#include <string.h>

/* Ids per query: a long one would hold a snapshot, and the writer's log grow. */
#define RANGE 50000

/* NULL: out of memory. */
static event_action_stats *find_action(event_stats *stats, const char *action) {
  for (size_t i = 0; i < stats->action_count; i++) {
    if (strcmp(stats->actions[i].action, action) == 0) {
      return &stats->actions[i];
    }
  }
  event_action_stats *grown =
      realloc(stats->actions, (stats->action_count + 1) * sizeof *stats->actions);
  if (grown == NULL) {
    return NULL;
  }
  stats->actions = grown;
  event_action_stats *added = &grown[stats->action_count];
  *added = (event_action_stats){.action = strdup(action)};
  stats->action_count += added->action != NULL;
  return added->action != NULL ? added : NULL;
}

bool event_stats_add(event_stats *stats, const char *name, int state, int64_t count,
                     int64_t oldest) {
  event_action_stats *action = find_action(stats, name);
  if (action == NULL || state < 0 || state >= EVENT_STATES) {
    return false;
  }
  action->states[state] += count;
  stats->states[state] += count;
  bool is_unfinished = state != EVENT_DONE && state != EVENT_DEAD;
  if (is_unfinished && (stats->oldest_unfinished == 0 || oldest < stats->oldest_unfinished)) {
    stats->oldest_unfinished = oldest;
  }
  return true;
}

static int count_row(sqlite3_stmt *row, event_stats *stats) {
  bool ok =
      event_stats_add(stats, (const char *)sqlite3_column_text(row, 0), sqlite3_column_int(row, 1),
                      sqlite3_column_int64(row, 2), sqlite3_column_int64(row, 3));
  return ok ? SQLITE_OK : SQLITE_NOMEM;
}

static bool count_ranges(sqlite3 *db, event_stats *stats) {
  int64_t after, last;
  sqlite3_stmt *query = NULL;
  int code = event_file_ids(db, &after, &last)
                 ? sqlite3_prepare_v2(db,
                                      "SELECT action, state, count(*), min(received_at)"
                                      " FROM events WHERE id > ?1 AND id <= ?2"
                                      " GROUP BY action, state",
                                      -1, &query, NULL)
                 : SQLITE_ERROR;
  while (code == SQLITE_OK && after < last) {
    (void)sqlite3_bind_int64(query, 1, after);
    (void)sqlite3_bind_int64(query, 2, after + RANGE);
    while (code == SQLITE_OK && (code = event_file_step(query)) == SQLITE_ROW) {
      code = count_row(query, stats);
    }
    code = code == SQLITE_DONE ? SQLITE_OK : code;
    (void)sqlite3_reset(query);
    after += RANGE;
    if (code == SQLITE_OK && !event_file_skip_up(db, &after, last)) {
      code = SQLITE_ERROR;
    }
  }
  (void)sqlite3_finalize(query);
  return code == SQLITE_OK;
}

bool event_store_stats(const char *path, event_stats *stats, host_error *error) {
  event_file file;
  if (postgres_is_url(path)) {
    return server_events_stats(path, stats, error);
  }
  *stats = (event_stats){.actions = NULL};
  if (!event_file_open_to_read(&file, path, error)) {
    return false;
  }
  int64_t free_pages, page_size;
  bool ok = (count_ranges(file.db, stats) &&
             event_file_read_integer(file.db, "PRAGMA freelist_count", &free_pages) &&
             event_file_read_integer(file.db, "PRAGMA page_size", &page_size)) ||
            event_file_fail(&file, "read", error);
  if (ok) {
    stats->file_size = event_file_size(file.path, "");
    stats->log_size = event_file_size(file.path, "-wal");
    stats->free_size = free_pages * page_size;
  }
  event_file_close(&file);
  return ok;
}

void event_stats_free(event_stats *stats) {
  for (size_t i = 0; i < stats->action_count; i++) {
    free(stats->actions[i].action);
  }
  free(stats->actions);
  *stats = (event_stats){.actions = NULL};
}

/* Without a row of them: SQLite counts what is on the pages of the table, and of its indexes. */
static const char states_text[] =
    "SELECT (SELECT count(*) FROM events),"
    " (SELECT count(*) FROM events INDEXED BY events_unfinished WHERE state = 0 AND state < 3),"
    " (SELECT count(*) FROM events INDEXED BY events_unfinished WHERE state = 1 AND state < 3),"
    " (SELECT count(*) FROM events INDEXED BY events_unfinished WHERE state = 2 AND state < 3),"
    " (SELECT count(*) FROM events INDEXED BY events_dead WHERE state = 4)";

bool event_store_count_states(const char *path, int64_t states[EVENT_STATES], host_error *error) {
  event_file file;
  sqlite3_stmt *query = NULL;
  if (postgres_is_url(path)) {
    return server_events_count_states(path, states, error);
  }
  if (!event_file_open_to_read(&file, path, error)) {
    return false;
  }
  bool ok = (sqlite3_prepare_v2(file.db, states_text, -1, &query, NULL) == SQLITE_OK &&
             event_file_step(query) == SQLITE_ROW) ||
            event_file_fail(&file, "read", error);
  for (int i = EVENT_RECEIVED; ok && i <= EVENT_RETRY; i++) {
    states[i] = sqlite3_column_int64(query, 1 + i);
  }
  if (ok) {
    states[EVENT_DEAD] = sqlite3_column_int64(query, 4);
    states[EVENT_DONE] = sqlite3_column_int64(query, 0) - states[EVENT_RECEIVED] -
                         states[EVENT_RUNNING] - states[EVENT_RETRY] - states[EVENT_DEAD];
  }
  (void)sqlite3_finalize(query);
  event_file_close(&file);
  return ok;
}

bool event_store_last_purged(const char *path, int64_t *received_at, host_error *error) {
  if (postgres_is_url(path)) {
    return server_queue_last_purged(path, received_at, error);
  }
  event_file file;
  if (!event_file_open_to_read(&file, path, error)) {
    return false;
  }
  bool ok = event_purge_last(file.db, received_at) || event_file_fail(&file, "read", error);
  event_file_close(&file);
  return ok;
}
