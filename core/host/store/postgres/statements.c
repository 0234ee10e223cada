/* The statements of the event store at PostgreSQL. Times are the server's. */
#include "statements.h"

#include "blocking.h"

#include <stddef.h>

/* Of the bodies that were received within the window, a row each: who inserts the same one at the
 * same time waits for the other's commit. Ids are those of the order in which they have come, and
 * all insert hashes in the same order, so that nobody waits in a circle. */
#define PUT_INPUT                                                                                  \
  "WITH input AS MATERIALIZED (SELECT nextval('palenca.event_ids') AS id, t.* FROM"                \
  " (SELECT * FROM unnest($2::bytea[], $3::text[], $4::text[], $5::bytea[], $6::bigint[],"         \
  " $7::text[], $8::text[]) WITH ORDINALITY AS u(hash, action, account_id, body, received_at,"     \
  " traceparent, request_id, n) ORDER BY n) AS t)"
/* Logins that were queued since no webhook had come: of one that comes late the event is there. Who
 * is just being queued has its end awaited. */
#define PUT_LATE                                                                                   \
  ", late AS MATERIALIZED (SELECT i.n, r.event FROM input AS i"                                    \
  " JOIN palenca.reconciled AS r USING (account_id) WHERE i.action = 'login.success'"              \
  " AND r.until > now() AND (SELECT EXISTS (SELECT FROM palenca.reconciled)) FOR SHARE OF r)"
#define IS_NOT_LATE "n NOT IN (SELECT n FROM late WHERE event > 0)"
#define PUT_ROWS                                                                                   \
  ", e AS (INSERT INTO palenca.events (id, action, account_id, state, attempts, replays,"          \
  " received_at, is_behind)"                                                                       \
  " SELECT id, action, account_id, 0, 0, 0, received_at, is_behind FROM stored ORDER BY id)"       \
  ", b AS (INSERT INTO palenca.bodies (id, hash, body)"                                            \
  " SELECT id, hash, body FROM stored ORDER BY id)"                                                \
  ", t AS (INSERT INTO palenca.traces (id, traceparent, request_id)"                               \
  " SELECT id, traceparent, request_id FROM stored"                                                \
  " WHERE traceparent IS NOT NULL OR request_id IS NOT NULL)"                                      \
  ", ids AS (SELECT n, id, false AS is_late FROM stored"                                           \
  " UNION ALL SELECT n, event, true FROM late WHERE event > 0)"                                    \
  ", h AS (UPDATE palenca.hosts SET batch_ids = (SELECT array_agg(id ORDER BY n) FROM ids)"        \
  " WHERE id = $1::bigint)"                                                                        \
  " SELECT n, id, is_late::integer::bigint FROM ids"

/* Plans are made once, while tables may be empty, and are kept: each look into a table is written
 * so that one index serves it. `LIMIT 1` keeps it from becoming a join, which could go through all
 * of an index, and `IS TRUE` from one that goes through the input for each of its rows; a
 * comparison of rows fits the index of accounts alone; `state + 0` none of those that hold the
 * events of one state, all of which could be gone through for each row. */

/* An event of the input is behind another one if its account has an unfinished one, be it in the
 * same input. */
#define STORED_OF_INPUT                                                                            \
  ", stored AS MATERIALIZED (SELECT i.*, i.account_id IS NOT NULL AND ("                           \
  "(SELECT true FROM palenca.events AS w WHERE w.account_id = i.account_id"                        \
  " AND w.state = 0 LIMIT 1) IS NOT NULL"                                                          \
  " OR (SELECT true FROM palenca.events AS b WHERE b.account_id = i.account_id"                    \
  " AND b.state IN (1, 2) LIMIT 1) IS NOT NULL"                                                    \
  " OR row_number() OVER (PARTITION BY i.account_id ORDER BY i.id) > 1) AS is_behind"              \
  " FROM input AS i"

/* An account is free for an event if none of its events is running or waits for a retry, and none
 * that has come before waits. */
#define ACCOUNT_IS_FREE                                                                            \
  " AND (SELECT true FROM palenca.events AS b WHERE b.account_id = e.account_id"                   \
  " AND b.state IN (1, 2) LIMIT 1) IS NULL"                                                        \
  " AND (SELECT true FROM palenca.events AS w WHERE w.state = 0"                                   \
  " AND (w.account_id, w.id) >= (e.account_id, 0)"                                                 \
  " AND (w.account_id, w.id) < (e.account_id, e.id) LIMIT 1) IS NULL"

/* The first events of accounts that were behind another one, which has ended: of the accounts that
 * were put or finished by the transaction before this one. */
#define FIRST_BEHIND                                                                               \
  "WITH accounts AS MATERIALIZED (SELECT unnest($6::text[]) AS account_id UNION"                   \
  " SELECT account_id FROM palenca.events WHERE id = ANY ($7::bigint[]))"                          \
  ", heads AS MATERIALIZED (SELECT e.id, e.action FROM palenca.events AS e"                        \
  " WHERE e.id = ANY (ARRAY(SELECT h.id FROM accounts AS a CROSS JOIN LATERAL"                     \
  " (SELECT w.id, w.account_id, w.is_behind FROM palenca.events AS w WHERE w.state = 0"            \
  " AND (w.account_id, w.id) >= (a.account_id, 0) ORDER BY w.account_id, w.id LIMIT 1) AS h"       \
  " WHERE h.account_id = a.account_id AND h.is_behind"                                             \
  " AND (SELECT true FROM palenca.events AS b WHERE b.account_id = a.account_id"                   \
  " AND b.state IN (1, 2) LIMIT 1) IS NULL))"                                                      \
  " AND e.state + 0 = 0 AND e.is_behind ORDER BY e.id FOR UPDATE SKIP LOCKED)"

#define COUNT_MAX "10000"
#define NAMED "20" /* events, by an alert */

static const struct {
  const char *name, *text;
} statements[STATEMENTS] = {
    [STATEMENT_BEGIN] = {"begin", "BEGIN"},
    [STATEMENT_COMMIT] = {"commit", "COMMIT"},
    [STATEMENT_ROLLBACK] = {"rollback", "ROLLBACK"},
    [STATEMENT_BEGIN_BATCH] = {"begin_batch", "SELECT palenca.begin_batch($1, $2, $3, $4)"},
    [STATEMENT_PUT] = {"put", PUT_INPUT PUT_LATE
                       ", fresh AS (INSERT INTO palenca.receipts AS r (hash, event, received_at)"
                       " SELECT hash, id, now() FROM input WHERE " IS_NOT_LATE " ORDER BY hash"
                       " ON CONFLICT (hash) DO UPDATE SET event = excluded.event,"
                       " received_at = excluded.received_at WHERE r.received_at"
                       " <= excluded.received_at - $9::bigint * interval '1 millisecond'"
                       " RETURNING event)" STORED_OF_INPUT
                       " WHERE (id IN (SELECT event FROM fresh)) IS TRUE)" PUT_ROWS},
    [STATEMENT_PUT_ALL] = {"put_all", PUT_INPUT PUT_LATE STORED_OF_INPUT
                           " WHERE $9::bigint = 0 AND " IS_NOT_LATE ")" PUT_ROWS},
    /* In a statement of its own, which sees what others have committed since. $2: the process that
     * has just put these; nothing is looked for if all of them were stored. */
    [STATEMENT_FIND] = {"find", "SELECT n, r.event FROM unnest($1::bytea[]) WITH ORDINALITY"
                                " AS u(hash, n) JOIN palenca.receipts AS r USING (hash)"
                                " WHERE coalesce((SELECT cardinality(batch_ids)"
                                " FROM palenca.hosts WHERE id = $2::bigint), 0)"
                                " < cardinality($1::bytea[])"},
    /* Only of the lease that is ended: it may have expired since, and be another's. */
    [STATEMENT_FINISH] =
        {"finish", "WITH ended AS (UPDATE palenca.events AS e SET owner = NULL,"
                   " state = CASE f.kind WHEN 0 THEN 3 WHEN 1 THEN 2 WHEN 2 THEN 4 ELSE 0 END,"
                   " attempts = e.attempts - (f.kind = 3)::integer,"
                   " due_at = CASE WHEN f.kind = 1"
                   " THEN now() + f.delay * interval '1 millisecond' END,"
                   " finished_at = CASE WHEN f.kind IN (0, 2) THEN now() END,"
                   " error = CASE WHEN f.kind = 1 THEN f.error ELSE coalesce(f.error, e.error) END"
                   " FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],"
                   " $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],"
                   " $10::text[], $11::bigint[]) AS f(id, owner, kind, delay, error, attempt,"
                   " replay, started_at, duration, lines, lines_left_out)"
                   " WHERE e.id = f.id AND e.state + 0 = 1 AND e.owner = f.owner"
                   " AND e.attempts = f.attempt AND e.replays = f.replay RETURNING f.*)"
                   ", a AS (INSERT INTO palenca.attempts SELECT id, replay, attempt,"
                   " nullif(started_at, 0), CASE WHEN started_at > 0 THEN duration END, kind,"
                   " error, lines, CASE WHEN lines IS NOT NULL THEN lines_left_out END"
                   " FROM ended WHERE kind < 3 ON CONFLICT DO NOTHING)"
                   " SELECT id FROM ended"},
    /* Of those that were ended so by this very transaction. */
    [STATEMENT_NOTICE] =
        {"notice", "WITH input AS MATERIALIZED (SELECT nextval('palenca.event_ids') AS id, n.body"
                   " FROM unnest($1::bigint[], $2::bytea[]) AS n(event, body)"
                   " JOIN palenca.events AS e ON e.id = n.event"
                   " WHERE e.state = 4 AND e.xmin = pg_current_xact_id()::xid)"
                   ", b AS (INSERT INTO palenca.bodies (id, body) SELECT id, body FROM input)"
                   " INSERT INTO palenca.events (id, action, state, attempts, replays, received_at)"
                   " SELECT id, 'palenca.dead', 0, 0, 0, $3::bigint FROM input"},
    [STATEMENT_RECORD] =
        {"record", "INSERT INTO palenca.event_responses AS r (id, attempt, replay, started_at,"
                   " has_decision, size, omitted, responses, recorded_at)"
                   " SELECT f.id, f.attempt, f.replay, f.started_at, f.decided = 1, f.size,"
                   " f.omitted, f.responses, now() FROM unnest($1::bigint[], $2::bigint[],"
                   " $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],"
                   " $8::bytea[]) AS f(id, attempt, replay, started_at, decided, size, omitted,"
                   " responses) JOIN palenca.events AS e ON e.id = f.id"
                   " WHERE e.state >= 3 AND e.xmin = pg_current_xact_id()::xid"
                   " ON CONFLICT (id) DO UPDATE SET attempt = excluded.attempt,"
                   " replay = excluded.replay, started_at = excluded.started_at,"
                   " has_decision = excluded.has_decision, size = excluded.size,"
                   " omitted = excluded.omitted, responses = excluded.responses,"
                   " recorded_at = excluded.recorded_at"},
    /* Likewise. An alert names the first ones only. */
    [STATEMENT_DEATHS] = {"deaths", "INSERT INTO palenca.deaths (died_at, count, events)"
                                    " SELECT now(), count(*), (array_agg(id ORDER BY id))[1:" NAMED
                                    "] FROM palenca.events WHERE id = ANY ($1::bigint[])"
                                    " AND state = 4 AND xmin = pg_current_xact_id()::xid"
                                    " HAVING count(*) > 0"},
    [STATEMENT_TIMER_END] = {"timer_end",
                             "UPDATE palenca.timers AS t SET owner = NULL,"
                             " due_at = CASE WHEN f.has_started = 1 THEN t.due_at ELSE now() END"
                             " FROM unnest($1::text[], $2::bigint[], $3::bigint[])"
                             " AS f(name, owner, has_started)"
                             " WHERE t.name = f.name AND t.owner = f.owner"},
    /* Of events that were ended by this very transaction: the last statement of it, since all
     * others that record a decision wait for its end. */
    [STATEMENT_DECIDE] =
        {"decide",
         "WITH ended AS MATERIALIZED (SELECT f.* FROM unnest($1::bigint[], $2::bigint[],"
         " $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bytea[],"
         " $9::bytea[], $10::bytea[]) WITH ORDINALITY AS f(event, attempt, replay, facts,"
         " rows_digest, data_digest, account_id, user_id, rows, details, n)"
         " JOIN palenca.events AS e ON e.id = f.event"
         " WHERE e.state = 3 AND e.xmin = pg_current_xact_id()::xid)"
         ", appended AS MATERIALIZED (SELECT palenca.append_entries(array_agg(ROW(NULL, 1, event,"
         " attempt, replay, NULL, facts, rows_digest, data_digest, NULL, NULL)::palenca.decisions"
         " ORDER BY n)) AS number FROM ended HAVING count(*) > 0)"
         " INSERT INTO palenca.decision_data AS d SELECT number + row_number() OVER (ORDER BY n),"
         " account_id, user_id, rows, details FROM ended CROSS JOIN appended"
         " ON CONFLICT (number) DO UPDATE SET account_id = excluded.account_id,"
         " user_id = excluded.user_id, rows = excluded.rows, details = excluded.details"},
    [STATEMENT_BEGIN_LEASE] = {"begin_lease", "SELECT palenca.begin_lease($1, $2)"},
    /* What is due already stays due, whatever its interval is from now on. Those that no script has
     * any more go after a day. */
    [STATEMENT_TIMER_STORE] =
        {"timer_store", "WITH gone AS (DELETE FROM palenca.timers WHERE owner IS NULL"
                        " AND name <> ALL ($1::text[]) AND used_at < now() - interval '1 day'"
                        " - interval_ms * interval '1 millisecond')"
                        " INSERT INTO palenca.timers AS t"
                        " SELECT name, ms, now() + ms * interval '1 millisecond', now(), NULL"
                        " FROM unnest($1::text[], $2::bigint[]) AS f(name, ms) ORDER BY name"
                        " ON CONFLICT (name) DO UPDATE SET used_at = now(),"
                        " interval_ms = excluded.interval_ms,"
                        " due_at = CASE WHEN t.due_at <= now() THEN t.due_at"
                        " ELSE least(t.due_at + (excluded.interval_ms - t.interval_ms)"
                        " * interval '1 millisecond', excluded.due_at) END"},
    [STATEMENT_TIMER_LEASE] =
        {"timer_lease", "UPDATE palenca.timers SET owner = $1::bigint, used_at = now(),"
                        " due_at = now() + interval_ms * interval '1 millisecond'"
                        " WHERE name IN (SELECT name FROM palenca.timers"
                        " WHERE name = ANY ($2::text[]) AND owner IS NULL AND due_at <= now()"
                        " ORDER BY due_at LIMIT $3::bigint FOR UPDATE SKIP LOCKED) RETURNING name"},
    /* The counts of those that run must be of after the commit of whoever has leased before. */
    [STATEMENT_LOCK_LIMITS] = {"lock_limits", "SELECT pg_advisory_xact_lock(1346456647)"},
    /* $3, $4: the patterns of limits, and '%' at the end, each with how many may run at once on all
     * machines; 0: as many as can. An event is looked for under the first that it matches, and
     * leased if there is room for it under all. What was behind another event and is not leased now
     * can be from now on. */
    [STATEMENT_LEASE] =
        {"lease", FIRST_BEHIND
         ", groups AS MATERIALIZED (SELECT pattern, place, CASE WHEN most = 0 THEN $2::bigint"
         " ELSE greatest(0, most - (SELECT count(*) FROM palenca.events AS r WHERE r.state = 1"
         " AND r.action LIKE pattern)) END AS free"
         " FROM unnest($3::text[], $4::bigint[]) WITH ORDINALITY AS g(pattern, most, place))"
         ", due AS MATERIALIZED (SELECT c.id, c.action FROM groups AS g CROSS JOIN LATERAL"
         " (SELECT e.id, e.action FROM palenca.events AS e"
         " WHERE e.state = 2 AND e.due_at <= now() AND e.action LIKE g.pattern"
         " AND NOT e.action LIKE ANY (($3::text[])[1:g.place - 1])"
         " ORDER BY e.due_at LIMIT least(g.free, $2::bigint) FOR UPDATE SKIP LOCKED) AS c)"
         ", received AS MATERIALIZED (SELECT c.id, c.action FROM groups AS g CROSS JOIN LATERAL"
         " (SELECT e.id, e.action FROM palenca.events AS e"
         " WHERE e.state = 0 AND NOT e.is_behind AND e.action LIKE g.pattern"
         " AND NOT e.action LIKE ANY (($3::text[])[1:g.place - 1])" ACCOUNT_IS_FREE
         " ORDER BY e.id LIMIT least(g.free, $2::bigint) FOR UPDATE SKIP LOCKED) AS c)"
         ", candidates AS (SELECT id, action, $5::bigint AS turn FROM due"
         " UNION ALL SELECT id, action, 0 FROM received"
         " UNION ALL SELECT id, action, 0 FROM heads)"
         ", chosen AS MATERIALIZED (SELECT id FROM (SELECT c.id, c.turn, g.free,"
         " row_number() OVER (PARTITION BY g.place ORDER BY c.turn, c.id) AS n"
         " FROM candidates AS c JOIN groups AS g ON c.action LIKE g.pattern) AS u"
         " GROUP BY id, turn HAVING bool_and(n <= free) ORDER BY turn, id LIMIT $2::bigint)"
         ", promoted AS (UPDATE palenca.events SET is_behind = false"
         " WHERE id = ANY (ARRAY(SELECT id FROM heads EXCEPT SELECT id FROM chosen)))"
         ", leased AS (UPDATE palenca.events AS e SET state = 1, is_behind = false,"
         " attempts = e.attempts + 1, due_at = NULL, owner = $1::bigint"
         " WHERE e.id = ANY (ARRAY(SELECT id FROM chosen))"
         " RETURNING e.id, e.attempts, e.replays, e.received_at, e.action)"
         " SELECT id, attempts, replays, received_at,"
         " (SELECT body FROM palenca.bodies AS b WHERE b.id = leased.id), action,"
         " (SELECT traceparent FROM palenca.traces AS t WHERE t.id = leased.id),"
         " (SELECT request_id FROM palenca.traces AS t WHERE t.id = leased.id)"
         " FROM leased ORDER BY id"},
    [STATEMENT_LOOK] = {"look",
                        "SELECT (extract(epoch FROM least((SELECT min(due_at) FROM palenca.events"
                        " WHERE state = 2), (SELECT min(due_at) FROM palenca.timers"
                        " WHERE name = ANY ($1::text[]) AND owner IS NULL)) - clock_timestamp())"
                        " * 1000)::bigint,"
                        " EXISTS (SELECT FROM palenca.events WHERE state = 0 AND NOT is_behind),"
                        " EXISTS (SELECT FROM palenca.events WHERE state = 0 AND is_behind)"},
    [STATEMENT_NOTIFY] = {"notify", "SELECT pg_notify('palenca', '') WHERE EXISTS"
                                    " (SELECT FROM palenca.events WHERE state = 0"
                                    " AND NOT is_behind)"},
    [STATEMENT_KEEP] = {"keep", "UPDATE palenca.hosts SET expires_at = clock_timestamp()"
                                " + $3::bigint * interval '1 millisecond'"
                                " WHERE id = $1::bigint AND epoch = $2::bigint AND NOT is_dead"
                                " RETURNING id"},
    [STATEMENT_BURY] = {"bury", "UPDATE palenca.hosts SET is_dead = true WHERE id IN"
                                " (SELECT id FROM palenca.hosts WHERE NOT is_dead"
                                " AND expires_at < clock_timestamp() FOR UPDATE SKIP LOCKED)"},
    [STATEMENT_FREE_EVENTS] =
        {"free_events", "WITH freed AS (UPDATE palenca.events SET state = 0, owner = NULL,"
                        " error = 'the process died during attempt ' || attempts"
                        " WHERE id IN (SELECT id FROM palenca.events AS e"
                        " WHERE state = 1 AND NOT EXISTS (SELECT FROM palenca.hosts AS h"
                        " WHERE h.id = e.owner AND NOT h.is_dead) FOR UPDATE OF e SKIP LOCKED)"
                        " RETURNING id, replays, attempts, error)"
                        " INSERT INTO palenca.attempts (id, replay, attempt, outcome, error)"
                        " SELECT id, replays, attempts, 3, error FROM freed"
                        " ON CONFLICT DO NOTHING"},
    [STATEMENT_FREE_TIMERS] =
        {"free_timers", "UPDATE palenca.timers SET owner = NULL"
                        " WHERE name IN (SELECT name FROM palenca.timers AS t"
                        " WHERE owner IS NOT NULL AND NOT EXISTS (SELECT FROM palenca.hosts AS h"
                        " WHERE h.id = t.owner AND NOT h.is_dead) FOR UPDATE OF t SKIP LOCKED)"},
    [STATEMENT_DROP_HOSTS] = {"drop_hosts", "DELETE FROM palenca.hosts WHERE is_dead"
                                            " AND expires_at < now() - interval '1 day'"},
    [STATEMENT_PROMOTE] = {"promote", "SELECT palenca.promote_waiting($1, $2)"},
    /* Up to a number exactly, beyond that as the last ANALYZE has seen it: it must not take long.
     */
    [STATEMENT_COUNT] =
        {"count",
         "SELECT c.unfinished, c.retries, c.dead, coalesce(c.oldest, 0),"
         " CASE WHEN c.unfinished < " COUNT_MAX " THEN 0 ELSE"
         " (SELECT reltuples::bigint FROM pg_class"
         " WHERE oid = 'palenca.events_order'::regclass) END, c.running FROM (SELECT"
         " (SELECT count(*) FROM (SELECT FROM palenca.events WHERE state = 0"
         " LIMIT " COUNT_MAX ") AS a)"
         " + (SELECT count(*) FROM (SELECT FROM palenca.events"
         " WHERE state IN (1, 2) LIMIT " COUNT_MAX ") AS a) AS unfinished,"
         " (SELECT count(*) FROM (SELECT FROM palenca.events WHERE state = 2"
         " LIMIT " COUNT_MAX ") AS a) AS retries,"
         " (SELECT count(*) FROM (SELECT FROM palenca.events WHERE state = 1"
         " LIMIT " COUNT_MAX ") AS a) AS running,"
         " (SELECT count(*) FROM (SELECT FROM palenca.events WHERE state = 4"
         " LIMIT " COUNT_MAX ") AS a) AS dead,"
         " least((SELECT received_at FROM palenca.events WHERE state = 0"
         " AND NOT is_behind ORDER BY id LIMIT 1), (SELECT min(received_at) FROM palenca.events"
         " WHERE state = 1), (SELECT min(received_at) FROM (SELECT received_at"
         " FROM palenca.events WHERE state = 2 ORDER BY due_at LIMIT 200) AS a))"
         " AS oldest) AS c"},
    [STATEMENT_EXPIRE] =
        {"expire",
         "WITH old AS MATERIALIZED (SELECT id, action, received_at"
         " FROM palenca.events WHERE state = 3"
         " AND finished_at < now() - $1::bigint * interval '1 millisecond'"
         " ORDER BY finished_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED)"
         ", e AS (DELETE FROM palenca.events USING old WHERE events.id = old.id)"
         ", a AS (DELETE FROM palenca.attempts USING old"
         " WHERE attempts.id = old.id)"
         ", t AS (DELETE FROM palenca.traces USING old WHERE traces.id = old.id)"
         ", s AS (DELETE FROM palenca.event_responses AS s USING old WHERE s.id = old.id)"
         ", b AS (DELETE FROM palenca.bodies USING old WHERE bodies.id = old.id"
         " RETURNING bodies.id, bodies.hash)"
         ", r AS (DELETE FROM palenca.receipts USING b"
         " WHERE receipts.hash = b.hash AND receipts.event = b.id)" STATEMENTS_REMEMBER_PURGED
         " SELECT count(*) FROM old"},
    [STATEMENT_EXPIRE_RESPONSES] =
        {"expire_responses",
         "WITH old AS MATERIALIZED (SELECT id FROM palenca.event_responses"
         " WHERE recorded_at < now() - $1::bigint * interval '1 millisecond'"
         " ORDER BY recorded_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED)"
         ", r AS (DELETE FROM palenca.event_responses AS r USING old WHERE r.id = old.id)"
         " SELECT count(*) FROM old"},
    [STATEMENT_EXPIRE_MARKS] = {"expire_marks",
                                "WITH f AS (DELETE FROM palenca.forgotten"
                                " WHERE at <= to_timestamp((SELECT received_at"
                                " FROM palenca.purged) / 1000.0))"
                                " DELETE FROM palenca.reconciled WHERE until <= now()"},
    [STATEMENT_ALERT] = {"alert", "SELECT palenca.make_alert($1, " NAMED ")"},
    [STATEMENT_EXPIRE_DECISIONS] = {"expire_decisions",
                                    "SELECT palenca.delete_old_decisions($1, $2)"},
    [STATEMENT_TAKE_TURNS] = {"take_turns",
                              "SELECT granted, still_free, wait_ms, block_ms"
                              " FROM palenca.take_turns($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
                              " $11, $12)"},
    /* What a put needs: the locks, and pages that are not there yet. */
    [STATEMENT_PROBE] = {"probe",
                         "WITH e AS (INSERT INTO palenca.events (id, action, state, attempts,"
                         " replays, received_at) VALUES (-$1::bigint, 'palenca.probe', 3, 0, 0, 0))"
                         ", r AS (INSERT INTO palenca.receipts (hash, event, received_at)"
                         " VALUES (sha256(int8send($1::bigint)), -$1::bigint, now()))"
                         " INSERT INTO palenca.bodies (id, body) SELECT -$1::bigint,"
                         " string_agg(sha256(int8send(n)), '') FROM generate_series(1, 500) AS n"},
    [STATEMENT_LEAVE] = {"leave", "UPDATE palenca.hosts SET is_dead = true WHERE id = $1::bigint"},
};

const char *statement_name(statement_id id) {
  return statements[id].name;
}

bool statements_prepare(const libpq *pq, PGconn *connection) {
  bool ok = true;
  for (int i = 0; i < STATEMENTS && ok; i++) {
    PGresult *result = blocking_prepare(pq, connection, statements[i].name, statements[i].text);
    ok = pq->resultStatus(result) == PGRES_COMMAND_OK;
    pq->clear(result);
  }
  return ok;
}
