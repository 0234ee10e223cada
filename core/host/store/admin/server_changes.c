/* Runs finished events again, and deletes them, at PostgreSQL. */
#include "server_events.h"
#include "server_filter.h"

#include "clock.h"
#include "store/postgres/statements.h"

#define REPLAY                                                                                     \
  "UPDATE palenca.events SET state = 0, attempts = 0, replays = replays + 1, due_at = NULL,"       \
  " finished_at = NULL, error = NULL, owner = NULL, is_behind = account_id IS NOT NULL"

/* ---- Replays ---- */

/* Those of an account that have none before them are promoted; who is idle begins with them at
 * once. If this fails the processes that serve do so within a few seconds. */
static void begin_waiting(server_query *query) {
  query->pq->clear(
      server_query_run(query, "SELECT palenca.promote_waiting('', 9223372036854775807)"));
  query->pq->clear(server_query_run(query, "SELECT pg_notify('palenca', '')"));
}

/* Negative: the statement has failed. */
static int64_t run_on_id(server_query *query, const char *text, int64_t id) {
  values_add_integer(&query->parameters, id);
  PGresult *rows = server_query_run(query, text);
  int64_t count = rows != NULL ? query->pq->ntuples(rows) : -1;
  query->pq->clear(rows);
  return count;
}

bool server_events_replay(const char *url, int64_t id, event_replay_result *result,
                          host_error *error) {
  server_query query;
  *result = EVENT_NOT_FOUND;
  if (!server_query_open(&query, url, error)) {
    return false;
  }
  int64_t replayed =
      run_on_id(&query, REPLAY " WHERE id = $1::bigint AND state >= 3 RETURNING id", id);
  int64_t found = replayed == 0 ? run_on_id(&query,
                                            "SELECT id FROM palenca.events"
                                            " WHERE id = $1::bigint",
                                            id)
                                : replayed;
  bool ok = (replayed >= 0 && found >= 0) || server_query_fail(&query, url, error);
  *result = replayed > 0 ? EVENT_REPLAYED : found > 0 ? EVENT_UNFINISHED : EVENT_NOT_FOUND;
  if (replayed > 0) {
    begin_waiting(&query);
  }
  server_query_close(&query);
  return ok;
}

/* Each id once: what has ended anew meanwhile is left. */
static const char replay_text[] =
    "WITH chosen AS (SELECT e.id" SERVER_TABLES " WHERE e.state >= 3 AND e.id > $8::bigint"
    " AND e.id <= $9::bigint AND" SERVER_FILTER " ORDER BY e.id LIMIT 500 FOR UPDATE OF e)"
    ", replayed AS (" REPLAY " FROM chosen WHERE events.id = chosen.id RETURNING events.id)"
    " SELECT count(*), coalesce(max(id), 0) FROM replayed";

static const char unfinished_text[] =
    "SELECT count(*) FILTER (WHERE e.state < 3), coalesce(max(e.id), 0)" SERVER_TABLES
    " WHERE" SERVER_FILTER;

/* A statement whose row is two numbers; the parameters of the filter are there before others. */
static bool run_counting(server_query *query, const char *text, int64_t *first, int64_t *second) {
  PGresult *row = server_query_run(query, text);
  *first = row != NULL ? server_query_integer(query, row, 0, 0) : 0;
  *second = row != NULL ? server_query_integer(query, row, 0, 1) : 0;
  query->pq->clear(row);
  return row != NULL;
}

static bool is_stopped(const event_admin_stop *stop) {
  return event_admin_stop_reason(stop) != NULL;
}

static bool fail_if_stopped(const event_admin_stop *stop, host_error *error) {
  const char *reason = event_admin_stop_reason(stop);
  return reason == NULL || host_error_set(error, HOST_FAILED, "%s", reason);
}

static bool replay_all(server_query *query, const event_filter *filter,
                       const event_admin_stop *stop, int64_t last, int64_t *count) {
  int64_t after = 0, step = 1;
  bool ok = true;
  while (ok && step > 0 && !is_stopped(stop)) {
    server_filter_add(query, filter);
    values_add_integer(&query->parameters, after);
    values_add_integer(&query->parameters, last);
    ok = run_counting(query, replay_text, &step, &after);
    *count += step;
  }
  return ok;
}

bool server_events_replay_matching(const char *url, const event_filter *filter,
                                   event_admin_stop stop, int64_t *replayed, int64_t *left_out,
                                   host_error *error) {
  server_query query;
  int64_t last = 0;
  *replayed = *left_out = 0;
  if (!server_filter_check(filter, error) || !server_query_open(&query, url, error)) {
    return false;
  }
  server_filter_add(&query, filter);
  bool ok = (run_counting(&query, unfinished_text, left_out, &last) &&
             replay_all(&query, filter, &stop, last, replayed)) ||
            server_query_fail(&query, url, error);
  if (*replayed > 0) {
    begin_waiting(&query);
  }
  server_query_close(&query);
  return ok && fail_if_stopped(&stop, error);
}

bool server_events_replay_dead(const char *url, const event_filter *filter, int64_t *count,
                               host_error *error) {
  const event_filter dead = {.state = event_state_names[EVENT_DEAD],
                             .action = filter->action,
                             .account_id = filter->account_id,
                             .since = filter->since};
  int64_t left_out;
  return server_events_replay_matching(url, &dead, (event_admin_stop){NULL, NULL}, count, &left_out,
                                       error);
}

/* ---- Deleting ---- */

/* Duplicates of what is in the window must still be recognized. */
#define CHOSEN                                                                                     \
  SERVER_TABLES " WHERE e.state >= 3 AND" SERVER_FILTER                                            \
                " AND e.finished_at < to_timestamp($8::bigint / 1000.0)"
#define BYTES                                                                                      \
  "(length(action) + coalesce(length(account_id), 0) + coalesce(length(error), 0)"                 \
  " + coalesce(length(body), 0))::bigint"
#define IS_KEPT "received_at >= $9::bigint"
/* 9999-12-31: no time of a finish is later. */
#define WHENEVER INT64_C(253402214400000)

static const char count_text[] =
    "SELECT count(*) FILTER (WHERE NOT " IS_KEPT "), count(*) FILTER (WHERE " IS_KEPT "),"
    " coalesce(sum(" BYTES ") FILTER (WHERE NOT " IS_KEPT "), 0)::bigint" CHOSEN;

static const char delete_text[] =
    "WITH old AS MATERIALIZED (SELECT e.id, action, received_at, " BYTES " AS size" CHOSEN
    " AND NOT " IS_KEPT " ORDER BY e.finished_at LIMIT 500 FOR UPDATE OF e SKIP LOCKED)"
    ", e AS (DELETE FROM palenca.events USING old WHERE events.id = old.id)"
    ", a AS (DELETE FROM palenca.attempts USING old WHERE attempts.id = old.id)"
    ", t AS (DELETE FROM palenca.traces USING old WHERE traces.id = old.id)"
    ", s AS (DELETE FROM palenca.event_responses AS s USING old WHERE s.id = old.id)"
    ", b AS (DELETE FROM palenca.bodies USING old WHERE bodies.id = old.id"
    " RETURNING bodies.id, bodies.hash)"
    ", r AS (DELETE FROM palenca.receipts USING b"
    " WHERE receipts.hash = b.hash AND receipts.event = b.id)" STATEMENTS_REMEMBER_PURGED
    " SELECT count(*), 0::bigint, coalesce(sum(size), 0)::bigint FROM old";

typedef struct {
  const event_filter *filter;
  int64_t finished_before;
  bool dry_run;
  event_admin_stop stop;
} purge_request;

static bool run_purge(server_query *query, const char *text, const purge_request *what,
                      int64_t received_before, event_purge_report *step) {
  server_filter_add(query, what->filter);
  values_add_integer(&query->parameters, what->finished_before);
  values_add_integer(&query->parameters, received_before);
  PGresult *row = server_query_run(query, text);
  if (row != NULL) {
    step->events = server_query_integer(query, row, 0, 0);
    step->kept = server_query_integer(query, row, 0, 1);
    step->bytes = server_query_integer(query, row, 0, 2);
  }
  query->pq->clear(row);
  return row != NULL;
}

static bool find_window(server_query *query, int64_t *received_before) {
  PGresult *row = server_query_run(query, "SELECT dedup_window_ms FROM palenca.serving");
  int64_t window = row != NULL ? server_query_integer(query, row, 0, 0) : 0;
  *received_before = window > 0 ? clock_unix_ms() - window : INT64_MAX;
  query->pq->clear(row);
  return row != NULL;
}

static bool purge(server_query *query, const purge_request *what, event_purge_report *report) {
  int64_t received_before;
  event_purge_report found = {.events = 0}, step = {.events = 1};
  bool ok = find_window(query, &received_before) &&
            run_purge(query, count_text, what, received_before, &found);
  report->kept = found.kept;
  if (what->dry_run) {
    report->events = found.events;
    report->bytes = found.bytes;
  }
  while (ok && !what->dry_run && step.events > 0 && !is_stopped(&what->stop)) {
    ok = run_purge(query, delete_text, what, received_before, &step);
    report->events += ok ? step.events : 0;
    report->bytes += ok ? step.bytes : 0;
  }
  return ok && server_query_size(query, &report->file_size);
}

static bool run_request(const char *url, const purge_request *what, event_purge_report *report,
                        host_error *error) {
  server_query query;
  *report = (event_purge_report){.events = 0};
  if (!server_filter_check(what->filter, error) || !server_query_open(&query, url, error)) {
    return false;
  }
  bool ok = purge(&query, what, report) || server_query_fail(&query, url, error);
  server_query_close(&query);
  return ok && fail_if_stopped(&what->stop, error);
}

bool server_events_purge(const char *url, const event_purge *what, event_purge_report *report,
                         host_error *error) {
  const event_filter filter = {.state = event_state_names[what->state]};
  const purge_request request = {
      .filter = &filter, .finished_before = what->finished_before, .dry_run = what->dry_run};
  return run_request(url, &request, report, error);
}

bool server_events_purge_matching(const char *url, const event_filter *filter, bool dry_run,
                                  event_admin_stop stop, event_purge_report *report,
                                  host_error *error) {
  const purge_request request = {
      .filter = filter, .finished_before = WHENEVER, .dry_run = dry_run, .stop = stop};
  return run_request(url, &request, report, error);
}
