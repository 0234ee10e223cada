/* Statements for people at a database of PostgreSQL, on a connection of their own. */
#ifndef PALENCA_HOST_STORE_ADMIN_SERVER_QUERY_H
#define PALENCA_HOST_STORE_ADMIN_SERVER_QUERY_H

#include "store/ledger/entry.h"
#include "store/postgres/libpq.h"
#include "store/postgres/values.h"

#include <stdbool.h>

typedef struct {
  const libpq *pq;
  PGconn *connection;
  values parameters; /* of the next statement */
} server_query;

/* Connects to where a URL says, whose tables must be of this version. False, with the reason. */
bool server_query_open(server_query *query, const char *url, host_error *error);
void server_query_close(server_query *query);

/* Runs a statement with the parameters, which are emptied. NULL: it has failed; the caller clears
 * the rows. */
PGresult *server_query_run(server_query *query, const char *text);
/* Sets why the last one has failed; false. */
bool server_query_fail(const server_query *query, const char *url, host_error *error);

/* Adds a parameter of text, or of NULL. */
void server_query_add_text(server_query *query, const char *text);

/* The bytes that the tables take, with their indexes. */
bool server_query_size(server_query *query, int64_t *size);

int64_t server_query_integer(const server_query *query, const PGresult *rows, int row, int column);
const char *server_query_text(const server_query *query, const PGresult *rows, int row, int column);
/* No bytes for NULL. */
ledger_text server_query_bytes(const server_query *query, const PGresult *rows, int row,
                               int column);
/* Zeros and false if it has another size. */
bool server_query_digest(const server_query *query, const PGresult *rows, int row, int column,
                         unsigned char digest[LEDGER_DIGEST_SIZE]);

#endif
