/* Lists and counts the events at PostgreSQL for people. */
#include "server_events.h"

#include "server_query.h"

#include <stdio.h>
#include <string.h>

#define PAGE_ROWS "256"

#define MS(column) "(extract(epoch FROM " column ") * 1000)::bigint"
#define COLUMNS                                                                                    \
  "e.id, action, account_id, state::bigint, attempts::bigint, replays::bigint, received_at, "      \
  "coalesce(" MS("due_at") ", 0), coalesce(" MS("finished_at") ", 0), error, "                     \
                                                               "palenca.platform_of(body), body"
#define TABLES " FROM palenca.events AS e LEFT JOIN palenca.bodies AS b USING (id)"

/* An action, an account or a platform of "" is any. */
#define FILTERS                                                                                    \
  " AND ($3::text = '' OR action = $3) AND ($4::text = '' OR account_id = $4)"                     \
  " AND received_at >= $5::bigint AND ($6::text = '' OR palenca.platform_of(body) = $6)"

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
  char text[1200];
  const event_filter *filter;
  int64_t after, last; /* the ids that are left */
  int64_t left;        /* of the limit */
} listing;

/* The state is written into the text, so that its index can be used. */
static bool write_text(listing *l, host_error *error) {
  const event_filter *filter = l->filter;
  char state[32] = "";
  for (int i = 0; filter->state != NULL && i < EVENT_STATES; i++) {
    if (strcmp(filter->state, event_state_names[i]) == 0) {
      (void)snprintf(state, sizeof state, " AND state = %d", i);
    }
  }
  if (filter->state != NULL && state[0] == '\0') {
    return host_error_set(error, HOST_FAILED, "unknown state '%s'", filter->state);
  }
  (void)snprintf(l->text, sizeof l->text,
                 "SELECT " COLUMNS TABLES
                 " WHERE e.id > $1::bigint AND e.id <= $2::bigint%s" FILTERS
                 " ORDER BY e.id %s LIMIT least(" PAGE_ROWS ", $7::bigint)",
                 state, filter->oldest_first ? "ASC" : "DESC");
  return true;
}

static const char *or_any(const char *text) {
  return text != NULL ? text : "";
}

static PGresult *read_page(listing *l) {
  values *to = &l->query.parameters;
  values_add_integer(to, l->after);
  values_add_integer(to, l->last);
  server_query_add_text(&l->query, or_any(l->filter->action));
  server_query_add_text(&l->query, or_any(l->filter->account_id));
  values_add_integer(to, l->filter->since);
  server_query_add_text(&l->query, or_any(l->filter->platform));
  values_add_integer(to, l->left);
  return server_query_run(&l->query, l->text);
}

/* Returns whether the visits go on. */
static bool show_page(listing *l, const PGresult *rows, event_visit each, void *context) {
  int count = l->query.pq->ntuples(rows);
  bool go_on = count > 0;
  for (int i = 0; i < count && go_on; i++) {
    event_summary event = summary_of(&l->query, rows, i);
    if (l->filter->oldest_first) {
      l->after = event.id;
    } else {
      l->last = event.id - 1;
    }
    l->left--;
    go_on = each(context, &event);
  }
  return go_on && l->left > 0;
}

static bool find_last(listing *l) {
  PGresult *row = server_query_run(&l->query, "SELECT coalesce(max(id), 0) FROM palenca.events");
  if (row != NULL) {
    l->last = server_query_integer(&l->query, row, 0, 0);
    l->query.pq->clear(row);
  }
  return row != NULL;
}

bool server_events_list(const char *url, const event_filter *filter, event_visit each,
                        void *context, host_error *error) {
  listing l = {.filter = filter,
               .after = filter->after > 0 ? filter->after : 0,
               .left = filter->limit > 0 ? filter->limit : INT64_MAX};
  if (!write_text(&l, error) || !server_query_open(&l.query, url, error)) {
    return false;
  }
  bool ok = find_last(&l), go_on = ok;
  while (go_on) {
    PGresult *rows = read_page(&l);
    ok = rows != NULL;
    go_on = ok && show_page(&l, rows, each, context);
    l.query.pq->clear(rows);
  }
  ok = ok || server_query_fail(&l.query, url, error);
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
  PGresult *rows = server_query_run(&query, "SELECT " COLUMNS TABLES " WHERE e.id = $1::bigint");
  bool ok = rows != NULL || server_query_fail(&query, url, error);
  if (ok && query.pq->ntuples(rows) > 0) {
    event_summary event = summary_of(&query, rows, 0);
    event.body = query.pq->getvalue(rows, 0, 11);
    event.body_size = (size_t)query.pq->getlength(rows, 0, 11);
    (void)each(context, &event);
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
