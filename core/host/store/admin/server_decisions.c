/* Lists the decisions at PostgreSQL for people. */
#include "copied_decision.h"
#include "server_ledger.h"

/* All of a page are in memory, and rows take up to a megabyte each. */
#define PAGE 256
#define PAGE_WITH_ROWS 16

#define FILTERS                                                                                    \
  SERVER_LEDGER_TABLES                                                                             \
  " WHERE d.kind = 1 AND d.number > $1::bigint AND ($2::bigint = 0 OR d.number = $2)"              \
  " AND ($3::bigint = 0 OR d.subject = $3) AND ($4::bytea = '' OR a.account_id = $4)"              \
  " AND d.recorded_at >= $5::bigint AND ($6::bytea = '' OR a.user_id = $6)"
#define NEXT(rows_and_details)                                                                     \
  "SELECT " SERVER_LEDGER_COLUMNS(rows_and_details) FILTERS " ORDER BY d.number LIMIT $7::bigint"
/* The one before the newest that are asked for. */
#define NEWEST                                                                                     \
  "SELECT coalesce(min(number), 1) - 1 FROM (SELECT d.number" FILTERS                              \
  " ORDER BY d.number DESC LIMIT $7::bigint) AS newest"

void server_ledger_read(const server_query *query, const PGresult *rows, int row,
                        ledger_row *read) {
  ledger_entry *entry = &read->entry;
  *read = (ledger_row){.has_data = !query->pq->getisnull(rows, row, 11)};
  entry->number = server_query_integer(query, rows, row, 0);
  entry->kind = server_query_integer(query, rows, row, 1);
  entry->subject = server_query_integer(query, rows, row, 2);
  entry->attempt = server_query_integer(query, rows, row, 3);
  entry->replay = server_query_integer(query, rows, row, 4);
  entry->recorded_at = server_query_integer(query, rows, row, 5);
  entry->facts = server_query_bytes(query, rows, row, 6);
  unsigned char *const digests[] = {entry->rows_digest, entry->data_digest, entry->previous,
                                    entry->hash};
  for (int i = 0; i < 4; i++) {
    read->is_damaged =
        !server_query_digest(query, rows, row, 7 + i, digests[i]) || read->is_damaged;
  }
  read->data.account_id = server_query_bytes(query, rows, row, 12);
  read->data.user_id = server_query_bytes(query, rows, row, 13);
  read->data.rows = server_query_bytes(query, rows, row, 14);
  read->data.details = server_query_bytes(query, rows, row, 15);
}

typedef struct {
  server_query query;
  const decision_filter *filter;
  decision_visit each;
  void *context;
  int64_t after;
  bool is_wanted; /* more of them is */
} listing;

static void add_or_any(listing *l, const char *text) {
  server_query_add_text(&l->query, text != NULL ? text : "");
}

static PGresult *run(listing *l, const char *text, int64_t limit) {
  values *to = &l->query.parameters;
  values_add_integer(to, l->after);
  values_add_integer(to, l->filter->number);
  values_add_integer(to, l->filter->event_id);
  add_or_any(l, l->filter->account_id);
  values_add_integer(to, l->filter->since);
  add_or_any(l, l->filter->user_id);
  values_add_integer(to, limit);
  return server_query_run(&l->query, text);
}

static bool find_start(listing *l) {
  if (l->filter->limit <= 0) {
    return true;
  }
  PGresult *row = run(l, NEWEST, l->filter->limit);
  l->after = row != NULL ? server_query_integer(&l->query, row, 0, 0) : 0;
  l->query.pq->clear(row);
  return row != NULL;
}

/* False: out of memory. */
static bool show_page(listing *l, const PGresult *rows, int count) {
  bool ok = true;
  for (int i = 0; ok && l->is_wanted && i < count; i++) {
    ledger_row row;
    copied_decision decision = {.facts = NULL};
    server_ledger_read(&l->query, rows, i, &row);
    ok = copied_decision_make(&decision, &row, l->filter->with_rows);
    l->after = row.entry.number;
    l->is_wanted = ok && l->each(l->context, &decision.summary);
    copied_decision_clear(&decision);
  }
  return ok;
}

static bool list(listing *l, const char *url, host_error *error) {
  int page = l->filter->with_rows ? PAGE_WITH_ROWS : PAGE, count = page;
  bool ok = find_start(l) || server_query_fail(&l->query, url, error);
  while (ok && l->is_wanted && count == page) {
    PGresult *rows = run(
        l, l->filter->with_rows ? NEXT("a.rows, a.details") : NEXT("''::bytea, ''::bytea"), page);
    count = rows != NULL ? l->query.pq->ntuples(rows) : 0;
    ok = rows != NULL
             ? show_page(l, rows, count) || host_error_set(error, HOST_FAILED, "out of memory")
             : server_query_fail(&l->query, url, error);
    l->query.pq->clear(rows);
  }
  return ok;
}

bool server_decisions_list(const char *url, const decision_filter *filter, decision_visit each,
                           void *context, host_error *error) {
  listing l = {
      .filter = filter, .each = each, .context = context, .after = INT64_MIN, .is_wanted = true};
  if (!server_query_open(&l.query, url, error)) {
    return false;
  }
  bool ok = list(&l, url, error);
  server_query_close(&l.query);
  return ok;
}
