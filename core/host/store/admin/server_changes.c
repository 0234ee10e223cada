/* Runs finished events again, and deletes them, at PostgreSQL. */
#include "server_events.h"
#include "server_query.h"

#include "clock.h"

#define REPLAY                                                                                     \
  "UPDATE palenca.events SET state = 0, attempts = 0, replays = replays + 1, due_at = NULL,"       \
  " finished_at = NULL, error = NULL, owner = NULL"

/* ---- Replays ---- */

/* Those that are idle begin it at once. */
static void notify(server_query *query) {
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
    notify(&query);
  }
  server_query_close(&query);
  return ok;
}

/* Each id once: what has died anew meanwhile is left. */
static const char replay_dead[] =
    "WITH dead AS (SELECT id FROM palenca.events WHERE state = 4 AND id > $1::bigint"
    " AND ($2::text = '' OR action = $2) AND ($3::text = '' OR account_id = $3)"
    " AND received_at >= $4::bigint ORDER BY id LIMIT 500 FOR UPDATE)"
    ", replayed AS (" REPLAY " FROM dead WHERE events.id = dead.id RETURNING events.id)"
    " SELECT count(*), coalesce(max(id), 0) FROM replayed";

static bool replay_some(server_query *query, const event_filter *filter, int64_t *after,
                        int64_t *count) {
  values_add_integer(&query->parameters, *after);
  server_query_add_text(query, filter->action != NULL ? filter->action : "");
  server_query_add_text(query, filter->account_id != NULL ? filter->account_id : "");
  values_add_integer(&query->parameters, filter->since);
  PGresult *row = server_query_run(query, replay_dead);
  *count = row != NULL ? server_query_integer(query, row, 0, 0) : 0;
  *after = row != NULL ? server_query_integer(query, row, 0, 1) : 0;
  query->pq->clear(row);
  return row != NULL;
}

bool server_events_replay_dead(const char *url, const event_filter *filter, int64_t *count,
                               host_error *error) {
  server_query query;
  *count = 0;
  if (!server_query_open(&query, url, error)) {
    return false;
  }
  int64_t after = 0, step = 0;
  bool ok = true;
  do {
    ok = replay_some(&query, filter, &after, &step);
    *count += step;
  } while (ok && step > 0);
  ok = ok || server_query_fail(&query, url, error);
  if (*count > 0) {
    notify(&query);
  }
  server_query_close(&query);
  return ok;
}

/* ---- Deleting ---- */

/* Duplicates of what is in the window must still be recognized. */
#define CHOSEN                                                                                     \
  " FROM palenca.events AS e LEFT JOIN palenca.bodies AS b USING (id)"                             \
  " WHERE e.state = $1::bigint AND e.finished_at < to_timestamp($2::bigint / 1000.0)"
#define BYTES                                                                                      \
  "(length(action) + coalesce(length(account_id), 0) + coalesce(length(error), 0)"                 \
  " + coalesce(length(body), 0))::bigint"
#define IS_KEPT "received_at >= $3::bigint"

static const char count_text[] =
    "SELECT count(*) FILTER (WHERE NOT " IS_KEPT "), count(*) FILTER (WHERE " IS_KEPT "),"
    " coalesce(sum(" BYTES ") FILTER (WHERE NOT " IS_KEPT "), 0)::bigint" CHOSEN;

static const char delete_text[] =
    "WITH old AS MATERIALIZED (SELECT e.id, " BYTES " AS size" CHOSEN " AND NOT " IS_KEPT
    " ORDER BY e.finished_at LIMIT 500 FOR UPDATE OF e SKIP LOCKED)"
    ", e AS (DELETE FROM palenca.events USING old WHERE events.id = old.id)"
    ", t AS (DELETE FROM palenca.traces USING old WHERE traces.id = old.id)"
    ", b AS (DELETE FROM palenca.bodies USING old WHERE bodies.id = old.id"
    " RETURNING bodies.id, bodies.hash)"
    ", r AS (DELETE FROM palenca.receipts USING b"
    " WHERE receipts.hash = b.hash AND receipts.event = b.id)"
    " SELECT count(*), 0::bigint, coalesce(sum(size), 0)::bigint FROM old";

static bool run_purge(server_query *query, const char *text, const event_purge *what,
                      int64_t received_before, event_purge_report *step) {
  values_add_integer(&query->parameters, what->state);
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

static bool purge(server_query *query, const event_purge *what, event_purge_report *report) {
  int64_t received_before;
  event_purge_report found = {.events = 0}, step = {.events = 1};
  bool ok = find_window(query, &received_before) &&
            run_purge(query, count_text, what, received_before, &found);
  report->kept = found.kept;
  if (what->dry_run) {
    report->events = found.events;
    report->bytes = found.bytes;
  }
  while (ok && !what->dry_run && step.events > 0) {
    ok = run_purge(query, delete_text, what, received_before, &step);
    report->events += ok ? step.events : 0;
    report->bytes += ok ? step.bytes : 0;
  }
  return ok && server_query_size(query, &report->file_size);
}

bool server_events_purge(const char *url, const event_purge *what, event_purge_report *report,
                         host_error *error) {
  server_query query;
  *report = (event_purge_report){.events = 0};
  if (!server_query_open(&query, url, error)) {
    return false;
  }
  bool ok = purge(&query, what, report) || server_query_fail(&query, url, error);
  server_query_close(&query);
  return ok;
}
