/* Statements on a connection that is not on the loop yet. Each is waited for, but not for longer
 * than a server that works takes: one that has stopped must not stop this process, too. */
#ifndef PALENCA_HOST_STORE_POSTGRES_BLOCKING_H
#define PALENCA_HOST_STORE_POSTGRES_BLOCKING_H

#include "libpq.h"
#include "values.h"

/* What the last statement of a text has resulted in, which the caller clears. NULL: there was no
 * response in time, and the connection is only to be closed; or memory was lacking. */
PGresult *blocking_run(const libpq *pq, PGconn *connection, const char *text);
/* One statement with parameters; its rows are in binary form. */
PGresult *blocking_run_with(const libpq *pq, PGconn *connection, const char *text,
                            const values *parameters);
PGresult *blocking_prepare(const libpq *pq, PGconn *connection, const char *name, const char *text);

#endif
