/* Copies and decompresses decisions. */
#include "copied_decision.h"

#include <stdlib.h>
#include <string.h>

void copied_decision_clear(copied_decision *decision) {
  free(decision->facts);
  free(decision->rows);
  free(decision->details);
  free(decision->account_id);
  free(decision->user_id);
  *decision = (copied_decision){.facts = NULL};
}

/* Nothing of one that is larger than any that was recorded. */
static char *copy_text(const ledger_text *text) {
  size_t size = text->size <= LEDGER_TEXT_MAX ? text->size : 0;
  char *copy = malloc(size + 1);
  if (copy != NULL) {
    memcpy(copy, text->data, size);
    copy[size] = '\0';
  }
  return copy;
}

/* What cannot be decompressed is left out, as if it were not there: a check says why. */
static bool copy_data(copied_decision *decision, const ledger_data *data, bool with_rows) {
  size_t size;
  decision->account_id = copy_text(&data->account_id);
  decision->user_id = copy_text(&data->user_id);
  if (decision->account_id == NULL || decision->user_id == NULL) {
    return false;
  }
  return !with_rows || (ledger_unpack(data->rows.data, data->rows.size, LEDGER_ROWS_MAX,
                                      &decision->rows, &size) &&
                        ledger_unpack(data->details.data, data->details.size, LEDGER_TEXT_MAX,
                                      &decision->details, &size));
}

bool copied_decision_make(copied_decision *decision, const ledger_row *row, bool with_rows) {
  const ledger_entry *entry = &row->entry;
  decision->facts = copy_text(&entry->facts);
  if (decision->facts == NULL || (row->has_data && !copy_data(decision, &row->data, with_rows))) {
    return false;
  }
  decision_summary *summary = &decision->summary;
  *summary = (decision_summary){.number = entry->number,
                                .event_id = entry->subject,
                                .attempt = entry->attempt,
                                .replay = entry->replay,
                                .recorded_at = entry->recorded_at,
                                .facts = decision->facts,
                                .rows = decision->rows,
                                .details = decision->details,
                                .account_id = decision->account_id,
                                .user_id = decision->user_id,
                                .has_data = row->has_data};
  ledger_hex(entry->rows_digest, summary->rows_digest);
  ledger_hex(entry->hash, summary->hash);
  ledger_hex(entry->previous, summary->previous);
  return true;
}
