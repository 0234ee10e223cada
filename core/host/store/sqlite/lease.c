/* Picks the timers, retries and received events that may run, and marks them running. A lease has
 * no expiry: it ends when its event is finished or its process ends. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t key_of(const event_sql *sql, sqlite3_stmt *row, int column) {
  return ready_queue_key(sql->order, (const char *)sqlite3_column_text(row, column));
}

/* ---- Leasing ---- */

static event_grant *copy_grant(sqlite3_stmt *row, uint64_t account, const char *action) {
  event_grant *grant = event_grant_new(&(event_grant_source){
      .id = sqlite3_column_int64(row, 0),
      .action = action,
      .trace = {(const char *)sqlite3_column_text(row, 7),
                (const char *)sqlite3_column_text(row, 8)},
      .body = sqlite3_column_blob(row, 4),
      .body_size = (size_t)sqlite3_column_bytes(row, 4),
  });
  if (grant != NULL) {
    grant->finish->account = account;
    grant->is_lost = sqlite3_column_type(row, 4) == SQLITE_NULL;
    grant->lease.attempt = sqlite3_column_int(row, 1) + 1;
    grant->lease.replay = sqlite3_column_int(row, 2);
    grant->finish->attempt = grant->lease.attempt;
    grant->finish->replay = grant->lease.replay;
    grant->lease.received_at = sqlite3_column_int64(row, 3);
  }
  return grant;
}

typedef struct {
  event_grant **tail;
  size_t count, limit;
} grant_list;

/* The max of events that a transaction parks, which bounds its duration. */
#define PARKED_MAX 256
/* As well, whose wait was too long. */
#define MAX_CUT 256

static bool append(grant_list *list, event_grant *grant) {
  if (grant == NULL) {
    return false;
  }
  *list->tail = grant;
  list->tail = &grant->next;
  list->count++;
  return true;
}

/* An event that must wait for a place under one of its limits: not in the list of those that are
 * due to run, where it would be looked at again and again. */
typedef struct {
  int64_t id;
  uint64_t account;
  int limit_index;
} parked_event;

static void park(event_sql *sql, const parked_event *event) {
  event_sql_changed_order(
      sql, ready_queue_park(sql->order, event->limit_index, event->account, event->id));
}

/* Its wait is over: from here on it is like a received one. */
static bool park_retry(event_sql *sql, const parked_event *event) {
  sqlite3_stmt *statement = sql->statements[END_WAIT];
  sql->retries--;
  (void)sqlite3_bind_int64(statement, 1, event->id);
  park(sql, event);
  return event_sql_end_use(sql, statement, sqlite3_step(statement));
}

/* Leases the event of a row, or sets `limit_index` to the limit it has to wait for; -1: none.
 * False: out of memory. */
static bool lease_row(event_sql *sql, sqlite3_stmt *row, uint64_t account, grant_list *list,
                      int *limit_index) {
  const char *action = (const char *)sqlite3_column_text(row, 5);
  concurrency_limit_set limits = concurrency_of(&sql->limits, action);
  *limit_index = concurrency_find_exhausted(&sql->limits, limits);
  if (*limit_index >= 0) {
    return true;
  }
  event_grant *grant = copy_grant(row, account, action);
  if (!append(list, grant)) {
    return false;
  }
  grant->finish->limits = limits;
  concurrency_take(&sql->limits, limits);
  return true;
}

/* The clock may have been set back since, and the account of an event that waits has to wait with
 * it: what is due later than any wait can be is due now. A few of many at a time. */
static bool cut_waits(event_sql *sql, int64_t now) {
  if (event_sql_is_shifting(sql)) {
    return true;
  }
  sqlite3_stmt *statement = sql->statements[CUT_WAITS];
  (void)sqlite3_bind_int64(statement, 1, now);
  (void)sqlite3_bind_int64(statement, 2, EVENT_LONGEST_WAIT_MS);
  (void)sqlite3_bind_int(statement, 3, MAX_CUT);
  return event_sql_end_use(sql, statement, sqlite3_step(statement));
}

static bool collect_retries(event_sql *sql, int64_t now, grant_list *list) {
  if (!cut_waits(sql, now)) {
    return false;
  }
  parked_event parked[PARKED_MAX];
  int parked_count = 0;
  size_t max_rows = list->limit - list->count;
  max_rows = max_rows < PARKED_MAX ? max_rows : PARKED_MAX;
  sqlite3_stmt *statement = sql->statements[LEASE_RETRIES];
  (void)sqlite3_bind_int64(statement, 1, now);
  (void)sqlite3_bind_int64(statement, 2, (int64_t)max_rows);
  int step;
  while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
    parked_event event = {.id = sqlite3_column_int64(statement, 0),
                          .account = key_of(sql, statement, 6)};
    if (!lease_row(sql, statement, event.account, list, &event.limit_index)) {
      (void)event_sql_end_use(sql, statement, SQLITE_ROW);
      return event_sql_fail_memory(sql);
    }
    if (event.limit_index >= 0) {
      parked[parked_count++] = event;
    } else {
      sql->retries--;
    }
  }
  bool ok = event_sql_end_use(sql, statement, step);
  for (int i = 0; ok && i < parked_count; i++) {
    ok = park_retry(sql, &parked[i]);
  }
  return ok;
}

/* First those that have waited for a place which is there now. */
static int64_t next_received(event_sql *sql, uint64_t *account) {
  for (int i = 0; i < sql->limits.count; i++) {
    if (ready_queue_parked(sql->order, i) > 0 &&
        concurrency_find_exhausted(&sql->limits, (concurrency_limit_set)1 << i) < 0) {
      return ready_queue_unpark(sql->order, i, account);
    }
  }
  return ready_queue_take(sql->order, account);
}

static bool collect_received(event_sql *sql, grant_list *list) {
  sqlite3_stmt *statement = sql->statements[LEASE_RECEIVED];
  parked_event event;
  int parked_count = 0;
  while (list->count < list->limit && parked_count < PARKED_MAX &&
         (event.id = next_received(sql, &event.account)) > 0) {
    (void)sqlite3_bind_int64(statement, 1, event.id);
    int step = sqlite3_step(statement);
    event.limit_index = -1;
    bool has_memory =
        step != SQLITE_ROW || lease_row(sql, statement, event.account, list, &event.limit_index);
    if (step == SQLITE_DONE) { /* it was deleted by hand */
      event_sql_changed_order(sql, ready_queue_end(sql->order, event.account));
    }
    if (!event_sql_end_use(sql, statement, step) || !has_memory) {
      return has_memory ? false : event_sql_fail_memory(sql);
    }
    if (event.limit_index >= 0) {
      parked_count++;
      park(sql, &event);
    }
  }
  return true;
}

static bool collect_timers(event_sql *sql, int64_t now, grant_list *list) {
  if (!event_timers_store(&sql->timers, sql->file.db, now)) {
    return event_sql_record_failure(sql);
  }
  event_timer *timer;
  while (list->count < list->limit && (timer = event_timers_due(&sql->timers, now)) != NULL) {
    event_grant *grant = event_grant_new(&(event_grant_source){
        .id = -timer->id, .action = "", .body = timer->name, .body_size = strlen(timer->name)});
    if (!append(list, grant)) {
      return event_sql_fail_memory(sql);
    }
    if (!event_timers_start(timer, sql->file.db, now)) {
      return event_sql_record_failure(sql);
    }
  }
  return true;
}

/* The rows are collected first and marked after: marking moves them in the index that is read. */
bool event_sql_lease(event_sql *sql, int64_t now, size_t limit, bool retries_first,
                     event_grant **grants) {
  grant_list list = {.tail = grants, .limit = limit};
  *grants = NULL;
  bool ok = collect_timers(sql, now, &list) &&
            (!retries_first || collect_retries(sql, now, &list)) && collect_received(sql, &list) &&
            (retries_first || collect_retries(sql, now, &list));
  sqlite3_stmt *mark = sql->statements[MARK_RUNNING];
  for (event_grant *grant = *grants; ok && grant != NULL; grant = grant->next) {
    if (grant->lease.id < 0) {
      continue;
    }
    (void)sqlite3_bind_int64(mark, 1, grant->lease.id);
    ok = event_sql_end_use(sql, mark, sqlite3_step(mark));
  }
  return ok;
}

bool event_sql_is_any_ready(const event_sql *sql) {
  bool is_any = ready_queue_ready(sql->order) > 0;
  for (int i = 0; i < sql->limits.count && !is_any; i++) {
    is_any = ready_queue_parked(sql->order, i) > 0 &&
             concurrency_find_exhausted(&sql->limits, (concurrency_limit_set)1 << i) < 0;
  }
  return is_any;
}

event_timers *event_sql_timers(event_sql *sql) {
  return &sql->timers;
}

concurrency_limits *event_sql_limits(event_sql *sql) {
  return &sql->limits;
}

void event_sql_drop_unused_limits(event_sql *sql) {
  for (int i = sql->limits.count - 1; i >= 0; i--) {
    concurrency_drop_unused(&sql->limits, i, ready_queue_parked(sql->order, i) > 0);
  }
}
