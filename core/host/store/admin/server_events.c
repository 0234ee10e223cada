/* Lists and counts the events at PostgreSQL for people. */
#include "server_events.h"

#include "clock.h"
#include "server_filter.h"

#define PAGE_ROWS 256
/* Of a search with a time: so many events are looked at between two looks at the clock. */
#define WINDOW_ROWS "2000"

#define DUE_AT "coalesce((extract(epoch FROM due_at) * 1000)::bigint, 0)"
#define FINISHED_AT "coalesce((extract(epoch FROM finished_at) * 1000)::bigint, 0)"
#define COLUMNS                                                                                    \
  "e.id, action, account_id, state::bigint, attempts::bigint, replays::bigint, received_at,"       \
  " " DUE_AT ", " FINISHED_AT ", error, palenca.platform_of(body), body, traceparent, request_id"

static event_summary summary_of(const server_query *query, const PGresult *rows, int row) {
  return (event_summary){
      .id = server_query_integer(query, rows, row, 0),
      .action = server_query_text(query, rows, row, 1),
      .account_id = server_query_text(query, rows, row, 2),
      .state = event_state_name((event_state)server_query_integer(query, rows, row, 3)),
      .attempts = (int)server_query_integer(query, rows, row, 4),
      .replays = (int)server_query_integer(query, rows, row, 5),
      .received_at = server_query_integer(query, rows, row, 6),
      .due_at = server_query_integer(query, rows, row, 7),
      .finished_at = server_query_integer(query, rows, row, 8),
      .error = server_query_text(query, rows, row, 9),
      .platform = server_query_text(query, rows, row, 10),
  };
}

/* ---- Listing ---- */

typedef struct {
  server_query query;
  const event_filter *filter;
  event_visit each;
  void *context;
  bool is_wanted;      /* more of them is */
  int64_t after, last; /* the ids that are left */
  int64_t left;        /* of the limit */
} listing;

#define PAGE(order)                                                                                \
  "SELECT " COLUMNS SERVER_TABLES " LEFT JOIN palenca.traces AS t USING (id)"                      \
  " WHERE e.id > $8::bigint AND e.id <= $9::bigint AND" SERVER_FILTER " ORDER BY e.id " order      \
  " LIMIT $10::bigint"

static PGresult *read_page(listing *l, int64_t after) {
  values *to = &l->query.parameters;
  server_filter_add(&l->query, l->filter);
  values_add_integer(to, after);
  values_add_integer(to, l->last);
  values_add_integer(to, l->left < PAGE_ROWS ? l->left : PAGE_ROWS);
  return server_query_run(&l->query, l->filter->oldest_first ? PAGE("ASC") : PAGE("DESC"));
}

static void show_page(listing *l, const PGresult *rows, int count) {
  for (int i = 0; i < count && l->is_wanted; i++) {
    event_summary event = summary_of(&l->query, rows, i);
    if (l->filter->oldest_first) {
      l->after = event.id;
    } else {
      l->last = event.id - 1;
    }
    l->left--;
    l->is_wanted = l->each(l->context, &event) && l->left > 0;
  }
}

static bool show_pages(listing *l, int64_t after) {
  int count = PAGE_ROWS;
  while (l->is_wanted && count == PAGE_ROWS) {
    PGresult *rows = read_page(l, after);
    if (rows == NULL) {
      return false;
    }
    count = l->query.pq->ntuples(rows);
    show_page(l, rows, count);
    l->query.pq->clear(rows);
    after = l->filter->oldest_first ? l->after : after;
  }
  return true;
}

/* The first id of those that are looked at next. */
static bool find_window(listing *l, int64_t *first) {
  values_add_integer(&l->query.parameters, server_filter_state(l->filter));
  values_add_integer(&l->query.parameters, l->after);
  values_add_integer(&l->query.parameters, l->last);
  PGresult *row = server_query_run(
      &l->query, "SELECT coalesce(min(id), $2 + 1) FROM (SELECT id FROM palenca.events"
                 " WHERE ($1::bigint < 0 OR state = $1) AND id > $2::bigint AND id <= $3::bigint"
                 " ORDER BY id DESC LIMIT " WINDOW_ROWS ") AS w");
  *first = row != NULL ? server_query_integer(&l->query, row, 0, 0) : 0;
  l->query.pq->clear(row);
  return row != NULL;
}

static bool show_until(listing *l, int64_t until) {
  bool ok = true;
  do {
    int64_t first;
    ok = find_window(l, &first) && show_pages(l, first - 1);
    l->last = ok && l->is_wanted ? first - 1 : l->last;
  } while (ok && l->is_wanted && l->after < l->last && clock_steady_ms() < until);
  return ok;
}

static bool find_last(listing *l) {
  PGresult *row = server_query_run(&l->query, "SELECT coalesce(max(id), 0) FROM palenca.events");
  int64_t before = l->filter->before;
  if (row != NULL) {
    l->last = server_query_integer(&l->query, row, 0, 0);
    l->last = before > 0 && before <= l->last ? before - 1 : l->last;
    l->query.pq->clear(row);
  }
  return row != NULL;
}

bool server_events_list(const char *url, const event_filter *filter, int64_t timeout_ms,
                        event_visit each, void *context, int64_t *next, host_error *error) {
  listing l = {.filter = filter,
               .each = each,
               .context = context,
               .is_wanted = true,
               .after = filter->after > 0 ? filter->after : 0,
               .left = filter->limit > 0 ? filter->limit : INT64_MAX};
  *next = 0;
  if (!server_filter_check(filter, error) || !server_query_open(&l.query, url, error)) {
    return false;
  }
  bool ok = find_last(&l) && (timeout_ms > 0 ? show_until(&l, clock_steady_ms() + timeout_ms)
                                             : show_pages(&l, l.after));
  ok = ok || server_query_fail(&l.query, url, error);
  *next = ok && timeout_ms > 0 && l.after < l.last ? l.last + 1 : 0;
  server_query_close(&l.query);
  return ok;
}

bool server_events_show(const char *url, int64_t id, event_visit each, void *context,
                        host_error *error) {
  server_query query;
  if (!server_query_open(&query, url, error)) {
    return false;
  }
  values_add_integer(&query.parameters, id);
  PGresult *rows = server_query_run(&query, "SELECT " COLUMNS SERVER_TABLES
                                            " LEFT JOIN palenca.traces AS t USING (id)"
                                            " WHERE e.id = $1::bigint");
  bool ok = rows != NULL || server_query_fail(&query, url, error);
  if (ok && query.pq->ntuples(rows) > 0) {
    event_summary event = summary_of(&query, rows, 0);
    event.body = query.pq->getvalue(rows, 0, 11);
    event.body_size = (size_t)query.pq->getlength(rows, 0, 11);
    event.trace = (event_trace){server_query_text(&query, rows, 0, 12),
                                server_query_text(&query, rows, 0, 13)};
    (void)each(context, &event);
  }
  query.pq->clear(rows);
  server_query_close(&query);
  return ok;
}

static event_attempt attempt_of(const server_query *query, const PGresult *rows, int row) {
  return (event_attempt){
      .replay = (int)server_query_integer(query, rows, row, 0),
      .attempt = (int)server_query_integer(query, rows, row, 1),
      .started_at = server_query_integer(query, rows, row, 2),
      .duration = server_query_integer(query, rows, row, 3),
      .outcome = event_attempt_outcome_name(
          (event_attempt_outcome)server_query_integer(query, rows, row, 4)),
      .error = server_query_text(query, rows, row, 5),
      .lines = server_query_text(query, rows, row, 6),
      .lines_left_out = server_query_integer(query, rows, row, 7),
  };
}

bool server_events_attempts(const char *url, int64_t id, int64_t max, event_attempt_visit each,
                            void *context, int64_t *left_out, host_error *error) {
  server_query query;
  if (!server_query_open(&query, url, error)) {
    return false;
  }
  values_add_integer(&query.parameters, id);
  values_add_integer(&query.parameters, max);
  PGresult *rows = server_query_run(
      &query, "SELECT replay, attempt, coalesce(started_at, 0), coalesce(duration, -1),"
              " outcome, error, lines, lines_left_out, count(*) OVER () FROM palenca.attempts"
              " WHERE id = $1::bigint ORDER BY replay DESC, attempt DESC"
              " LIMIT nullif($2::bigint, 0)");
  bool ok = rows != NULL || server_query_fail(&query, url, error), go_on = ok;
  int shown = ok ? query.pq->ntuples(rows) : 0;
  *left_out = shown > 0 ? server_query_integer(&query, rows, 0, 8) - shown : 0;
  for (int i = shown - 1; go_on && i >= 0; i--) {
    event_attempt attempt = attempt_of(&query, rows, i);
    go_on = each(context, &attempt);
  }
  query.pq->clear(rows);
  server_query_close(&query);
  return ok;
}

/* ---- Counting ---- */

static bool count_all(server_query *query, event_stats *stats) {
  PGresult *rows = server_query_run(query, "SELECT action, state::bigint, count(*),"
                                           " min(received_at) FROM palenca.events"
                                           " GROUP BY action, state");
  bool ok = rows != NULL;
  for (int i = 0; ok && i < query->pq->ntuples(rows); i++) {
    ok = event_stats_add(
        stats, server_query_text(query, rows, i, 0), (int)server_query_integer(query, rows, i, 1),
        server_query_integer(query, rows, i, 2), server_query_integer(query, rows, i, 3));
  }
  query->pq->clear(rows);
  return ok;
}

bool server_events_stats(const char *url, event_stats *stats, host_error *error) {
  server_query query;
  *stats = (event_stats){.log_size = -1, .free_size = -1};
  if (!server_query_open(&query, url, error)) {
    return false;
  }
  bool ok = (count_all(&query, stats) && server_query_size(&query, &stats->file_size)) ||
            server_query_fail(&query, url, error);
  server_query_close(&query);
  return ok;
}

bool server_events_count_states(const char *url, int64_t states[EVENT_STATES], host_error *error) {
  server_query query;
  if (!server_query_open(&query, url, error)) {
    return false;
  }
  PGresult *rows = server_query_run(&query, "SELECT state, count(*) FROM palenca.events"
                                            " GROUP BY state");
  bool ok = rows != NULL || server_query_fail(&query, url, error);
  for (int i = 0; i < EVENT_STATES; i++) {
    states[i] = 0;
  }
  for (int i = 0; ok && i < query.pq->ntuples(rows); i++) {
    int64_t state = server_query_integer(&query, rows, i, 0);
    if (state >= 0 && state < EVENT_STATES) {
      states[state] = server_query_integer(&query, rows, i, 1);
    }
  }
  query.pq->clear(rows);
  server_query_close(&query);
  return ok;
}
