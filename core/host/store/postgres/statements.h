/* What the event store does in its transactions at PostgreSQL, as prepared statements. */
#ifndef PALENCA_HOST_STORE_POSTGRES_STATEMENTS_H
#define PALENCA_HOST_STORE_POSTGRES_STATEMENTS_H

#include "libpq.h"

#include <stdbool.h>

typedef enum {
  STATEMENT_BEGIN,
  STATEMENT_COMMIT,
  STATEMENT_ROLLBACK,
  /* puts and finishes */
  STATEMENT_BEGIN_BATCH,
  STATEMENT_PUT,
  STATEMENT_PUT_ALL, /* without a dedup window */
  STATEMENT_FIND,
  STATEMENT_FINISH,
  STATEMENT_NOTICE,
  STATEMENT_DEATHS,
  STATEMENT_TIMER_END,
  STATEMENT_DECIDE,
  STATEMENT_RECORD,
  /* leases */
  STATEMENT_BEGIN_LEASE,
  STATEMENT_TIMER_STORE,
  STATEMENT_TIMER_LEASE,
  STATEMENT_LOCK_LIMITS,
  STATEMENT_LEASE,
  STATEMENT_LOOK,
  STATEMENT_NOTIFY,
  /* now and then */
  STATEMENT_KEEP,
  STATEMENT_BURY,
  STATEMENT_FREE_EVENTS,
  STATEMENT_FREE_TIMERS,
  STATEMENT_DROP_HOSTS,
  STATEMENT_PROMOTE,
  STATEMENT_COUNT,
  STATEMENT_EXPIRE,
  STATEMENT_EXPIRE_MARKS,
  STATEMENT_EXPIRE_RESPONSES,
  STATEMENT_ALERT,
  STATEMENT_EXPIRE_DECISIONS,
  STATEMENT_TAKE_TURNS,
  STATEMENT_PROBE, /* to be rolled back */
  STATEMENT_LEAVE, /* at the end */
  STATEMENTS,
  STATEMENT_SYNC = STATEMENTS, /* none: the end of a transaction on the wire */
} statement_id;

/* A part of what deletes events, which are `old` in it: when the last login of them was received.
 */
#define STATEMENTS_REMEMBER_PURGED                                                                 \
  ", purged AS (UPDATE palenca.purged AS p SET received_at = l.last FROM"                          \
  " (SELECT max(received_at) AS last FROM old WHERE action = 'login.success') AS l"                \
  " WHERE l.last > p.received_at)"

const char *statement_name(statement_id id);

/* Prepares all of them. Blocks. */
bool statements_prepare(const libpq *pq, PGconn *connection);

#endif
