/* The calls of an engine that wait for their turn. */
#include "lanes.h"

#include <stdlib.h>

lane *lanes_find(lane **first, palenca_pacers *pacers, const palenca_request *request) {
  pacer *wanted = NULL;
  if (request->rate_limit > 0 && request->pace_key != NULL) {
    wanted =
        pacers_find(pacers, request->pace_key, request->pace_key_size, (size_t)request->rate_limit);
    if (wanted == NULL)
      return NULL;
  }
  lane *found = *first;
  while (found != NULL && found->pacer != wanted)
    found = found->next;
  if (found == NULL && (found = calloc(1, sizeof *found)) != NULL) {
    found->pacer = wanted;
    found->next = *first;
    *first = found;
  }
  return found;
}

void lanes_free(lane *first) {
  while (first != NULL) {
    lane *next = first->next;
    call_list_free(&first->queues[FRESH].calls);
    call_list_free(&first->queues[BULK].calls);
    free(first);
    first = next;
  }
}

call_list *lane_queue(const call *one) {
  return &one->lane->queues[one->bulk ? BULK : FRESH].calls;
}
