/* The leases of the event store: which events may run, and how a transaction takes them. */
#include "event_store_sql_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool no_memory(event_sql *sql) {
  (void)snprintf(sql->reason, sizeof sql->reason, "out of memory");
  return false;
}

static uint64_t key_of(const event_sql *sql, sqlite3_stmt *row, int column) {
  return event_order_key(sql->order, (const char *)sqlite3_column_text(row, column));
}

/* ---- The order, from the tables ---- */

static const char busy_text[] = "SELECT id, account_id FROM events INDEXED BY events_unfinished"
                                " WHERE state IN (1, 2) AND state < 3";
static const char received_text[] = "SELECT id, account_id FROM events INDEXED BY events_unfinished"
                                    " WHERE state = 0 AND due_at = 0 AND state < 3 ORDER BY id";

static bool learn(event_sql *sql, const char *text, bool is_busy) {
  sqlite3_stmt *statement = NULL;
  bool has_memory = true;
  int code = sqlite3_prepare_v2(sql->file.db, text, -1, &statement, NULL);
  while (has_memory && code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
    uint64_t account = key_of(sql, statement, 1);
    has_memory = is_busy ? event_order_add_busy(sql->order, account)
                         : event_order_add(sql->order, account, sqlite3_column_int64(statement, 0));
    code = SQLITE_OK;
  }
  if (has_memory && code != SQLITE_DONE) {
    (void)event_sql_note_failure(sql);
  }
  (void)sqlite3_finalize(statement);
  return (has_memory || no_memory(sql)) && code == SQLITE_DONE;
}

static bool know_order(event_sql *sql) {
  if (!sql->order_is_known) {
    event_order_clear(sql->order);
    sql->order_is_known = learn(sql, busy_text, true) && learn(sql, received_text, false);
  }
  return sql->order_is_known;
}

void event_sql_forget_order(event_sql *sql) {
  sql->order_is_known = false;
}

bool event_sql_has_waiting(const event_sql *sql) {
  return !sql->order_is_known || event_order_ready(sql->order) > 0 ||
         event_order_waiting(sql->order) > 0;
}

/* ---- Leasing ---- */

/* NULL: out of memory. */
static event_grant *copy_grant(sqlite3_stmt *row, uint64_t account) {
  const void *body = sqlite3_column_blob(row, 4);
  size_t size = (size_t)sqlite3_column_bytes(row, 4);
  event_grant *grant = NULL;
  if (body != NULL || size == 0) {
    grant = malloc(sizeof *grant + size + 1);
  }
  event_finish *finish = calloc(1, sizeof *finish);
  if (grant == NULL || finish == NULL) {
    free(grant);
    free(finish);
    return NULL;
  }
  finish->id = sqlite3_column_int64(row, 0);
  finish->account = account;
  *grant = (event_grant){.finish = finish, .is_lost = sqlite3_column_type(row, 4) == SQLITE_NULL};
  if (size > 0) {
    memcpy(grant->body, body, size);
  }
  grant->body[size] = '\0';
  grant->lease = (event_lease){.id = finish->id,
                               .attempt = sqlite3_column_int(row, 1) + 1,
                               .replay = sqlite3_column_int(row, 2),
                               .received_at = sqlite3_column_int64(row, 3),
                               .body = grant->body,
                               .body_size = size};
  return grant;
}

typedef struct {
  event_grant **tail;
  size_t count, limit;
} grant_list;

static bool append(grant_list *list, event_grant *grant) {
  if (grant == NULL) {
    return false;
  }
  *list->tail = grant;
  list->tail = &grant->next;
  list->count++;
  return true;
}

static bool collect_retries(event_sql *sql, int64_t now, grant_list *list) {
  sqlite3_stmt *statement = sql->statements[LEASE_RETRIES];
  (void)sqlite3_bind_int64(statement, 1, now);
  (void)sqlite3_bind_int64(statement, 2, (int64_t)(list->limit - list->count));
  int step;
  while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
    if (!append(list, copy_grant(statement, key_of(sql, statement, 5)))) {
      (void)event_sql_end_use(sql, statement, SQLITE_ROW);
      return no_memory(sql);
    }
  }
  return event_sql_end_use(sql, statement, step);
}

static bool collect_received(event_sql *sql, grant_list *list) {
  sqlite3_stmt *statement = sql->statements[LEASE_RECEIVED];
  uint64_t account;
  int64_t id;
  while (list->count < list->limit && (id = event_order_take(sql->order, &account)) > 0) {
    (void)sqlite3_bind_int64(statement, 1, id);
    int step = sqlite3_step(statement);
    bool has_memory = step != SQLITE_ROW || append(list, copy_grant(statement, account));
    if (step == SQLITE_DONE) { /* it was deleted by hand */
      sql->order_is_known = event_order_end(sql->order, account) && sql->order_is_known;
    }
    if (!event_sql_end_use(sql, statement, step) || !has_memory) {
      return has_memory ? false : no_memory(sql);
    }
  }
  return true;
}

/* The rows are collected first and marked after: marking moves them in the index that is read. */
bool event_sql_lease(event_sql *sql, int64_t now, size_t limit, bool retries_first,
                     event_grant **grants, size_t *count) {
  grant_list list = {.tail = grants, .limit = limit};
  *grants = NULL;
  bool ok = know_order(sql) && (!retries_first || collect_retries(sql, now, &list)) &&
            collect_received(sql, &list) && (retries_first || collect_retries(sql, now, &list));
  sqlite3_stmt *mark = sql->statements[MARK_RUNNING];
  for (event_grant *grant = *grants; ok && grant != NULL; grant = grant->next) {
    (void)sqlite3_bind_int64(mark, 1, grant->lease.id);
    ok = event_sql_end_use(sql, mark, sqlite3_step(mark));
  }
  *count = list.count;
  return ok;
}
