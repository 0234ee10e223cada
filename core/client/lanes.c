/* The calls of an engine that wait for their turn. */
#include "lanes.h"

#include <stdlib.h>

lane *lanes_find(lane **first, palenca_pacers *pacers, const call *one) {
  pacer *wanted = NULL;
  if (one->rate_limit > 0) {
    wanted = pacers_find(pacers, one->pace_digest, (size_t)one->rate_limit);
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
