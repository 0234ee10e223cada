/* Holds the calls of an engine that wait to be sent: a send queue for each API key's rate limit,
 * with a normal and a low priority. */
#ifndef PALENCA_CLIENT_SEND_QUEUES_H
#define PALENCA_CLIENT_SEND_QUEUES_H

#include "call.h"
#include "rate_limiters.h"

#pragma GCC visibility push(hidden)

enum {
  PRIORITY_NORMAL,
  PRIORITY_LOW,
  PRIORITIES
};

typedef struct {
  call_list calls; /* in order, the lowest round first */
  uint64_t round;  /* the last call's that was sent */
  int64_t blocked_until;
} priority_queue;

struct send_queue {
  rate_limiter *rate_limiter; /* NULL: unlimited */
  size_t calls;               /* that have not ended, wherever they are; the engine counts them */
  priority_queue queues[PRIORITIES];
  send_queue *next;
};

/* The queue of a call, made if need be; NULL: out of memory. */
send_queue *send_queues_find(send_queue **first, palenca_rate_limiters *rate_limiters,
                             const call *one);
/* Frees those without calls, and lets go of what their keys took: keys come and go. */
void send_queues_drop_unused(send_queue **first, palenca_rate_limiters *rate_limiters);
/* Frees the queues with their calls. */
void send_queues_free(send_queue *first, palenca_rate_limiters *rate_limiters);
/* Has a call wait for its turn. Each group has one call in a round, and so has each call without a
 * group: whoever has many waits behind those who have few. */
void send_queue_add(call *one);
/* The call whose turn it is, which stays in the queue; there is one. */
call *send_queue_next(priority_queue *queue);
/* How long a call has waited there, in ms; one that still waits, until now. */
int64_t send_queue_turn_wait(const call *one);
/* Where a call waits. */
call_list *send_queue_of_call(const call *one);

#pragma GCC visibility pop

#endif
