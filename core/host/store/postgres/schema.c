/* Creates the tables of the event store, in transactions that one process makes at a time. */
#include "schema.h"

#include "blocking.h"
#include "schema_parts.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>

/* "PALE": held in a transaction while the tables are being made; who starts meanwhile waits for
 * it. */
#define LOCK                                                                                       \
  "SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_xact_lock(1346456645);"                      \
  "SET LOCAL lock_timeout = '3s'"

static const char beginning[] =
    "DO $$ BEGIN IF to_regnamespace('palenca') IS NULL THEN CREATE SCHEMA palenca;"
    " END IF; END $$;"
    "CREATE TABLE palenca.schema_version (version integer NOT NULL);"
    "INSERT INTO palenca.schema_version VALUES (0)";

/* What each version has added to the one before it; what was released is not changed any more. */
static const struct {
  int version;
  const char *text;
} parts[] = {
    {1, postgres_queue_tables},        {1, postgres_queue_functions},
    {2, postgres_waiting_events},      {3, postgres_rate_tables},
    {3, postgres_rate_functions},      {4, postgres_ledger_tables},
    {4, postgres_ledger_functions},    {4, postgres_ledger_removals},
    {4, postgres_forget_functions},    {5, postgres_record_tables},
    {5, postgres_record_functions},    {5, postgres_reconcile_tables},
    {5, postgres_reconcile_functions}, {5, postgres_id_functions},
};

#define PARTS (sizeof parts / sizeof *parts)

static int latest_version(void) {
  return parts[PARTS - 1].version;
}

static bool fail(const libpq *pq, PGconn *connection, host_error *error) {
  char reason[400];
  session_last_reason(pq, connection, reason, sizeof reason);
  return host_error_set(error, HOST_FAILED, "cannot use the tables: %s", reason);
}

/* Of the first start, and of one after an upgrade. */
static bool fail_to_change(const libpq *pq, PGconn *connection, host_error *error) {
  char reason[400];
  session_last_reason(pq, connection, reason, sizeof reason);
  return host_error_set(error, HOST_FAILED,
                        "cannot make or change its tables, which the role that owns them has to "
                        "do by a start: %s",
                        reason);
}

/* Takes as long as it takes: a table may have to be written anew. */
static bool run(const libpq *pq, PGconn *connection, const char *text) {
  PGresult *result = pq->exec(connection, text);
  ExecStatusType status = pq->resultStatus(result);
  pq->clear(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* Not by to_regclass, which may respond from what this session remembers of its first question: it
 * learns what others have made since by a look at a table. */
static const char find_version[] =
    "SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n"
    " ON n.oid = c.relnamespace WHERE n.nspname = 'palenca' AND c.relname = 'schema_version'";

/* 0: there are none. */
static bool read_version(const libpq *pq, PGconn *connection, int *version) {
  *version = 0;
  PGresult *result = blocking_run(pq, connection, find_version);
  bool ok = pq->resultStatus(result) == PGRES_TUPLES_OK;
  bool is_there = ok && pq->ntuples(result) > 0;
  pq->clear(result);
  if (!is_there) {
    return ok;
  }
  result = blocking_run(pq, connection, "SELECT version FROM palenca.schema_version");
  ok = pq->resultStatus(result) == PGRES_TUPLES_OK && pq->ntuples(result) == 1;
  *version = ok ? (int)strtol(pq->getvalue(result, 0, 0), NULL, 10) : 0;
  pq->clear(result);
  return ok;
}

bool postgres_schema_check(const libpq *pq, PGconn *connection, host_error *error) {
  int version;
  if (!read_version(pq, connection, &version)) {
    return fail(pq, connection, error);
  }
  if (version > latest_version()) {
    return host_error_set(error, HOST_FAILED,
                          "its tables are of a later version of this program (%d, this one knows "
                          "%d)",
                          version, latest_version());
  }
  return version == latest_version() ||
         host_error_set(error, HOST_FAILED,
                        version == 0 ? "it has no tables of palenca: 'palenca serve' makes them"
                                     : "its tables are of an earlier version of this program, "
                                       "which the next start of 'palenca serve' changes");
}

static bool add_parts(const libpq *pq, PGconn *connection, int version) {
  bool ok = true;
  for (size_t i = 0; i < PARTS && ok; i++) {
    ok = parts[i].version <= version || run(pq, connection, parts[i].text);
  }
  return ok;
}

static bool change(const libpq *pq, PGconn *connection) {
  int version;
  char end[80];
  (void)snprintf(end, sizeof end,
                 "UPDATE palenca.schema_version SET version = greatest(version, %d)",
                 latest_version());
  return run(pq, connection, LOCK) && read_version(pq, connection, &version) &&
         (version > 0 || run(pq, connection, beginning)) && add_parts(pq, connection, version) &&
         run(pq, connection, end);
}

bool postgres_schema_prepare(const libpq *pq, PGconn *connection, host_error *error) {
  int version;
  if (!read_version(pq, connection, &version)) {
    return fail(pq, connection, error);
  }
  if (version < latest_version()) {
    if (!run(pq, connection, "BEGIN") || !change(pq, connection) ||
        !run(pq, connection, "COMMIT")) {
      (void)fail_to_change(pq, connection, error);
      (void)run(pq, connection, "ROLLBACK");
      return false;
    }
  }
  return postgres_schema_check(pq, connection, error);
}
