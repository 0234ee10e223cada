/* What version 2 of the schema at PostgreSQL adds: an event that waits behind another one of its
 * account is in no index that leases go through, however many there are.
 *
 * `is_behind` is set by the transaction that puts an event and sees an unfinished one of its
 * account. It is cleared once the event is the account's first: by the process that has ended the
 * one before, or by the one that has put it, each after its commit. Whichever commits last sees
 * what the other one has done. */
#include "schema_parts.h"

/* Of the accounts that have events behind others, from a first one on, so many at most: those whose
 * first event has nothing before it any more can be leased. It finds what a process has left that
 * died between its commit and its look, and what was changed by hand. `last` is NULL after the last
 * account. */
#define PROMOTE                                                                                    \
  "CREATE FUNCTION palenca.promote_waiting(first text, max_accounts bigint, OUT last text)"        \
  " LANGUAGE sql AS $$"                                                                            \
  " WITH RECURSIVE a(account_id, n) AS ("                                                          \
  "(SELECT e.account_id, 1 FROM palenca.events AS e WHERE e.state = 0 AND e.is_behind"             \
  " AND e.account_id >= first ORDER BY e.account_id LIMIT 1)"                                      \
  " UNION ALL SELECT (SELECT e.account_id FROM palenca.events AS e WHERE e.state = 0"              \
  " AND e.is_behind AND e.account_id > a.account_id ORDER BY e.account_id LIMIT 1), n + 1"         \
  " FROM a WHERE n < max_accounts AND a.account_id IS NOT NULL)"                                   \
  ", heads AS MATERIALIZED (SELECT e.id FROM palenca.events AS e"                                  \
  " WHERE e.id = ANY (ARRAY(SELECT h.id FROM a CROSS JOIN LATERAL"                                 \
  " (SELECT w.id, w.account_id, w.is_behind FROM palenca.events AS w WHERE w.state = 0"            \
  " AND (w.account_id, w.id) >= (a.account_id, 0) ORDER BY w.account_id, w.id LIMIT 1) AS h"       \
  " WHERE h.account_id = a.account_id AND h.is_behind"                                             \
  " AND (SELECT true FROM palenca.events AS b WHERE b.account_id = a.account_id"                   \
  " AND b.state IN (1, 2) LIMIT 1) IS NULL))"                                                      \
  " AND e.state + 0 = 0 AND e.is_behind ORDER BY e.id FOR UPDATE SKIP LOCKED)"                     \
  ", promoted AS (UPDATE palenca.events SET is_behind = false"                                     \
  " WHERE id = ANY (ARRAY(SELECT id FROM heads)))"                                                 \
  " SELECT max(account_id) FROM a HAVING count(account_id) >= max_accounts $$;"

const char postgres_waiting_events[] =
    "ALTER TABLE palenca.events ADD COLUMN is_behind boolean NOT NULL DEFAULT false;"
    "UPDATE palenca.events AS e SET is_behind = true WHERE e.state = 0 AND EXISTS"
    " (SELECT FROM palenca.events AS o WHERE o.account_id = e.account_id AND o.state < 3"
    " AND (o.state > 0 OR o.id < e.id));"
    "DROP INDEX palenca.events_received;"
    "CREATE INDEX events_received ON palenca.events (id) WHERE state = 0 AND NOT is_behind;"
    "CREATE INDEX events_behind ON palenca.events (account_id) WHERE state = 0 AND is_behind;"
    "DROP INDEX palenca.events_order;"
    "CREATE INDEX events_order ON palenca.events (account_id, id) WHERE state = 0;" PROMOTE;
