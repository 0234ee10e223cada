/* What version 5 of the schema adds to events: recorded responses, and the dead letters of which no
 * alert is under way yet. */
#include "schema_parts.h"

/* `deaths`: a row for each transaction that has made dead letters; `events` names the first of
 * them. `event_responses`: of the last run of an event that was recorded; compressed. */
const char postgres_record_tables[] =
    "CREATE TABLE palenca.deaths ("
    " died_at timestamptz NOT NULL,"
    " count bigint NOT NULL,"
    " events bigint[] NOT NULL) WITH (autovacuum_vacuum_threshold = 1000);"
    "CREATE INDEX deaths_order ON palenca.deaths (died_at);"
    "CREATE TABLE palenca.event_responses ("
    " id bigint PRIMARY KEY,"
    " attempt bigint NOT NULL,"
    " replay bigint NOT NULL,"
    " started_at bigint NOT NULL,"
    " recorded_at timestamptz NOT NULL,"
    " has_decision boolean NOT NULL,"
    " size bigint NOT NULL,"
    " omitted bigint NOT NULL,"
    " responses bytea NOT NULL);"
    "ALTER TABLE palenca.event_responses ALTER COLUMN responses SET STORAGE EXTERNAL;"
    "CREATE INDEX event_responses_recorded ON palenca.event_responses (recorded_at);";

const char postgres_record_functions[] =
    /* Makes one alert of all that have died, once the first of them has waited for long enough:
     * whichever process asks, one at a time. */
    "CREATE FUNCTION palenca.make_alert(window_ms bigint, named_max bigint)"
    " RETURNS void LANGUAGE plpgsql AS $$"
    " DECLARE alert bigint; about text;"
    " BEGIN"
    " IF NOT pg_try_advisory_xact_lock(1346456646) OR NOT EXISTS (SELECT FROM palenca.deaths"
    " WHERE died_at <= now() - window_ms * interval '1 millisecond') THEN RETURN; END IF;"
    " WITH gone AS (DELETE FROM palenca.deaths RETURNING died_at, count, events)"
    ", named AS (SELECT e FROM gone, unnest(events) WITH ORDINALITY AS u(e, n)"
    " ORDER BY died_at, n LIMIT named_max)"
    " SELECT format('{\"alert\":{\"since\":%s,\"until\":%s,\"count\":%s,\"events\":[%s]}}',"
    " floor(extract(epoch FROM min(died_at)) * 1000),"
    " floor(extract(epoch FROM max(died_at)) * 1000), sum(count),"
    " (SELECT string_agg(e::text, ',') FROM named)) INTO about FROM gone;"
    " INSERT INTO palenca.events (id, action, state, attempts, replays, received_at)"
    " VALUES (nextval('palenca.event_ids'), 'palenca.alert', 0, 0, 0,"
    " floor(extract(epoch FROM now()) * 1000)) RETURNING id INTO alert;"
    " INSERT INTO palenca.bodies (id, body) VALUES (alert, convert_to(about, 'UTF8'));"
    " END $$;";
