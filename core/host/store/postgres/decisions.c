/* Sends the decisions of ended events to PostgreSQL, which adds them to the ledger. */
#include "internal.h"

static bool has_decision(const event_finish *finish) {
  return finish->id > 0 && finish->kind == EVENT_OUTCOME_DONE && finish->decision != NULL;
}

typedef int64_t integer_of(const event_finish *finish);
typedef ledger_text bytes_of(const ledger_entry *entry, const ledger_data *data);

static void add_integers(postgres_backend *self, integer_of *of) {
  values_begin_array(&self->values, VALUES_INTEGER);
  for (const event_finish *f = self->batch->finishes; f != NULL; f = f->next) {
    if (has_decision(f)) {
      values_add_integer_element(&self->values, of(f));
    }
  }
}

static void add_bytes(postgres_backend *self, bytes_of *of) {
  values_begin_array(&self->values, VALUES_BYTES);
  for (const event_finish *f = self->batch->finishes; f != NULL; f = f->next) {
    if (has_decision(f)) {
      ledger_entry entry;
      event_decision_entry(f->decision, &entry);
      ledger_text bytes = of(&entry, event_decision_data(f->decision));
      values_add_element(&self->values, bytes.size > 0 ? bytes.data : "", bytes.size);
    }
  }
}

static int64_t id_of(const event_finish *finish) {
  return finish->id;
}

static int64_t attempt_of(const event_finish *finish) {
  return finish->attempt;
}

static int64_t replay_of(const event_finish *finish) {
  return finish->replay;
}

static ledger_text facts_of(const ledger_entry *entry, const ledger_data *data) {
  (void)data;
  return entry->facts;
}

static ledger_text digest(const unsigned char bytes[LEDGER_DIGEST_SIZE]) {
  return (ledger_text){.data = (const char *)bytes, .size = LEDGER_DIGEST_SIZE};
}

static ledger_text rows_digest_of(const ledger_entry *entry, const ledger_data *data) {
  (void)data;
  return digest(entry->rows_digest);
}

static ledger_text data_digest_of(const ledger_entry *entry, const ledger_data *data) {
  (void)data;
  return digest(entry->data_digest);
}

static ledger_text account_of(const ledger_entry *entry, const ledger_data *data) {
  (void)entry;
  return data->account_id;
}

static ledger_text user_of(const ledger_entry *entry, const ledger_data *data) {
  (void)entry;
  return data->user_id;
}

static ledger_text rows_of(const ledger_entry *entry, const ledger_data *data) {
  (void)entry;
  return data->rows;
}

static ledger_text details_of(const ledger_entry *entry, const ledger_data *data) {
  (void)entry;
  return data->details;
}

void postgres_send_decisions(postgres_backend *self) {
  const event_finish *first = self->batch->finishes;
  while (first != NULL && !has_decision(first)) {
    first = first->next;
  }
  if (first == NULL) {
    return;
  }
  static integer_of *const integers[] = {id_of, attempt_of, replay_of};
  static bytes_of *const bytes[] = {facts_of, rows_digest_of, data_digest_of, account_of,
                                    user_of,  rows_of,        details_of};
  for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
    add_integers(self, integers[i]);
  }
  for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
    add_bytes(self, bytes[i]);
  }
  link_send(&self->link, STATEMENT_DECIDE, &self->values);
}
