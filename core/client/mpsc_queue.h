/* What one thread hands to another without either waiting for the other. */
#ifndef PALENCA_CLIENT_MPSC_QUEUE_H
#define PALENCA_CLIENT_MPSC_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* Inside each thing that is handed over. */
typedef struct letter letter;
struct letter {
  letter *next;
};

/* Zero-initialised: empty. Any thread may put, one at a time may take. */
typedef struct {
  _Atomic(letter *) newest;
} mailbox;

/* True if the mailbox was empty: whoever takes has to be woken then, and only then. */
bool mailbox_put(mailbox *box, letter *one);

/* All that is in it, the oldest first, linked by `next`; NULL if there is nothing. */
letter *mailbox_take(mailbox *box);

#pragma GCC visibility pop

#endif
