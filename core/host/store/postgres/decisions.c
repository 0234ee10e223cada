/* Sends the decisions of ended events to PostgreSQL, which adds them to the ledger. */
#include "internal.h"

/* Bytes of decisions from which on the rest is in another statement: PostgreSQL takes a gigabyte in
 * one, and memory for all of it. */
#define PART_SIZE ((size_t)1 << 22)

/* Some of the batch's finishes, from one that has a decision. */
typedef struct {
  const event_finish *first, *end;
} part;

static bool has_decision(const event_finish *finish) {
  return finish->id > 0 && finish->kind == EVENT_OUTCOME_DONE && finish->decision != NULL;
}

typedef int64_t integer_of(const event_finish *finish);
typedef ledger_text bytes_of(const ledger_entry *entry, const ledger_data *data);

static void add_integers(postgres_backend *self, part of, integer_of *integer) {
  values_begin_array(&self->values, VALUES_INTEGER);
  for (const event_finish *f = of.first; f != of.end; f = f->next) {
    if (has_decision(f)) {
      values_add_integer_element(&self->values, integer(f));
    }
  }
}

static void add_bytes(postgres_backend *self, part of, bytes_of *text) {
  values_begin_array(&self->values, VALUES_BYTES);
  for (const event_finish *f = of.first; f != of.end; f = f->next) {
    if (has_decision(f)) {
      ledger_entry entry;
      event_decision_entry(f->decision, &entry);
      ledger_text bytes = text(&entry, event_decision_data(f->decision));
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

static void send_part(postgres_backend *self, part of) {
  static integer_of *const integers[] = {id_of, attempt_of, replay_of};
  static bytes_of *const bytes[] = {facts_of, rows_digest_of, data_digest_of, account_of,
                                    user_of,  rows_of,        details_of};
  for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
    add_integers(self, of, integers[i]);
  }
  for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
    add_bytes(self, of, bytes[i]);
  }
  link_send(&self->link, STATEMENT_DECIDE, &self->values);
}

static size_t size_of(const event_finish *finish) {
  ledger_entry entry;
  event_decision_entry(finish->decision, &entry);
  const ledger_data *data = event_decision_data(finish->decision);
  return entry.facts.size + data->rows.size + data->details.size;
}

static part next_part(const event_finish *from) {
  size_t size = 0;
  part next = {.first = from};
  while (next.first != NULL && !has_decision(next.first)) {
    next.first = next.first->next;
  }
  for (next.end = next.first; next.end != NULL && size < PART_SIZE; next.end = next.end->next) {
    size += has_decision(next.end) ? size_of(next.end) : 0;
  }
  return next;
}

void postgres_send_decisions(postgres_backend *self) {
  part next = next_part(self->batch->finishes);
  while (next.first != NULL) {
    send_part(self, next);
    next = next_part(next.end);
  }
}
