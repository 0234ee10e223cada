/* A decision on its way from a worker to the transaction that ends its event. */
#ifndef PALENCA_HOST_STORE_LEDGER_DECISION_H
#define PALENCA_HOST_STORE_LEDGER_DECISION_H

#include "common/host_error.h"
#include "entry.h"

typedef struct event_decision event_decision;

/* Its facts, rows and details are JSON, of which nothing is known here. */
typedef struct {
  ledger_text facts, rows, details;
  ledger_text account_id, user_id;
} event_decision_parts;

/* Copies, compresses and digests the parts. NULL on failure, with the reason in `error`: out of
 * memory, or a part is larger than LEDGER_ROWS_MAX or LEDGER_TEXT_MAX. */
event_decision *event_decision_new(const event_decision_parts *parts, host_error *error);
void event_decision_free(event_decision *decision); /* NULL is allowed */

/* Sets what the decision knows of its entry: facts and digests. It points into the decision, as
 * does its data. */
void event_decision_entry(const event_decision *decision, ledger_entry *entry);
const ledger_data *event_decision_data(const event_decision *decision);

#endif
