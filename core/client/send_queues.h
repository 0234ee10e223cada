/* The calls of an engine that wait for their turn: a lane for each key, in it those that are bulk
 * and those that are not. */
#ifndef PALENCA_CLIENT_SEND_QUEUES_H
#define PALENCA_CLIENT_SEND_QUEUES_H

#include "call.h"
#include "rate_limiters.h"

#pragma GCC visibility push(hidden)

enum {
  FRESH,
  BULK,
  PRIORITIES
};

typedef struct {
  call_list calls; /* in order */
  int64_t blocked_until;
} turn_queue;

struct lane {
  pacer *pacer; /* NULL: unlimited */
  size_t calls; /* that have not ended, wherever they are; the engine counts them */
  turn_queue queues[PRIORITIES];
  lane *next;
};

/* The lane of a call, made if need be; NULL: out of memory. */
lane *lanes_find(lane **first, palenca_pacers *pacers, const call *one);
/* Frees those without calls, and lets go of what their keys took: keys come and go. */
void lanes_drop_unused(lane **first, palenca_pacers *pacers);
/* Frees the lanes with their calls. */
void lanes_free(lane *first, palenca_pacers *pacers);
/* Where a call waits. */
call_list *lane_queue(const call *one);

#pragma GCC visibility pop

#endif
