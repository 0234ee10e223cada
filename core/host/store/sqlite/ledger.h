/* The ledger of decisions in the database: appending to its chain, reading its entries, and
 * removing what has to go. All of these return false on failure, the reason being the connection's
 * last error; what writes does so in the caller's transaction. */
#ifndef PALENCA_HOST_STORE_SQLITE_LEDGER_H
#define PALENCA_HOST_STORE_SQLITE_LEDGER_H

#include "store/ledger/decision.h"
#include "store/ledger/row.h"

#include <sqlite3.h>

/* Since this version of the schema. */
#define LEDGER_SCHEMA_VERSION 5

bool event_ledger_state(sqlite3 *db, ledger_state *state);

/* Adds an entry: `number`, `previous` and `hash` are filled in. `data` is NULL of entries that are
 * no decisions. Whatever somebody has done to the ledger by hand, entries can be added to it. */
bool event_ledger_append(sqlite3 *db, ledger_entry *entry, const ledger_data *data);

/* Removes the data of a decision, and records that it was. `was_there`: whether there was any. */
bool event_ledger_remove_data(sqlite3 *db, int64_t number, int64_t now, bool *was_there);

/* Deletes up to `max` of the first entries, as far as their decisions were recorded before a time,
 * and records that they were. */
bool event_ledger_delete_old(sqlite3 *db, int64_t before, int64_t max, int64_t now,
                             int64_t *deleted);

/* ---- Reading ---- */

/* The columns of decisions that event_ledger_read reads, and those of its data; the last two may be
 * NULLs instead, of which there is no reading then. */
#define LEDGER_COLUMNS_WITH(rows_and_details)                                                      \
  "decisions.number, kind, subject, attempt, replay, recorded_at, facts, rows_digest, "            \
  "data_digest,"                                                                                   \
  " previous, hash, decision_data.number, account_id, user_id, " rows_and_details
#define LEDGER_COLUMNS LEDGER_COLUMNS_WITH("rows, details")
#define LEDGER_TABLES "decisions LEFT JOIN decision_data ON decision_data.number = decisions.number"

/* The row of a query of LEDGER_COLUMNS; valid until its next step. */
void event_ledger_read(sqlite3_stmt *query, ledger_row *row);

#endif
