/* The calls of an engine that wait for their turn. */
#include "send_queues.h"

#include <stdlib.h>

static lane *add(lane **first, pacer *of) {
  lane *one = calloc(1, sizeof *one);
  if (one == NULL)
    return NULL;
  one->pacer = of;
  one->next = *first;
  *first = one;
  return one;
}

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
  lane *made = found == NULL ? add(first, wanted) : NULL;
  if (made == NULL)
    pacers_drop(pacers, wanted); /* a lane that was there has its own reference */
  return found != NULL ? found : made;
}

void lanes_drop_unused(lane **first, palenca_pacers *pacers) {
  while (*first != NULL) {
    lane *one = *first;
    if (one->calls > 0) {
      first = &one->next;
      continue;
    }
    *first = one->next;
    pacers_drop(pacers, one->pacer);
    free(one);
  }
}

void lanes_free(lane *first, palenca_pacers *pacers) {
  while (first != NULL) {
    lane *next = first->next;
    call_list_free(&first->queues[FRESH].calls);
    call_list_free(&first->queues[BULK].calls);
    pacers_drop(pacers, first->pacer);
    free(first);
    first = next;
  }
}

call_list *lane_queue(const call *one) {
  return &one->lane->queues[one->bulk ? BULK : FRESH].calls;
}
