/* The tables of the queue at PostgreSQL, and its functions, as version 1 of the schema has them. */
#include "schema_parts.h"
#include "store/event.h"

/* The statements name the states by these numbers. */
_Static_assert(EVENT_RECEIVED == 0 && EVENT_RUNNING == 1 && EVENT_RETRY == 2 && EVENT_DONE == 3 &&
                   EVENT_DEAD == 4,
               "the states are stored in databases");

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
const char postgres_queue_tables[] =
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
const char postgres_queue_functions[] =
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
    " END $$;";
