/* Lists events with their recorded responses at PostgreSQL. */
#include "server_recordings.h"

#include "server_query.h"

#include <stdlib.h>

#define PAGE 10000 /* ids */

static const char find_text[] =
    "SELECT id FROM palenca.events WHERE id < $1::bigint AND received_at >= $2::bigint"
    " AND received_at < $3::bigint ORDER BY id DESC LIMIT $4::bigint";

/* What a replay has left of the run before is not of the last attempt, but it is there. */
static const char read_text[] =
    "SELECT e.state::bigint, e.attempts::bigint, e.replays::bigint, e.received_at, e.error, b.body,"
    " coalesce(r.started_at, 0), coalesce(r.size, 0), coalesce(r.omitted, 0)::bigint, r.responses,"
    " coalesce(r.has_decision, false)::integer::bigint, d.facts,"
    " coalesce(r.attempt = e.attempts AND r.replay = e.replays, false)::integer::bigint"
    " FROM palenca.events AS e JOIN palenca.bodies AS b USING (id)"
    " LEFT JOIN palenca.event_responses AS r USING (id)"
    " LEFT JOIN palenca.decisions AS d ON r.has_decision AND d.kind = 1 AND d.subject = e.id"
    " AND d.attempt = r.attempt AND d.replay = r.replay"
    " WHERE e.id = $1::bigint ORDER BY d.number DESC LIMIT 1";

enum {
  STATE,
  ATTEMPTS,
  REPLAYS,
  RECEIVED_AT,
  LAST_ERROR,
  BODY,
  STARTED_AT,
  SIZE,
  OMITTED,
  RESPONSES,
  HAS_DECISION,
  FACTS,
  IS_OF_LAST
};

typedef struct {
  server_query query;
  const recording_filter *filter;
  int64_t *ids; /* the newest first */
  size_t count;
} listing;

/* ---- Which ---- */

static int64_t left_of(const listing *l) {
  int64_t limit = l->filter->limit;
  return limit > 0 && limit - (int64_t)l->count < PAGE ? limit - (int64_t)l->count : PAGE;
}

static bool append(listing *l, const PGresult *rows, int count) {
  int64_t *grown = realloc(l->ids, (l->count + (size_t)count + 1) * sizeof *grown);
  if (grown == NULL) {
    return false;
  }
  l->ids = grown;
  for (int i = 0; i < count; i++) {
    l->ids[l->count++] = server_query_integer(&l->query, rows, i, 0);
  }
  return true;
}

static bool find(listing *l) {
  int count = PAGE;
  bool ok = true;
  while (ok && count == PAGE && left_of(l) > 0) {
    values_add_integer(&l->query.parameters, l->count > 0 ? l->ids[l->count - 1] : INT64_MAX);
    values_add_integer(&l->query.parameters, l->filter->since);
    values_add_integer(&l->query.parameters, l->filter->until);
    values_add_integer(&l->query.parameters, left_of(l));
    PGresult *rows = server_query_run(&l->query, find_text);
    count = rows != NULL ? l->query.pq->ntuples(rows) : 0;
    ok = rows != NULL && append(l, rows, count);
    l->query.pq->clear(rows);
  }
  return ok;
}

/* ---- All of one ---- */

static recorded_event event_of(const listing *l, const PGresult *row) {
  const server_query *query = &l->query;
  return (recorded_event){
      .state = event_state_name((event_state)server_query_integer(query, row, 0, STATE)),
      .attempts = server_query_integer(query, row, 0, ATTEMPTS),
      .replays = server_query_integer(query, row, 0, REPLAYS),
      .received_at = server_query_integer(query, row, 0, RECEIVED_AT),
      .error = server_query_text(query, row, 0, LAST_ERROR),
      .body = server_query_text(query, row, 0, BODY),
      .body_size = server_query_bytes(query, row, 0, BODY).size,
      .started_at = server_query_integer(query, row, 0, STARTED_AT),
      .size = server_query_integer(query, row, 0, SIZE),
      .omitted = (recording_state)server_query_integer(query, row, 0, OMITTED),
      .has_decision = server_query_integer(query, row, 0, HAS_DECISION) != 0,
      .facts = server_query_text(query, row, 0, FACTS),
      .is_recorded = server_query_integer(query, row, 0, IS_OF_LAST) != 0,
  };
}

static bool show(const listing *l, const PGresult *row, size_t at, recording_visit each,
                 void *context, bool *is_continued) {
  char *text = NULL;
  recorded_event event = event_of(l, row);
  event.id = l->ids[l->count - at];
  event.at = (int64_t)at;
  event.total = (int64_t)l->count;
  bool is_there = server_query_text(&l->query, row, 0, RESPONSES) != NULL;
  ledger_text packed = server_query_bytes(&l->query, row, 0, RESPONSES);
  bool ok = !is_there || recording_unpack(&event, packed.data, packed.size, &text);
  if (ok) {
    *is_continued = each(context, &event);
  }
  free(text);
  return ok;
}

/* One at a time, and without a snapshot: whoever looks at it may take long. */
static bool show_all(listing *l, recording_visit each, void *context) {
  bool ok = true, is_continued = true;
  for (size_t at = 1; ok && is_continued && at <= l->count; at++) {
    values_add_integer(&l->query.parameters, l->ids[l->count - at]);
    PGresult *row = server_query_run(&l->query, read_text);
    ok = row != NULL && (l->query.pq->ntuples(row) == 0 || /* deleted meanwhile */
                         show(l, row, at, each, context, &is_continued));
    l->query.pq->clear(row);
  }
  return ok;
}

bool server_recordings_list(const char *url, const recording_filter *filter, recording_visit each,
                            void *context, host_error *error) {
  listing l = {.filter = filter};
  if (!server_query_open(&l.query, url, error)) {
    return false;
  }
  bool ok = (find(&l) && show_all(&l, each, context)) || server_query_fail(&l.query, url, error);
  free(l.ids);
  server_query_close(&l.query);
  return ok;
}
