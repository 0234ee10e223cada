/* Creates the tables of the event store, in transactions that one process makes at a time. */
#include "schema.h"

#include "session.h"
#include "store/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The statements below name the states by these numbers. */
_Static_assert(EVENT_RECEIVED == 0 && EVENT_RUNNING == 1 && EVENT_RETRY == 2 && EVENT_DONE == 3 &&
                   EVENT_DEAD == 4,
               "the states are stored in databases");

/* "PALE": held in a session while the tables are being made. */
#define LOCK "SELECT pg_advisory_xact_lock(1346456645)"

/* Queues have many dead rows: vacuum comes before they are a part of the table that counts. */
#define VACUUM                                                                                     \
  "autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,"                     \
  " autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0"

/* `hosts`: the processes that serve. A lease is valid as long as its owner's row is alive. `batch`
 * is the number of the last transaction that has put or finished events, and `batch_ids` what it
 * has put: so that a process that has lost its connection knows what was committed. Its epoch is
 * counted up by each of its connections, so that nothing of an earlier one can be committed later.
 *
 * events_busy: of an account one event at a time is running or waits for its retry, whatever
 * happens at the same time. */
static const char tables[] =
    "DO $$ BEGIN IF to_regnamespace('palenca') IS NULL THEN CREATE SCHEMA palenca;"
    " END IF; END $$;"
    "CREATE TABLE palenca.schema_version (version integer NOT NULL);"
    "INSERT INTO palenca.schema_version VALUES (0);"
    "CREATE SEQUENCE palenca.event_ids;"
    "CREATE SEQUENCE palenca.host_ids;"
    "CREATE TABLE palenca.hosts ("
    " id bigint PRIMARY KEY,"
    " name text NOT NULL,"
    " started_at timestamptz NOT NULL,"
    " expires_at timestamptz NOT NULL,"
    " epoch bigint NOT NULL,"
    " batch bigint NOT NULL,"
    " batch_ids bigint[],"
    " is_dead boolean NOT NULL) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 100);"
    "CREATE TABLE palenca.events ("
    " id bigint PRIMARY KEY,"
    " action text NOT NULL,"
    " account_id text,"
    " state smallint NOT NULL,"
    " attempts integer NOT NULL,"
    " replays integer NOT NULL,"
    " received_at bigint NOT NULL,"
    " due_at timestamptz,"
    " finished_at timestamptz,"
    " error text,"
    " owner bigint) WITH (" VACUUM ");"
    "CREATE INDEX events_received ON palenca.events (id) WHERE state = 0;"
    "CREATE INDEX events_order ON palenca.events (account_id, id) WHERE state < 3;"
    "CREATE UNIQUE INDEX events_busy ON palenca.events (account_id) WHERE state IN (1, 2);"
    "CREATE INDEX events_due ON palenca.events (due_at) WHERE state = 2;"
    "CREATE INDEX events_owner ON palenca.events (owner) WHERE state = 1;"
    "CREATE INDEX events_finished ON palenca.events (state, finished_at) WHERE state >= 3;"
    "CREATE TABLE palenca.bodies ("
    " id bigint PRIMARY KEY,"
    " hash bytea,"
    " body bytea NOT NULL) WITH (" VACUUM ");"
    "CREATE TABLE palenca.receipts ("
    " hash bytea PRIMARY KEY,"
    " event bigint NOT NULL,"
    " received_at timestamptz NOT NULL) WITH (" VACUUM ");"
    "CREATE TABLE palenca.traces ("
    " id bigint PRIMARY KEY,"
    " traceparent text,"
    " request_id text) WITH (" VACUUM ");"
    "CREATE TABLE palenca.attempts ("
    " id bigint NOT NULL,"
    " replay integer NOT NULL,"
    " attempt integer NOT NULL,"
    " started_at bigint,"
    " duration bigint,"
    " outcome smallint NOT NULL,"
    " error text,"
    " lines text,"
    " lines_left_out bigint,"
    " PRIMARY KEY (id, replay, attempt)) WITH (" VACUUM ");"
    "CREATE TABLE palenca.timers ("
    " name text PRIMARY KEY,"
    " interval_ms bigint NOT NULL,"
    " due_at timestamptz NOT NULL,"
    " used_at timestamptz NOT NULL,"
    " owner bigint);"
    "CREATE TABLE palenca.serving (dedup_window_ms bigint NOT NULL);"
    "INSERT INTO palenca.serving VALUES (0);";

/* PL001: this process counts as dead, or an earlier connection of it is still at work. What leases
 * need not be on disk: a lease that is lost is that of a server that has crashed. */
static const char functions[] =
    "CREATE FUNCTION palenca.begin_batch(host bigint, host_epoch bigint, number bigint,"
    " lease_ms bigint) RETURNS void LANGUAGE plpgsql AS $$"
    " BEGIN"
    " UPDATE palenca.hosts SET batch = number, batch_ids = NULL,"
    " expires_at = clock_timestamp() + lease_ms * interval '1 millisecond'"
    " WHERE id = host AND epoch = host_epoch AND NOT is_dead;"
    " IF NOT FOUND THEN"
    " RAISE EXCEPTION 'the leases of this process have expired' USING ERRCODE = 'PL001';"
    " END IF;"
    " END $$;"
    "CREATE FUNCTION palenca.begin_lease(host bigint, host_epoch bigint)"
    " RETURNS void LANGUAGE plpgsql AS $$"
    " BEGIN"
    " PERFORM set_config('synchronous_commit', 'off', true);"
    " PERFORM 1 FROM palenca.hosts WHERE id = host AND epoch = host_epoch AND NOT is_dead"
    " FOR SHARE;"
    " IF NOT FOUND THEN"
    " RAISE EXCEPTION 'the leases of this process have expired' USING ERRCODE = 'PL001';"
    " END IF;"
    " END $$;"
    /* A process begins, or comes back with another connection: the lock waits for the end of what
     * the earlier one has under way. `host` of the result is another one if it counted as dead. */
    "CREATE FUNCTION palenca.open_host(INOUT host bigint, host_name text, lease_ms bigint,"
    " OUT host_epoch bigint, OUT last_batch bigint, OUT last_ids bigint[])"
    " LANGUAGE plpgsql AS $$"
    " BEGIN"
    " UPDATE palenca.hosts SET epoch = epoch + 1,"
    " expires_at = clock_timestamp() + lease_ms * interval '1 millisecond'"
    " WHERE id = host AND NOT is_dead;"
    " SELECT epoch, batch, batch_ids INTO host_epoch, last_batch, last_ids"
    " FROM palenca.hosts WHERE id = host AND NOT is_dead;"
    " IF NOT FOUND THEN"
    " host := nextval('palenca.host_ids');"
    " host_epoch := 1;"
    " INSERT INTO palenca.hosts VALUES (host, host_name, clock_timestamp(),"
    " clock_timestamp() + lease_ms * interval '1 millisecond', 1, 0, NULL, false);"
    " END IF;"
    " END $$;"
    /* Of a body that is no JSON, or nested too deeply, it is not known. */
    "CREATE FUNCTION palenca.platform_of(body bytea) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$"
    " BEGIN RETURN convert_from(body, 'UTF8')::json #>> '{data,platform}';"
    " EXCEPTION WHEN data_exception OR program_limit_exceeded THEN RETURN NULL;"
    " END $$;"
    "UPDATE palenca.schema_version SET version = 1;";

static bool fail(const libpq *pq, PGconn *connection, host_error *error) {
  char reason[400];
  session_reason(pq->errorMessage(connection), reason, sizeof reason);
  return host_error_set(error, HOST_FAILED, "cannot use the tables: %s", reason);
}

static bool run(const libpq *pq, PGconn *connection, const char *text) {
  PGresult *result = pq->exec(connection, text);
  ExecStatusType status = pq->resultStatus(result);
  pq->clear(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* 0: there are none. */
static bool read_version(const libpq *pq, PGconn *connection, int *version) {
  *version = 0;
  PGresult *result = pq->exec(connection, "SELECT to_regclass('palenca.schema_version')::text");
  bool ok = pq->resultStatus(result) == PGRES_TUPLES_OK;
  bool is_there = ok && !pq->getisnull(result, 0, 0);
  pq->clear(result);
  if (!is_there) {
    return ok;
  }
  result = pq->exec(connection, "SELECT version FROM palenca.schema_version");
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
  if (version > POSTGRES_SCHEMA_VERSION) {
    return host_error_set(error, HOST_FAILED,
                          "its tables are of a later version of this program (%d, this one knows "
                          "%d)",
                          version, POSTGRES_SCHEMA_VERSION);
  }
  return version == POSTGRES_SCHEMA_VERSION ||
         host_error_set(error, HOST_FAILED,
                        version == 0 ? "it has no tables of palenca: 'palenca serve' makes them"
                                     : "its tables are of an earlier version of this program, "
                                       "which the next start of 'palenca serve' changes");
}

static bool change(const libpq *pq, PGconn *connection) {
  int version;
  return run(pq, connection, LOCK) && read_version(pq, connection, &version) &&
         (version >= 1 || (run(pq, connection, tables) && run(pq, connection, functions)));
}

bool postgres_schema_prepare(const libpq *pq, PGconn *connection, host_error *error) {
  int version;
  if (!read_version(pq, connection, &version)) {
    return fail(pq, connection, error);
  }
  if (version < POSTGRES_SCHEMA_VERSION) {
    if (!run(pq, connection, "BEGIN") || !change(pq, connection) ||
        !run(pq, connection, "COMMIT")) {
      (void)fail(pq, connection, error);
      (void)run(pq, connection, "ROLLBACK");
      return false;
    }
  }
  return postgres_schema_check(pq, connection, error);
}
