/* Passes nodes from any number of threads to one, without either waiting for the other. */
#ifndef PALENCA_CLIENT_MPSC_QUEUE_H
#define PALENCA_CLIENT_MPSC_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* Inside each thing that is handed over. */
typedef struct queue_node queue_node;
struct queue_node {
  queue_node *next;
};

/* Zero-initialized: empty. Any thread may push, one at a time may take. */
typedef struct {
  _Atomic(queue_node *) newest;
} mpsc_queue;

/* True if the queue was empty: whoever takes has to be woken then, and only then. */
bool mpsc_queue_push(mpsc_queue *queue, queue_node *one);
/* The same for several at once, linked by `next` from the newest to the oldest. */
bool mpsc_queue_push_chain(mpsc_queue *queue, queue_node *newest, queue_node *oldest);

/* All that is in it, the oldest first, linked by `next`; NULL if there is nothing. */
queue_node *mpsc_queue_take_all(mpsc_queue *queue);

#pragma GCC visibility pop

#endif
