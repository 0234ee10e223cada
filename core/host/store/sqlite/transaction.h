/* What the event store does in its transactions, as statements of one SQLite connection.
 *
 * Used by one thread at a time. A function that returns false has left the transaction to be
 * rolled back, and event_sql_reason says why. */
#ifndef PALENCA_HOST_STORE_SQLITE_TRANSACTION_H
#define PALENCA_HOST_STORE_SQLITE_TRANSACTION_H

#include "common/host_error.h"
#include "store/backend/backend.h"
#include "timers.h"

typedef struct event_sql event_sql;

/* Opens the database and makes received again what was running when it was last closed, with its
 * attempt counted if it had started. */
event_sql *event_sql_open(const char *path, host_error *error);
void event_sql_close(event_sql *sql);
const char *event_sql_reason(const event_sql *sql);

/* Of what kind the last failure was. */
event_failure event_sql_failure(const event_sql *sql);
/* Whether a file is not where it was when it was opened. */
bool event_sql_is_removed(const event_sql *sql);
/* Writes what changes nothing, to see whether that fails. Between transactions. */
bool event_sql_probe(event_sql *sql);

/* For what is done between the transactions. */
struct sqlite3 *event_sql_connection(event_sql *sql);

/* The absolute path of the database. */
const char *event_sql_path(const event_sql *sql);

/* `is_locked`: false was returned since another process writes just now. */
bool event_sql_begin(event_sql *sql, bool *is_locked);
bool event_sql_commit(event_sql *sql);
/* Nothing to roll back is not an error. Keeps the reason. */
void event_sql_rollback(event_sql *sql);

/* `id` is 0 if this record alone cannot be stored; the transaction continues then. */
bool event_sql_put(event_sql *sql, const event_record *record, int64_t *id);

/* Dead letters are counted in an alert, which is due so many milliseconds after the first of them;
 * 0: there are no alerts. */
void event_sql_set_alert_window(event_sql *sql, int64_t window);

/* The events that the last transaction has stored by itself: notices and alerts. */
int64_t event_sql_added(const event_sql *sql);

/* The event that was queued in place of this one, which has come late; 0: there is none. */
bool event_sql_find_reconciled(event_sql *sql, const event_record *record, int64_t *id);

/* Whether an event of this id is stored and has the record's body, to the last byte. */
bool event_sql_has_body(event_sql *sql, int64_t id, const event_record *record, bool *has_it);

bool event_sql_finish(event_sql *sql, const event_finish *finish, int64_t now);

/* Leases up to `limit` events and puts them before `grants`, the first to run first. They belong
 * to the caller even when this fails. `retries_first`: to be alternated, so that neither new
 * events nor those waiting for a retry can shut out the others. The order has to be known. */
bool event_sql_lease(event_sql *sql, int64_t now, size_t limit, bool retries_first,
                     event_grant **grants);
/* Whether an event may be leased now, beside retries that are due. The order has to be known. */
bool event_sql_is_any_ready(const event_sql *sql);

/* ---- The order of events, which is read from the tables in slices ---- */

bool event_sql_knows_order(const event_sql *sql);
/* Between transactions: continues reading for about this many milliseconds; until all is read,
 * events can be put and finished, but not leased. False as above. */
bool event_sql_learn_order(event_sql *sql, int64_t milliseconds);

/* The limits that leases keep to; to be changed between transactions. */
concurrency_limits *event_sql_limits(event_sql *sql);
/* After a change of them. */
void event_sql_drop_unused_limits(event_sql *sql);
/* As for the limits. */
event_timers *event_sql_timers(event_sql *sql);

/* Another process has changed events: the order must be read again. */
void event_sql_forget_order(event_sql *sql);

/* The Unix clock was set, back, by so much (below 0). Between transactions: moves the timers with
 * it, and has the retries moved by the function below. May be called again before that is done.
 * False as above. */
bool event_sql_begin_shift(event_sql *sql, int64_t milliseconds);
bool event_sql_is_shifting(const event_sql *sql);
/* Between transactions: moves the first remaining retries, for about this many milliseconds. The
 * order must not be read before all are moved. False as above, with nothing to roll back;
 * `is_locked` as for event_sql_begin. */
bool event_sql_shift_waits(event_sql *sql, int64_t milliseconds, bool *is_locked);
/* Those that are left stay as they are. */
void event_sql_abandon_shift(event_sql *sql);

/* Whether a finish may let another event run. */
bool event_sql_has_waiting(const event_sql *sql);

/* When the first of the retries and timers is due; INT64_MAX if none waits. */
bool event_sql_next_due(event_sql *sql, int64_t now, int64_t *due);

/* The received, running and waiting events, as they were when the order was known, and was read. */
int64_t event_sql_count_learned(const event_sql *sql);
/* The same in one query, which takes the longer the more they are. */
bool event_sql_count_unfinished(event_sql *sql, int64_t *count);

/* Those of them that wait for a retry, while the order is known. */
int64_t event_sql_count_retries(const event_sql *sql);
/* The dead ones, in one query. */
bool event_sql_count_dead(event_sql *sql, int64_t *count);
/* When the oldest unfinished event was received; 0: there is none. Of many that wait for a retry
 * only those that are due first are looked at. */
bool event_sql_oldest(event_sql *sql, int64_t *received_at);

/* Lets those who work beside this know the window. */
bool event_sql_store_window(event_sql *sql, int64_t window);

/* Changes whenever another connection has written. */
bool event_sql_data_version(event_sql *sql, int64_t *version);

/* The events received after `since`, of the last `limit` that were stored, in the order in which
 * they were; of the records only `received_at` and the body are set. */
bool event_sql_recent(event_sql *sql, int64_t since, int64_t limit,
                      void (*each)(void *context, int64_t id, const event_record *record),
                      void *context);

#endif
