/* A decision, copied and decompressed before it is shown: whoever looks at it must not hold a
 * snapshot. */
#ifndef PALENCA_HOST_STORE_ADMIN_COPIED_DECISION_H
#define PALENCA_HOST_STORE_ADMIN_COPIED_DECISION_H

#include "decisions.h"
#include "store/ledger/row.h"

/* To be zero-initialized. */
typedef struct {
  decision_summary summary;
  char *facts, *rows, *details, *account_id, *user_id;
} copied_decision;

/* Copies a row, with rows and details if these were read. False: out of memory; the copy is to be
 * cleared also then. */
bool copied_decision_make(copied_decision *decision, const ledger_row *row, bool with_rows);
void copied_decision_clear(copied_decision *decision);

#endif
