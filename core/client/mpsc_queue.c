/* What one thread hands to another without either waiting for the other. */
#include "mpsc_queue.h"

#include <stddef.h>

bool mailbox_put(mailbox *box, letter *one) {
  letter *before = atomic_load_explicit(&box->newest, memory_order_relaxed);
  do {
    one->next = before;
  } while (!atomic_compare_exchange_weak_explicit(&box->newest, &before, one, memory_order_release,
                                                  memory_order_relaxed));
  return before == NULL;
}

letter *mailbox_take(mailbox *box) {
  letter *one = atomic_exchange_explicit(&box->newest, NULL, memory_order_acquire);
  letter *oldest = NULL;
  while (one != NULL) {
    letter *next = one->next;
    one->next = oldest;
    oldest = one;
    one = next;
  }
  return oldest;
}
