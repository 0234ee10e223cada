/* The ledger of decisions at PostgreSQL. */
#ifndef PALENCA_HOST_STORE_ADMIN_SERVER_LEDGER_H
#define PALENCA_HOST_STORE_ADMIN_SERVER_LEDGER_H

#include "decisions.h"
#include "server_query.h"
#include "store/ledger/row.h"

#define SERVER_LEDGER_COLUMNS(rows_and_details)                                                    \
  "d.number, d.kind, d.subject, d.attempt, d.replay, d.recorded_at, d.facts, d.rows_digest,"       \
  " d.data_digest, d.previous, d.hash, a.number, a.account_id, a.user_id, " rows_and_details
#define SERVER_LEDGER_TABLES                                                                       \
  " FROM palenca.decisions AS d LEFT JOIN palenca.decision_data AS a ON a.number = d.number"

/* A row of these columns; valid as long as the rows. */
void server_ledger_read(const server_query *query, const PGresult *rows, int row, ledger_row *read);

/* As decision_list. */
bool server_decisions_list(const char *url, const decision_filter *filter, decision_visit each,
                           void *context, host_error *error);

#endif
