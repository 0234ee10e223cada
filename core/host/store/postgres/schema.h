/* The tables of the event store in a schema of its own, and how those of earlier versions become
 * them. */
#ifndef PALENCA_HOST_STORE_POSTGRES_SCHEMA_H
#define PALENCA_HOST_STORE_POSTGRES_SCHEMA_H

#include "libpq.h"

#include <stdbool.h>

/* Makes them, or brings them to the latest version, one process at a time; later ones are left
 * alone. A role that may not make them can use them once they are there. False on failure, with the
 * reason. Blocks. */
bool postgres_schema_prepare(const libpq *pq, PGconn *connection, host_error *error);

/* Whether they are there in the latest version: of who only reads or waits for nobody. */
bool postgres_schema_check(const libpq *pq, PGconn *connection, host_error *error);

#endif
