/* Stores what was put and what has been finished, in one transaction at PostgreSQL. */
#include "internal.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static size_t count_puts(const event_batch *batch) {
  size_t count = 0;
  for (const put_request *put = batch->puts; put != NULL; put = put->next) {
    count++;
  }
  return count;
}

void postgres_forget_writes(postgres_backend *self) {
  free(self->write.entries);
  free(self->write.sent);
  free(self->write.matched);
  free(self->write.stored);
  self->write = (write_state){.is_sent = false};
}

/* ---- Puts ---- */

static int compare_hashes(const void *a, const void *b) {
  const put_entry *left = *(put_entry *const *)a, *right = *(put_entry *const *)b;
  int order = memcmp(left->hash, right->hash, HASH_SIZE);
  return order != 0 ? order : left < right ? -1 : left > right;
}

/* Of those with the same body the first one is found beside the others once they are sorted. */
static bool find_first_ones(write_state *write) {
  put_entry **sorted = malloc(write->count * sizeof *sorted);
  if (sorted == NULL) {
    return false;
  }
  for (size_t i = 0; i < write->count; i++) {
    sorted[i] = &write->entries[i];
  }
  qsort(sorted, write->count, sizeof *sorted, compare_hashes);
  for (size_t i = 1; i < write->count; i++) {
    if (memcmp(sorted[i]->hash, sorted[i - 1]->hash, HASH_SIZE) == 0) {
      sorted[i]->first = sorted[i - 1]->first;
    }
  }
  free(sorted);
  return true;
}

static bool collect_puts(postgres_backend *self) {
  write_state *write = &self->write;
  bool has_window = self->options.dedup_window > 0;
  size_t count = count_puts(self->batch);
  write->entries = calloc(count + 1, sizeof *write->entries);
  write->sent = calloc(count + 1, sizeof(put_entry *));
  if (write->entries == NULL || write->sent == NULL) {
    return false;
  }
  for (put_request *put = self->batch->puts; put != NULL; put = put->next) {
    put_entry *entry = &write->entries[write->count++];
    put->receipt = (event_receipt){.id = 0};
    *entry = (put_entry){.put = put, .first = entry};
    if (has_window && EVP_Digest(put->record.body, put->record.body_size, entry->hash, NULL,
                                 EVP_sha256(), NULL) != 1) {
      return false;
    }
  }
  if (has_window && count > 1 && !find_first_ones(write)) {
    return false;
  }
  for (size_t i = 0; i < count; i++) {
    if (write->entries[i].first == &write->entries[i]) {
      write->sent[write->sent_count++] = &write->entries[i];
    }
  }
  return true;
}

static void add_hashes(postgres_backend *self) {
  values_begin_array(&self->values, VALUES_BYTES);
  for (size_t i = 0; i < self->write.sent_count; i++) {
    const void *hash = self->options.dedup_window > 0 ? self->write.sent[i]->hash : NULL;
    values_add_element(&self->values, hash, hash != NULL ? HASH_SIZE : 0);
  }
}

static void add_texts(postgres_backend *self, const char *(*text_of)(const event_record *record)) {
  values_begin_array(&self->values, VALUES_TEXT);
  for (size_t i = 0; i < self->write.sent_count; i++) {
    values_add_text_element(&self->values, text_of(&self->write.sent[i]->put->record));
  }
}

static const char *action_of(const event_record *record) {
  return record->action;
}

static const char *account_of(const event_record *record) {
  return record->account_id;
}

static const char *traceparent_of(const event_record *record) {
  return record->trace.traceparent;
}

static const char *request_id_of(const event_record *record) {
  return record->trace.request_id;
}

static void add_bodies(postgres_backend *self) {
  values_begin_array(&self->values, VALUES_BYTES);
  for (size_t i = 0; i < self->write.sent_count; i++) {
    const event_record *record = &self->write.sent[i]->put->record;
    values_add_element(&self->values, record->body_size > 0 ? record->body : "", record->body_size);
  }
}

static void send_find(postgres_backend *self, int64_t host) {
  add_hashes(self);
  values_add_integer(&self->values, host);
  link_send(&self->link, STATEMENT_FIND, &self->values);
}

static void send_puts(postgres_backend *self) {
  values *to = &self->values;
  bool has_window = self->options.dedup_window > 0;
  values_add_integer(to, self->host);
  add_hashes(self);
  add_texts(self, action_of);
  add_texts(self, account_of);
  add_bodies(self);
  values_begin_array(to, VALUES_INTEGER);
  for (size_t i = 0; i < self->write.sent_count; i++) {
    values_add_integer_element(to, self->write.sent[i]->put->record.received_at);
  }
  add_texts(self, traceparent_of);
  add_texts(self, request_id_of);
  values_add_integer(to, self->options.dedup_window);
  link_send(&self->link, has_window ? STATEMENT_PUT : STATEMENT_PUT_ALL, to);
  if (has_window) {
    send_find(self, self->host);
  }
}

void postgres_add_accounts(postgres_backend *self) {
  add_texts(self, account_of);
}

/* ---- The transaction ---- */

/* Those of leases that were too many stand behind the batch's until it has ended. */
static void join_surplus(postgres_backend *self) {
  event_finish **end = &self->batch->finishes;
  while (*end != NULL) {
    end = &(*end)->next;
  }
  *end = self->surplus;
  self->write.joint = end;
}

static void part_surplus(postgres_backend *self) {
  if (self->write.joint != NULL) {
    *self->write.joint = NULL;
  }
  self->write.joint = NULL;
}

static bool prepare_write(postgres_backend *self) {
  postgres_forget_writes(self);
  join_surplus(self);
  self->write.matched = calloc(postgres_count_finishes(self) + 1, sizeof(int64_t));
  return self->write.matched != NULL && collect_puts(self);
}

bool postgres_send_writes(postgres_backend *self) {
  if (!prepare_write(self)) {
    part_surplus(self);
    return false;
  }
  if (self->write.sent_count == 0 && self->batch->finishes == NULL) {
    return true;
  }
  self->write.is_sent = true;
  link_send(&self->link, STATEMENT_BEGIN, NULL);
  values_add_integer(&self->values, self->host);
  values_add_integer(&self->values, self->epoch);
  values_add_integer(&self->values, ++self->number);
  values_add_integer(&self->values, self->request.lease_ms);
  link_send(&self->link, STATEMENT_BEGIN_BATCH, &self->values);
  if (self->write.sent_count > 0) {
    send_puts(self);
  }
  postgres_send_finishes(self);
  postgres_send_recordings(self);
  postgres_send_decisions(self);
  link_send(&self->link, STATEMENT_COMMIT, NULL);
  link_sync(&self->link);
  return true;
}

/* ---- Its result ---- */

static bool was_stored(const write_state *write, int64_t id) {
  size_t i = 0;
  while (i < write->stored_count && write->stored[i] != id) {
    i++;
  }
  return i < write->stored_count;
}

/* Rows of a place among those that were sent, from 1, and an id; of those that may be new, also
 * whether they are not. */
static void take_ids(postgres_backend *self, const PGresult *rows, bool are_new) {
  const libpq *pq = self->pq;
  for (int i = 0; i < pq->ntuples(rows); i++) {
    int64_t place = values_integer(pq, rows, i, 0);
    if (place < 1 || (size_t)place > self->write.sent_count) {
      continue;
    }
    event_receipt *receipt = &self->write.sent[place - 1]->put->receipt;
    if (receipt->id == 0) {
      int64_t id = values_integer(pq, rows, i, 1);
      bool is_new = are_new ? values_integer(pq, rows, i, 2) == 0 : was_stored(&self->write, id);
      *receipt = (event_receipt){.id = id, .is_duplicate = !is_new};
    }
  }
}

void postgres_take_write(postgres_backend *self, statement_id id, const PGresult *result) {
  if (id == STATEMENT_SYNC) {
    self->write.is_ended = true;
    return;
  }
  if (!postgres_is_ok(self, result)) {
    postgres_note_failure(self, &self->write.failure, result);
    return;
  }
  switch (id) {
  case STATEMENT_PUT:
  case STATEMENT_PUT_ALL:
    take_ids(self, result, true);
    break;
  case STATEMENT_FIND:
    take_ids(self, result, false);
    break;
  case STATEMENT_FINISH:
    postgres_take_finished(self, result);
    break;
  case STATEMENT_NOTICE:
    self->write.notices = strtoll(self->pq->cmdTuples((PGresult *)(uintptr_t)result), NULL, 10);
    break;
  case STATEMENT_COMMIT:
    self->write.is_committed = !self->link.has_short_commit;
    break;
  default:
    break;
  }
}

/* ---- After its commit ---- */

/* Of those with the same body all are what the first one is, which was stored before them. */
void postgres_end_puts(postgres_backend *self) {
  write_state *write = &self->write;
  for (size_t i = 0; i < write->count; i++) {
    put_entry *entry = &write->entries[i];
    if (entry->first != entry) {
      entry->put->receipt =
          (event_receipt){.id = entry->first->put->receipt.id, .is_duplicate = true};
    }
  }
  write->count = 0;
}

void postgres_end_writes(postgres_backend *self) {
  postgres_end_puts(self);
  postgres_end_finishes(self);
  self->batch->added = self->write.notices;
  part_surplus(self);
  while (self->surplus != NULL) {
    event_finish *finish = self->surplus;
    self->surplus = finish->next;
    event_finish_free(finish);
  }
}

void postgres_abandon_writes(postgres_backend *self) {
  part_surplus(self);
  postgres_forget_writes(self);
}

/* ---- Of a connection that was lost ---- */

void postgres_resolve_puts(postgres_backend *self, int64_t *ids, size_t count) {
  write_state *write = &self->write;
  self->batch->added = 0;
  free(write->stored);
  write->stored = ids;
  write->stored_count = count;
  for (size_t i = 0; count == write->sent_count && i < count; i++) {
    write->sent[i]->put->receipt = (event_receipt){.id = ids[i]};
  }
  write->matched_count = 0;
  for (const event_finish *f = self->batch->finishes; f != NULL; f = f->next) {
    if (f->id > 0) {
      write->matched[write->matched_count++] = f->id;
    }
  }
}

void postgres_send_resolution(postgres_backend *self) {
  if (self->write.stored_count < self->write.sent_count) {
    send_find(self, 0); /* all of them */
  }
  link_sync(&self->link);
}
