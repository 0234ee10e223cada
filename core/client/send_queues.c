/* Holds an engine's send queues, one for each API key's rate limit, each with a normal and a low
 * priority: finds or makes the queue of a call, frees the unused. */
#include "send_queues.h"

#include "clock.h"

#include <stdlib.h>

static send_queue *add(send_queue **first, rate_limiter *of) {
  send_queue *one = calloc(1, sizeof *one);
  if (one == NULL) {
    return NULL;
  }
  one->rate_limiter = of;
  one->next = *first;
  *first = one;
  return one;
}

send_queue *send_queues_find(send_queue **first, palenca_rate_limiters *rate_limiters,
                             const call *one) {
  rate_limiter *limiter = NULL;
  if (one->rate_limit > 0) {
    limiter = rate_limiters_find(rate_limiters, one->rate_limit_digest, (size_t)one->rate_limit);
    if (limiter == NULL) {
      return NULL;
    }
  }
  send_queue *found = *first;
  while (found != NULL && found->rate_limiter != limiter) {
    found = found->next;
  }
  send_queue *made = found == NULL ? add(first, limiter) : NULL;
  if (made == NULL) {
    rate_limiters_drop(rate_limiters, limiter); /* a queue that was there has its own reference */
  }
  return found != NULL ? found : made;
}

void send_queues_drop_unused(send_queue **first, palenca_rate_limiters *rate_limiters) {
  while (*first != NULL) {
    send_queue *one = *first;
    if (one->calls > 0) {
      first = &one->next;
      continue;
    }
    *first = one->next;
    rate_limiters_drop(rate_limiters, one->rate_limiter);
    free(one);
  }
}

void send_queues_free(send_queue *first, palenca_rate_limiters *rate_limiters) {
  while (first != NULL) {
    send_queue *next = first->next;
    call_list_free(&first->queues[PRIORITY_NORMAL].calls);
    call_list_free(&first->queues[PRIORITY_LOW].calls);
    rate_limiters_drop(rate_limiters, first->rate_limiter);
    free(first);
    first = next;
  }
}

call_list *send_queue_of_call(const call *one) {
  return &one->send_queue->queues[one->low_priority ? PRIORITY_LOW : PRIORITY_NORMAL].calls;
}

static const call *last_of_group(const call_list *list, uint64_t group) {
  const call *one = group != 0 ? list->last : NULL;
  while (one != NULL && one->group != group) {
    one = one->previous;
  }
  return one;
}

void send_queue_add(call *one) {
  const priority_queue *queue =
      &one->send_queue->queues[one->low_priority ? PRIORITY_LOW : PRIORITY_NORMAL];
  call_list *list = send_queue_of_call(one);
  const call *before = last_of_group(list, one->group);
  call *after = list->last;
  one->round = before != NULL ? before->round + 1 : queue->round;
  one->queued_at = clock_steady_ms();
  while (after != NULL && after->round > one->round) {
    after = after->previous;
  }
  call_list_insert(list, one, after);
}

int64_t send_queue_turn_wait(const call *one) {
  bool is_waiting = one->list == send_queue_of_call(one);
  return one->turn_wait + (is_waiting ? clock_steady_ms() - one->queued_at : 0);
}

call *send_queue_next(priority_queue *queue) {
  call *first = queue->calls.first;
  if (first->round > queue->round) {
    queue->round = first->round;
  }
  return first;
}
