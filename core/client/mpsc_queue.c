/* Passes nodes from any number of threads to one, without either waiting for the other. */
#include "mpsc_queue.h"

#include <stddef.h>

bool mpsc_queue_push_chain(mpsc_queue *queue, queue_node *newest, queue_node *oldest) {
  queue_node *before = atomic_load_explicit(&queue->newest, memory_order_relaxed);
  do {
    oldest->next = before;
  } while (!atomic_compare_exchange_weak_explicit(&queue->newest, &before, newest,
                                                  memory_order_release, memory_order_relaxed));
  return before == NULL;
}

bool mpsc_queue_push(mpsc_queue *queue, queue_node *one) {
  return mpsc_queue_push_chain(queue, one, one);
}

queue_node *mpsc_queue_take_all(mpsc_queue *queue) {
  queue_node *one = atomic_exchange_explicit(&queue->newest, NULL, memory_order_acquire);
  queue_node *oldest = NULL;
  while (one != NULL) {
    queue_node *next = one->next;
    one->next = oldest;
    oldest = one;
    one = next;
  }
  return oldest;
}
