/* Runs retention, incremental vacuum and checkpoints between transactions, in short steps. */
#include "maintenance.h"

#include "clock.h"
#include "common/metrics.h"
#include "forget.h"
#include "ledger.h"
#include "purge.h"
#include "reconciled.h"
#include "responses.h"

/* Ids in a step: half as many after one that took longer, twice as many after one that was short.
 */
#define MAX_RANGE 250
#define MIN_RANGE 8
#define MAX_DECISIONS 64 /* in a step */
#define MAX_RESPONSES 8  /* likewise; they may have many pages */
#define MAX_MARKS 64     /* likewise, of each kind */
#define LONG_STEP_MS 4
#define SHORT_STEP_MS 1
#define SHRINK_PAGES 64 /* in a step */
#define IDLE_STEP_MS 2
#define BUSY_STEP_MS 50
#define BEHIND_STEP_MS 5
#define LONGEST_ROUND_MS 3600000
#define SHORTEST_ROUND_MS 200
#define RETRY_MS 30000
#define READER_MS 250 /* until one that reads has gone on */

static int on_commit(void *context, sqlite3 *db, const char *name, int pages) {
  event_maintenance *maintenance = context;
  (void)db;
  (void)name;
  if (pages < maintenance->pages) { /* the log was restarted */
    maintenance->seen = 0;
  }
  maintenance->pages = pages;
  return SQLITE_OK;
}

void event_maintenance_init(event_maintenance *maintenance, sqlite3 *db,
                            const event_retention *retention) {
  int64_t now = clock_steady_ms();
  *maintenance = (event_maintenance){.retention = retention->events,
                                     .decisions = {retention->decisions, now},
                                     .responses = {retention->responses, now},
                                     .marks = {EVENT_RECONCILED_MS, now},
                                     .next_round = now,
                                     .next_step = now,
                                     .may_shrink = true,
                                     .range = MAX_RANGE};
  (void)sqlite3_wal_hook(db, on_commit, maintenance);
}

/* A round ends at the first event that is young, if the one after it is young as well, so that
 * it costs little where there is nothing to delete. */
static int64_t round_interval(int64_t retention) {
  int64_t interval = retention / 8;
  interval = interval > SHORTEST_ROUND_MS ? interval : SHORTEST_ROUND_MS;
  return interval < LONGEST_ROUND_MS ? interval : LONGEST_ROUND_MS;
}

/* Those who wait are held up by each step; an idle store makes them one after the other. A round
 * that takes longer than there should be between two deletes less than comes in. */
static int64_t step_interval(const event_maintenance *maintenance, bool is_idle, int64_t now) {
  if (is_idle) {
    return IDLE_STEP_MS;
  }
  bool is_behind = maintenance->in_round &&
                   now - maintenance->next_round > round_interval(maintenance->retention);
  return is_behind ? BEHIND_STEP_MS : BUSY_STEP_MS;
}

static int64_t sooner(const event_maintenance *maintenance, const event_expiry *expiry,
                      int64_t next) {
  if (expiry->retention <= 0 || expiry->next >= next) {
    return next;
  }
  return expiry->next > maintenance->next_step ? expiry->next : maintenance->next_step;
}

int64_t event_maintenance_due(const event_maintenance *maintenance, bool is_idle) {
  int64_t next = INT64_MAX;
  if (maintenance->in_round || (is_idle && maintenance->may_shrink)) {
    next = maintenance->next_step;
  } else if (maintenance->retention > 0) {
    next = maintenance->next_round > maintenance->next_step ? maintenance->next_round
                                                            : maintenance->next_step;
  }
  next = sooner(maintenance, &maintenance->decisions, next);
  next = sooner(maintenance, &maintenance->responses, next);
  next = sooner(maintenance, &maintenance->marks, next);
  int64_t now = clock_steady_ms();
  if (next == INT64_MAX) {
    return next;
  }
  next += step_interval(maintenance, is_idle, now);
  return next > now ? next - now : 0;
}

/* The first event after `after`; both INT64_MAX if there is none. */
static bool find_first(sqlite3 *db, int64_t after, int64_t *id, int64_t *received_at) {
  sqlite3_stmt *query = NULL;
  bool ok = sqlite3_prepare_v2(db,
                               "SELECT id, received_at FROM events WHERE id > ?1"
                               " ORDER BY id LIMIT 1",
                               -1, &query, NULL) == SQLITE_OK;
  (void)sqlite3_bind_int64(query, 1, after);
  int step = ok ? sqlite3_step(query) : SQLITE_ERROR;
  *id = step == SQLITE_ROW ? sqlite3_column_int64(query, 0) : INT64_MAX;
  *received_at = step == SQLITE_ROW ? sqlite3_column_int64(query, 1) : INT64_MAX;
  (void)sqlite3_finalize(query);
  return step == SQLITE_ROW || step == SQLITE_DONE;
}

/* Where the next old event may be; INT64_MAX: there is none. Events are stored nearly in the
 * order of receipt, but for those received while the clock was wrong: the first one after
 * `after` may be young, and old ones follow. Probing at growing distances finds those. */
static bool find_old(sqlite3 *db, int64_t after, int64_t before, int64_t *first) {
  int64_t received_at;
  bool ok = find_first(db, after, first, &received_at);
  int64_t id = *first;
  for (int64_t distance = 0; ok && id != INT64_MAX && received_at >= before;
       distance = 2 * distance + 1) {
    ok = find_first(db, *first + distance, &id, &received_at);
  }
  if (id == INT64_MAX) {
    *first = INT64_MAX;
  }
  return ok;
}

static bool delete_some(event_maintenance *maintenance, sqlite3 *db) {
  int64_t before = clock_unix_ms() - maintenance->retention;
  int64_t first, deleted;
  if (!find_old(db, maintenance->after, before, &first)) {
    return false;
  }
  if (first == INT64_MAX) {
    maintenance->in_round = false;
    maintenance->next_round = clock_steady_ms() + round_interval(maintenance->retention);
    return true;
  }
  const event_purge_range range = {.after = first - 1,
                                   .last = first - 1 + maintenance->range,
                                   .state = EVENT_DONE,
                                   .before = before,
                                   .received_before = INT64_MAX};
  if (!event_purge_delete(db, &range, &deleted)) {
    return false;
  }
  maintenance->after = range.last;
  maintenance->may_shrink = maintenance->may_shrink || deleted > 0;
  return true;
}

static bool delete_old_decisions(sqlite3 *db, int64_t now, int64_t before, int64_t *deleted) {
  return event_ledger_delete_old(db, before, MAX_DECISIONS, now, deleted);
}

static bool delete_old_responses(sqlite3 *db, int64_t now, int64_t before, int64_t *deleted) {
  (void)now;
  return event_responses_delete_old(db, before, MAX_RESPONSES, deleted);
}

static bool delete_old_marks(sqlite3 *db, int64_t now, int64_t before, int64_t *deleted) {
  int64_t reconciled = 0, forgotten = 0;
  (void)before; /* they say themselves until when they count */
  bool ok = event_reconciled_delete_old(db, now, MAX_MARKS, &reconciled) &&
            event_forget_delete_old(db, MAX_MARKS, &forgotten);
  *deleted = reconciled + forgotten;
  return ok;
}

/* Some of the oldest, in a transaction; a round ends when no old one is left. */
static bool delete_expired(event_maintenance *maintenance, sqlite3 *db, event_expiry *expiry,
                           bool (*delete_old)(sqlite3 *db, int64_t now, int64_t before,
                                              int64_t *deleted)) {
  int64_t now = clock_unix_ms(), deleted = 0;
  bool ok = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
            delete_old(db, now, now - expiry->retention, &deleted) &&
            sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
  if (ok && deleted > 0) {
    maintenance->may_shrink = true;
  } else if (ok) {
    expiry->next = clock_steady_ms() + round_interval(expiry->retention);
  }
  return ok;
}

/* The file itself is cut off by a checkpoint, if it is a complete one: it also succeeds if a
 * reader has kept it from copying everything. */
static bool checkpoint(sqlite3 *db, bool *is_complete) {
  int frames = 0, copied = 0;
  bool ok =
      sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied) == SQLITE_OK;
  *is_complete = ok && copied == frames;
  return ok;
}

void event_maintenance_checkpoint(event_maintenance *maintenance, sqlite3 *db, bool is_retry) {
  bool is_due = maintenance->pages - maintenance->seen >= EVENT_CHECKPOINT_PAGES;
  if (is_due || (is_retry && maintenance->is_checkpoint_partial)) {
    bool is_complete;
    bool ok = checkpoint(db, &is_complete);
    metric_add(METRIC_CHECKPOINTS, 0, ok);
    maintenance->is_checkpoint_partial = ok && !is_complete;
    maintenance->seen = maintenance->pages;
  }
}

/* A failure is a full disk or the like, which puts report. */
static void shrink(event_maintenance *maintenance, sqlite3 *db) {
  bool is_complete = true;
  bool ok = event_purge_shrink(db, SHRINK_PAGES, &maintenance->may_shrink);
  if (ok && !maintenance->may_shrink) {
    ok = checkpoint(db, &is_complete);
  }
  if (!ok || !is_complete) {
    maintenance->may_shrink = true;
    maintenance->next_step += ok ? READER_MS : RETRY_MS;
  }
}

static void adjust_range(event_maintenance *maintenance, int64_t took) {
  if (took >= LONG_STEP_MS && maintenance->range > MIN_RANGE) {
    maintenance->range /= 2;
  } else if (took <= SHORT_STEP_MS && maintenance->range <= MAX_RANGE / 2) {
    maintenance->range *= 2;
  }
}

static bool is_expiry_due(const event_expiry *expiry, int64_t now) {
  return expiry->retention > 0 && expiry->next <= now;
}

/* After a step that wrote; a failure is the caller's, unless it passes by itself. */
static bool after_deletion(event_maintenance *maintenance, sqlite3 *db, bool ok) {
  if (!ok && (sqlite3_errcode(db) & 0xff) == SQLITE_BUSY) {
    maintenance->next_step += READER_MS; /* another process writes just now */
    return true;
  }
  maintenance->next_step += ok ? 0 : RETRY_MS;
  return ok;
}

bool event_maintenance_step(event_maintenance *maintenance, sqlite3 *db, bool is_idle,
                            event_maintenance_task *task) {
  int64_t now = clock_steady_ms();
  bool ok = true;
  *task = EVENT_MAINTENANCE_FILE;
  maintenance->next_step = now;
  if (!maintenance->in_round && maintenance->retention > 0 && maintenance->next_round <= now) {
    maintenance->in_round = true;
    maintenance->after = INT64_MIN;
  }
  if (maintenance->in_round) {
    int64_t began = clock_read_ms(CLOCK_THREAD_CPUTIME_ID); /* not what a sync takes */
    *task = EVENT_MAINTENANCE_EVENTS;
    ok = delete_some(maintenance, db);
    adjust_range(maintenance, clock_read_ms(CLOCK_THREAD_CPUTIME_ID) - began);
    ok = after_deletion(maintenance, db, ok);
  } else if (is_expiry_due(&maintenance->decisions, now)) {
    *task = EVENT_MAINTENANCE_DECISIONS;
    ok = delete_expired(maintenance, db, &maintenance->decisions, delete_old_decisions);
    ok = after_deletion(maintenance, db, ok);
  } else if (is_expiry_due(&maintenance->responses, now)) {
    *task = EVENT_MAINTENANCE_RESPONSES;
    ok = delete_expired(maintenance, db, &maintenance->responses, delete_old_responses);
    ok = after_deletion(maintenance, db, ok);
  } else if (is_expiry_due(&maintenance->marks, now)) {
    *task = EVENT_MAINTENANCE_MARKS;
    ok = delete_expired(maintenance, db, &maintenance->marks, delete_old_marks);
    ok = after_deletion(maintenance, db, ok);
  } else if (is_idle && maintenance->may_shrink) {
    /* While events come in they use the free pages. */
    shrink(maintenance, db);
  }
  return ok;
}
