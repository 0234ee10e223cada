/* What other threads ask of the event store: puts, which wait for its thread, and counts. */
#include "event_store_shared.h"

#include <stdlib.h>
#include <string.h>

static put_request *copy_put(const event_record *record, event_put_done done, void *context) {
  size_t action_size = strlen(record->action) + 1;
  size_t account_size = record->account_id != NULL ? strlen(record->account_id) + 1 : 0;
  if (record->body_size > SIZE_MAX / 2) {
    return NULL;
  }
  put_request *put = malloc(sizeof *put + action_size + account_size + record->body_size);
  if (put == NULL) {
    return NULL;
  }
  *put = (put_request){.record = *record, .done = done, .context = context};
  char *account = put->data + action_size, *body = account + account_size;
  put->record.action = memcpy(put->data, record->action, action_size);
  if (account_size > 0) {
    put->record.account_id = memcpy(account, record->account_id, account_size);
  }
  if (record->body_size > 0) {
    put->record.body = memcpy(body, record->body, record->body_size);
  }
  return put;
}

void event_store_put(event_store *store, const event_record *record, event_put_done done,
                     void *context) {
  put_request *put = copy_put(record, done, context);
  if (put == NULL) {
    const event_receipt receipt = {.reason = "out of memory"};
    done(context, &receipt);
    return;
  }
  if (store->redelivery != NULL) {
    put->fingerprint =
        event_redelivery_fingerprint(store->redelivery, put->record.body, record->body_size);
  }
  (void)pthread_mutex_lock(&store->mutex);
  *store->puts.end = put;
  store->puts.end = &put->next;
  store->queued++;
  (void)pthread_mutex_unlock(&store->mutex);
}

void event_store_counts(event_store *store, event_counts *counts) {
  (void)pthread_mutex_lock(&store->mutex);
  *counts = store->counts;
  counts->unfinished += store->queued;
  (void)pthread_mutex_unlock(&store->mutex);
}
