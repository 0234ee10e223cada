/* The webhook endpoint: checks a request, has it stored, answers. */
#ifndef PALENCA_HOST_RECEIVER_H
#define PALENCA_HOST_RECEIVER_H

#include "event_store.h"

typedef struct receiver receiver;

typedef struct {
  const char *listen;
  const char *path;
  size_t max_body;
  event_store *store; /* outlives the receiver */
} receiver_options;

/* Starts listening, on a thread of its own. */
receiver *receiver_start(const receiver_options *options, char *error, size_t error_size);
const char *receiver_address(const receiver *r);
/* Has it stop accepting, answer what has arrived (for at most `patience_ms`; a request of which
 * only a part has arrived gets a second), and end. */
void receiver_ask_stop(receiver *r, int64_t patience_ms);
/* True once it has ended, waiting for at most `patience_ms`; it is freed then. */
bool receiver_join(receiver *r, int64_t patience_ms);

#endif
