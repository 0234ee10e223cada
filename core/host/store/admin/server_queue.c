/* Queues events that were found missing at PostgreSQL, and says which process looks for them. */
#include "server_queue.h"

#include "server_query.h"
#include "store/ledger/id_digest.h"
#include "store/postgres/url.h"

/* A process that looks for them asks again long before. */
#define TURN_MS 30000

/* The integer in a column of the statement's only row. */
static bool run_integer(server_query *query, const char *text, int64_t *result) {
  PGresult *row = server_query_run(query, text);
  *result =
      row != NULL && query->pq->ntuples(row) == 1 ? server_query_integer(query, row, 0, 0) : 0;
  query->pq->clear(row);
  return row != NULL;
}

bool server_queue_last_purged(const char *url, int64_t *received_at, host_error *error) {
  server_query query;
  if (!server_query_open(&query, url, error)) {
    return false;
  }
  bool ok = run_integer(&query, "SELECT received_at FROM palenca.purged", received_at) ||
            server_query_fail(&query, url, error);
  server_query_close(&query);
  return ok;
}

/* By which whoever was forgotten is known. */
static void add_digests(server_query *query, const event_queue_request *what) {
  const char *const ids[] = {what->account_id, what->user_id};
  values_begin_array(&query->parameters, VALUES_INTEGER);
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    int64_t digest = 0;
    query->parameters.has_failed = !id_digest(ids[i], &digest) || query->parameters.has_failed;
    values_add_integer_element(&query->parameters, digest);
  }
}

static bool begin(server_query *query, const event_queue_request *what, int64_t *is_missing) {
  server_query_add_text(query, what->account_id);
  add_digests(query, what);
  values_add_integer(&query->parameters, what->began);
  values_add_integer(&query->parameters, what->after);
  return run_integer(query, "SELECT palenca.begin_queuing($1, $2, $3, $4)::integer::bigint",
                     is_missing);
}

static bool end(server_query *query, const event_queue_request *what, int64_t *id) {
  PGresult *waited = server_query_run(query, "SELECT palenca.await_puts()");
  query->pq->clear(waited);
  if (waited == NULL) {
    return false;
  }
  server_query_add_text(query, what->account_id);
  values_add_integer(&query->parameters, what->began);
  values_add_integer(&query->parameters, what->after);
  server_query_add_text(query, what->body);
  return run_integer(query, "SELECT palenca.end_queuing($1, $2, $3, $4)", id);
}

bool server_queue_put(const char *url, const event_queue_request *what, bool *is_queued,
                      host_error *error) {
  server_query query;
  int64_t is_missing = 0, id = 0;
  *is_queued = false;
  if (!server_query_open(&query, url, error)) {
    return false;
  }
  bool ok = (begin(&query, what, &is_missing) && (is_missing == 0 || end(&query, what, &id))) ||
            server_query_fail(&query, url, error);
  *is_queued = ok && id > 0;
  server_query_close(&query);
  return ok;
}

static bool take_turn(const char *url, int64_t *asked, event_reconcile_turn *turn,
                      host_error *error) {
  server_query query;
  if (!server_query_open(&query, url, error)) {
    return false;
  }
  values_add_integer(&query.parameters, *asked);
  values_add_integer(&query.parameters, TURN_MS);
  PGresult *row =
      server_query_run(&query, "SELECT asked, turn FROM palenca.take_reconciling($1, $2)");
  bool ok = row != NULL || server_query_fail(&query, url, error);
  if (ok) {
    *asked = server_query_integer(&query, row, 0, 0);
    *turn = (event_reconcile_turn)server_query_integer(&query, row, 0, 1);
  }
  query.pq->clear(row);
  server_query_close(&query);
  return ok;
}

static bool end_turn(const char *url, int64_t asked, bool is_done, host_error *error) {
  server_query query;
  if (!server_query_open(&query, url, error)) {
    return false;
  }
  values_add_integer(&query.parameters, asked);
  values_add_integer(&query.parameters, is_done);
  PGresult *row = server_query_run(&query, "SELECT palenca.end_reconciling($1, $2::bigint = 1)");
  bool ok = row != NULL || server_query_fail(&query, url, error);
  query.pq->clear(row);
  server_query_close(&query);
  return ok;
}

/* One process serves from a file. */
bool event_store_take_reconciling(const char *path, int64_t *asked, event_reconcile_turn *turn,
                                  host_error *error) {
  *turn = EVENT_RECONCILE_OWN;
  return !postgres_is_url(path) || take_turn(path, asked, turn, error);
}

bool event_store_end_reconciling(const char *path, int64_t asked, bool is_done, host_error *error) {
  return !postgres_is_url(path) || end_turn(path, asked, is_done, error);
}
