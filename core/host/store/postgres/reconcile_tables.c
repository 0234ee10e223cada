/* What version 5 of the schema has for events that are queued because no webhook has come: their
 * marks, and functions that keep them single over all machines. */
#include "schema_parts.h"

/* `reconciled`: for a day, a webhook of the account is a duplicate of the event; 0: it is being
 * found out whether one is missing, and a webhook is stored as others are. `purged`: when the last
 * login.success was received that was deleted. `reconciling`: which process does that of all that
 * serve, and up to which number those that have asked need not any more. */
const char postgres_reconcile_tables[] =
    "CREATE TABLE palenca.reconciled ("
    " account_id text PRIMARY KEY,"
    " event bigint NOT NULL,"
    " until timestamptz NOT NULL);"
    "CREATE INDEX reconciled_until ON palenca.reconciled (until);"
    "CREATE TABLE palenca.purged (received_at bigint NOT NULL) WITH (fillfactor = 50);"
    "INSERT INTO palenca.purged VALUES (0);"
    "CREATE SEQUENCE palenca.reconcile_ids;"
    "CREATE TABLE palenca.reconciling ("
    " owner bigint NOT NULL,"
    " expires_at timestamptz NOT NULL,"
    " ended bigint NOT NULL) WITH (fillfactor = 50);"
    "INSERT INTO palenca.reconciling VALUES (0, '-infinity', 0);";

/* Ids are handed out before their commit: one that was seen may be later than so many that are not.
 */
#define OUT_OF_ORDER "10000"
#define A_DAY "interval '1 day'"
#define ARE_WRITING                                                                                \
  " WHERE relation = 'palenca.events'::regclass AND mode = 'RowExclusiveLock'"                     \
  " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"

const char postgres_reconcile_functions[] =
    "CREATE FUNCTION palenca.login_has_come(account text, began bigint, seen bigint)"
    " RETURNS boolean LANGUAGE sql STABLE AS $$"
    " SELECT EXISTS (SELECT FROM palenca.events WHERE id > seen - " OUT_OF_ORDER
    " AND account_id = account AND action = 'login.success' AND received_at >= began) $$;"
    /* Queuing is three calls, each a transaction of its own. A put that starts after the first one
     * locks the mark, and the third one waits for it; the second one waits for puts that have
     * started before, which do not see the mark. */
    "CREATE FUNCTION palenca.begin_queuing(account text, digests bigint[],"
    " began bigint, seen bigint)"
    " RETURNS boolean LANGUAGE plpgsql AS $$"
    " BEGIN"
    " IF palenca.login_has_come(account, began, seen) OR EXISTS (SELECT FROM palenca.forgotten"
    " WHERE id = ANY (digests) AND at >= to_timestamp(began / 1000.0))"
    " THEN RETURN false; END IF;"
    " INSERT INTO palenca.reconciled AS r (account_id, event, until)"
    " VALUES (account, 0, now() + " A_DAY ") ON CONFLICT (account_id) DO UPDATE"
    " SET event = 0, until = excluded.until WHERE r.event = 0 OR r.until <= now();"
    " RETURN FOUND;"
    " END $$;"
    /* For nine seconds at most: no statement of a put takes longer. */
    "CREATE FUNCTION palenca.await_puts() RETURNS void LANGUAGE plpgsql AS $$"
    " DECLARE earlier text[] := ARRAY(SELECT virtualtransaction FROM pg_locks" ARE_WRITING ");"
    " BEGIN"
    " FOR i IN 1..900 LOOP"
    " EXIT WHEN NOT EXISTS (SELECT FROM pg_locks" ARE_WRITING
    " AND virtualtransaction = ANY (earlier));"
    " PERFORM pg_sleep(0.01);"
    " END LOOP;"
    " END $$;"
    /* Returns the id of the event; 0: none was queued. */
    "CREATE FUNCTION palenca.end_queuing(account text, began bigint, seen bigint, text_of text)"
    " RETURNS bigint LANGUAGE plpgsql AS $$"
    " DECLARE queued bigint;"
    " BEGIN"
    " PERFORM FROM palenca.reconciled WHERE account_id = account AND event = 0 FOR UPDATE;"
    " IF NOT FOUND THEN RETURN 0; END IF;"
    " IF palenca.login_has_come(account, began, seen) THEN"
    " DELETE FROM palenca.reconciled WHERE account_id = account; RETURN 0; END IF;"
    " INSERT INTO palenca.events (id, action, account_id, state, attempts, replays, received_at)"
    " VALUES (nextval('palenca.event_ids'), 'login.success', account, 0, 0, 0,"
    " floor(extract(epoch FROM now()) * 1000)) RETURNING id INTO queued;"
    " INSERT INTO palenca.bodies (id, body) VALUES (queued, convert_to(text_of, 'UTF8'));"
    " UPDATE palenca.reconciled SET event = queued, until = now() + " A_DAY
    " WHERE account_id = account;"
    " PERFORM pg_notify('palenca', '');"
    " RETURN queued;"
    " END $$;"
    /* `asked`: the number of a process that asks to reconcile, 0 with its first call. `turn`: 1: it
     * is the one that does, for `lease_ms`; 2: one has done it since; 0: one is at it. */
    "CREATE FUNCTION palenca.take_reconciling(INOUT asked bigint, lease_ms bigint, OUT turn bigint)"
    " LANGUAGE plpgsql AS $$"
    " BEGIN"
    " IF asked = 0 THEN asked := nextval('palenca.reconcile_ids'); END IF;"
    " UPDATE palenca.reconciling SET owner = asked,"
    " expires_at = clock_timestamp() + lease_ms * interval '1 millisecond'"
    " WHERE ended < asked AND (owner = asked OR expires_at < clock_timestamp());"
    " turn := CASE WHEN FOUND THEN 1"
    " WHEN (SELECT ended >= asked FROM palenca.reconciling) THEN 2 ELSE 0 END;"
    " END $$;"
    /* Done for all that have asked until now; or not, and another one has its turn. */
    "CREATE FUNCTION palenca.end_reconciling(asked bigint, is_done boolean)"
    " RETURNS void LANGUAGE sql AS $$"
    " UPDATE palenca.reconciling SET owner = 0, expires_at = '-infinity', ended = CASE"
    " WHEN is_done THEN pg_sequence_last_value('palenca.reconcile_ids') ELSE ended END"
    " WHERE owner = asked $$;";
