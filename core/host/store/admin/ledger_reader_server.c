/* Reads the ledger of decisions at PostgreSQL for a check. */
#include "ledger_reader.h"
#include "server_ledger.h"

#include <stdlib.h>

/* All of them are in memory, with up to a megabyte of rows each. */
#define CHUNK 64

typedef struct {
  ledger_reader base; /* first */
  server_query query;
  const char *url;
} server_reader;

static server_reader *self_of(ledger_reader *reader) {
  return (server_reader *)(void *)reader;
}

static void close_reader(ledger_reader *reader) {
  server_query_close(&self_of(reader)->query);
  free(self_of(reader));
}

static bool run(server_reader *self, const char *text) {
  PGresult *result = server_query_run(&self->query, text);
  self->query.pq->clear(result);
  return result != NULL;
}

/* Which a standby can do as well. */
static bool begin(ledger_reader *reader) {
  return run(self_of(reader), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
}

static void end(ledger_reader *reader) {
  (void)run(self_of(reader), "COMMIT");
}

static bool state(ledger_reader *reader, ledger_state *found) {
  server_query *query = &self_of(reader)->query;
  *found = (ledger_state){.first = 1};
  PGresult *row = server_query_run(query, "SELECT first, last, before, head FROM palenca.ledger"
                                          " WHERE id = 1");
  if (row == NULL) {
    return false;
  }
  if (query->pq->ntuples(row) == 1) {
    found->first = server_query_integer(query, row, 0, 0);
    found->last = server_query_integer(query, row, 0, 1);
    bool has_before = server_query_digest(query, row, 0, 2, found->before);
    ledger_check_state(found, server_query_digest(query, row, 0, 3, found->head) && has_before);
  }
  query->pq->clear(row);
  return true;
}

static bool read_rows(ledger_reader *reader, int64_t from, ledger_row_visit *each, void *context) {
  server_query *query = &self_of(reader)->query;
  values_add_integer(&query->parameters, from);
  values_add_integer(&query->parameters, CHUNK);
  PGresult *rows = server_query_run(
      query, "SELECT " SERVER_LEDGER_COLUMNS("a.rows, a.details") SERVER_LEDGER_TABLES
      " WHERE d.number >= $1::bigint ORDER BY d.number LIMIT $2::bigint");
  bool is_wanted = rows != NULL;
  for (int i = 0; is_wanted && i < query->pq->ntuples(rows); i++) {
    ledger_row row;
    server_ledger_read(query, rows, i, &row);
    is_wanted = each(context, &row);
  }
  query->pq->clear(rows);
  return rows != NULL;
}

static int64_t find(ledger_reader *reader, const char *text, const unsigned char *digest) {
  server_query *query = &self_of(reader)->query;
  values_add_bytes(&query->parameters, digest, LEDGER_DIGEST_SIZE);
  PGresult *row = server_query_run(query, text);
  bool is_found = row != NULL && query->pq->ntuples(row) > 0;
  int64_t number = is_found ? server_query_integer(query, row, 0, 0) : 0;
  query->pq->clear(row);
  return number;
}

static int64_t find_hash(ledger_reader *reader, const unsigned char hash[LEDGER_DIGEST_SIZE]) {
  return find(reader, "SELECT number FROM palenca.decisions WHERE hash = $1::bytea LIMIT 1", hash);
}

static int64_t find_previous(ledger_reader *reader, const unsigned char hash[LEDGER_DIGEST_SIZE]) {
  return find(reader, "SELECT number FROM palenca.decisions WHERE previous = $1::bytea LIMIT 1",
              hash);
}

static bool find_orphan(ledger_reader *reader, int64_t *number) {
  server_query *query = &self_of(reader)->query;
  PGresult *row = server_query_run(
      query, "SELECT number FROM palenca.decision_data AS a WHERE NOT EXISTS"
             " (SELECT FROM palenca.decisions AS d WHERE d.number = a.number) LIMIT 1");
  bool is_found = row != NULL && query->pq->ntuples(row) > 0;
  *number = is_found ? server_query_integer(query, row, 0, 0) : 0;
  query->pq->clear(row);
  return is_found;
}

static bool fail(ledger_reader *reader, host_error *error) {
  return server_query_fail(&self_of(reader)->query, self_of(reader)->url, error);
}

static const ledger_reader_class server_class = {
    .chunk = CHUNK,
    .close = close_reader,
    .begin = begin,
    .end = end,
    .state = state,
    .read = read_rows,
    .find_hash = find_hash,
    .find_previous = find_previous,
    .find_orphan = find_orphan,
    .fail = fail,
};

bool ledger_reader_open_server(const char *url, ledger_reader **reader, host_error *error) {
  server_reader *self = calloc(1, sizeof *self);
  *reader = NULL;
  if (self == NULL) {
    return host_error_set(error, HOST_FAILED, "out of memory");
  }
  if (!server_query_open(&self->query, url, error)) {
    free(self);
    return false;
  }
  self->base.class = &server_class;
  self->url = url;
  *reader = &self->base;
  return true;
}
