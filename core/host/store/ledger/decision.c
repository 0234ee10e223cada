/* A decision on its way from a worker to the transaction that ends its event. */
#include "decision.h"

#include <stdlib.h>
#include <string.h>

struct event_decision {
  ledger_text facts;
  ledger_data data;
  unsigned char rows_digest[LEDGER_DIGEST_SIZE], data_digest[LEDGER_DIGEST_SIZE];
  char *rows, *details; /* compressed */
  char texts[];         /* facts and ids */
};

static ledger_text copy(char **to, const ledger_text *text) {
  ledger_text copied = {.data = *to, .size = text->size};
  if (text->size > 0) {
    memcpy(*to, text->data, text->size);
  }
  *to += text->size;
  return copied;
}

static bool fill(event_decision *decision, const event_decision_parts *parts) {
  char *to = decision->texts;
  ledger_data *data = &decision->data;
  decision->facts = copy(&to, &parts->facts);
  data->account_id = copy(&to, &parts->account_id);
  data->user_id = copy(&to, &parts->user_id);
  if (!ledger_pack(parts->rows.data, parts->rows.size, &decision->rows, &data->rows.size) ||
      !ledger_pack(parts->details.data, parts->details.size, &decision->details,
                   &data->details.size)) {
    return false;
  }
  data->rows.data = decision->rows;
  data->details.data = decision->details;
  return ledger_digest(parts->rows.data, parts->rows.size, decision->rows_digest) &&
         ledger_data_digest(data, decision->data_digest);
}

static bool check_size(const char *name, size_t size, size_t max, host_error *error) {
  return size <= max ||
         host_error_set(error, HOST_FAILED, "its %s take %zu bytes as JSON, and may take %zu", name,
                        size, max);
}

event_decision *event_decision_new(const event_decision_parts *parts, host_error *error) {
  if (!check_size("rows", parts->rows.size, LEDGER_ROWS_MAX, error) ||
      !check_size("figures and request ids", parts->details.size, LEDGER_TEXT_MAX, error) ||
      !check_size("rule, request and verdict", parts->facts.size, LEDGER_TEXT_MAX, error) ||
      !check_size("ids", parts->account_id.size + parts->user_id.size, LEDGER_TEXT_MAX, error)) {
    return NULL;
  }
  event_decision *decision = calloc(1, sizeof *decision + parts->facts.size +
                                           parts->account_id.size + parts->user_id.size);
  if (decision == NULL || !fill(decision, parts)) {
    event_decision_free(decision);
    (void)host_error_set(error, HOST_FAILED, "out of memory");
    return NULL;
  }
  return decision;
}

void event_decision_free(event_decision *decision) {
  if (decision != NULL) {
    free(decision->rows);
    free(decision->details);
    free(decision);
  }
}

void event_decision_entry(const event_decision *decision, ledger_entry *entry) {
  entry->kind = LEDGER_DECISION;
  entry->facts = decision->facts;
  memcpy(entry->rows_digest, decision->rows_digest, LEDGER_DIGEST_SIZE);
  memcpy(entry->data_digest, decision->data_digest, LEDGER_DIGEST_SIZE);
}

const ledger_data *event_decision_data(const event_decision *decision) {
  return &decision->data;
}
