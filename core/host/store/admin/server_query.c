/* Runs statements for people at PostgreSQL. */
#include "server_query.h"

#include "store/ledger/row.h"
#include "store/postgres/schema.h"
#include "store/postgres/session.h"
#include "store/postgres/url.h"

#include <string.h>

static bool name_in(const char *url, const char *reason, host_error *error) {
  char name[300];
  postgres_url_without_password(url, name, sizeof name);
  return host_error_set(error, HOST_FAILED, "cannot use %s: %s", name, reason);
}

bool server_query_open(server_query *query, const char *url, host_error *error) {
  *query = (server_query){.pq = libpq_load(error)};
  if (query->pq == NULL) {
    return false;
  }
  host_error reason;
  query->connection = session_connect(query->pq, url, &reason);
  if (query->connection == NULL) {
    return name_in(url, reason.message, error);
  }
  if (!postgres_schema_check(query->pq, query->connection, &reason)) {
    server_query_close(query);
    return name_in(url, reason.message, error);
  }
  /* Functions must see what was committed meanwhile. */
  PGresult *set = server_query_run(query, "SELECT set_config('default_transaction_isolation',"
                                          " 'read committed', false)");
  bool ok = set != NULL || server_query_fail(query, url, error);
  query->pq->clear(set);
  if (!ok) {
    server_query_close(query);
  }
  return ok;
}

void server_query_close(server_query *query) {
  query->pq->finish(query->connection);
  values_free(&query->parameters);
  query->connection = NULL;
}

PGresult *server_query_run(server_query *query, const char *text) {
  const char *data[VALUES_MAX];
  int sizes[VALUES_MAX], formats[VALUES_MAX];
  values_point(&query->parameters, data, sizes, formats);
  PGresult *rows = query->parameters.has_failed
                       ? NULL
                       : query->pq->execParams(query->connection, text, query->parameters.count,
                                               NULL, data, sizes, formats, 1);
  values_reset(&query->parameters);
  ExecStatusType status = query->pq->resultStatus(rows);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
    return rows;
  }
  query->pq->clear(rows);
  return NULL;
}

bool server_query_fail(const server_query *query, const char *url, host_error *error) {
  char reason[400];
  session_reason(query->pq->errorMessage(query->connection), reason, sizeof reason);
  return name_in(url, reason[0] != '\0' ? reason : "out of memory", error);
}

void server_query_add_text(server_query *query, const char *text) {
  values_add_text(&query->parameters, text);
}

int64_t server_query_integer(const server_query *query, const PGresult *rows, int row, int column) {
  return values_integer(query->pq, rows, row, column);
}

const char *server_query_text(const server_query *query, const PGresult *rows, int row,
                              int column) {
  return values_text(query->pq, rows, row, column);
}

ledger_text server_query_bytes(const server_query *query, const PGresult *rows, int row,
                               int column) {
  return (ledger_text){.data = query->pq->getvalue(rows, row, column),
                       .size = (size_t)query->pq->getlength(rows, row, column)};
}

bool server_query_digest(const server_query *query, const PGresult *rows, int row, int column,
                         unsigned char digest[LEDGER_DIGEST_SIZE]) {
  ledger_text bytes = server_query_bytes(query, rows, row, column);
  return ledger_copy_digest(bytes.data, bytes.size, digest);
}

bool server_query_size(server_query *query, int64_t *size) {
  PGresult *row = server_query_run(query, "SELECT sum(pg_total_relation_size(oid))::bigint"
                                          " FROM pg_class WHERE relkind = 'r'"
                                          " AND relnamespace = 'palenca'::regnamespace");
  *size = row != NULL ? server_query_integer(query, row, 0, 0) : 0;
  query->pq->clear(row);
  return row != NULL;
}
