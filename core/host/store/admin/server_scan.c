/* Finds events at PostgreSQL by what a caller looks for in their bodies. */
#include "server_forget.h"
#include "server_query.h"

#define PAGE 200

#define ATTEMPTS                                                                                   \
  "SELECT string_agg(coalesce(error, '') || chr(10) || coalesce(lines, ''), chr(10))"              \
  " FROM palenca.attempts WHERE id = "
#define NEXT(texts)                                                                                \
  "SELECT e.id, action, account_id, state::bigint, attempts::bigint, error, body, " texts          \
  " FROM palenca.events AS e LEFT JOIN palenca.bodies AS b ON b.id = e.id"                         \
  " WHERE e.id > $1::bigint AND e.id <= $2::bigint ORDER BY e.id LIMIT $3::bigint"

typedef struct {
  server_query query;
  bool reads_attempts;
  event_visit selects, each;
  void *context;
  int64_t after, last;
  bool is_wanted; /* more of them is */
} scan;

static event_summary summary_of(const server_query *query, const PGresult *rows, int row) {
  ledger_text body = server_query_bytes(query, rows, row, 6);
  return (event_summary){
      .id = server_query_integer(query, rows, row, 0),
      .action = server_query_text(query, rows, row, 1),
      .account_id = server_query_text(query, rows, row, 2),
      .state = event_state_name((event_state)server_query_integer(query, rows, row, 3)),
      .attempts = (int)server_query_integer(query, rows, row, 4),
      .error = server_query_text(query, rows, row, 5),
      .body = body.data,
      .body_size = body.size,
      .attempts_text = server_query_text(query, rows, row, 7),
  };
}

/* With the texts of its attempts, whether they were needed to select it or not. */
static bool show(scan *s, event_summary *event) {
  if (s->reads_attempts) {
    s->is_wanted = s->each(s->context, event);
    return true;
  }
  values_add_integer(&s->query.parameters, event->id);
  PGresult *row = server_query_run(&s->query, ATTEMPTS "$1::bigint");
  if (row != NULL) {
    event->attempts_text = server_query_text(&s->query, row, 0, 0);
    s->is_wanted = s->each(s->context, event);
    s->query.pq->clear(row);
  }
  return row != NULL;
}

static bool show_page(scan *s, const PGresult *rows, int count) {
  bool ok = true;
  for (int i = 0; ok && s->is_wanted && i < count; i++) {
    event_summary event = summary_of(&s->query, rows, i);
    s->after = event.id;
    ok = !s->selects(s->context, &event) || show(s, &event);
  }
  return ok;
}

static bool scan_pages(scan *s) {
  int count = PAGE;
  bool ok = true;
  while (ok && s->is_wanted && count == PAGE) {
    values_add_integer(&s->query.parameters, s->after);
    values_add_integer(&s->query.parameters, s->last);
    values_add_integer(&s->query.parameters, PAGE);
    PGresult *rows = server_query_run(&s->query, s->reads_attempts ? NEXT("(" ATTEMPTS "e.id)")
                                                                   : NEXT("NULL::text"));
    count = rows != NULL ? s->query.pq->ntuples(rows) : 0;
    ok = rows != NULL && show_page(s, rows, count);
    s->query.pq->clear(rows);
  }
  return ok;
}

/* What is not there up to this id once the transactions of now have ended never will be. */
static bool find_last(scan *s) {
  PGresult *row = server_query_run(&s->query, "SELECT coalesce(max(id), 0) FROM palenca.events");
  s->last = row != NULL ? server_query_integer(&s->query, row, 0, 0) : 0;
  s->query.pq->clear(row);
  PGresult *end =
      row != NULL ? server_query_run(&s->query, "SELECT palenca.await_writers()") : NULL;
  s->query.pq->clear(end);
  return end != NULL;
}

bool server_forget_scan(const char *url, int64_t after, bool reads_attempts, event_visit selects,
                        event_visit each, void *context, int64_t *last, host_error *error) {
  scan s = {.reads_attempts = reads_attempts,
            .selects = selects,
            .each = each,
            .context = context,
            .after = after,
            .is_wanted = true};
  *last = after;
  if (!server_query_open(&s.query, url, error)) {
    return false;
  }
  bool ok = (find_last(&s) && scan_pages(&s)) || server_query_fail(&s.query, url, error);
  *last = s.last > after ? s.last : after;
  server_query_close(&s.query);
  return ok;
}
