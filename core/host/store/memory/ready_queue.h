/* Which of the stored events may run next: the order within each account, in memory.
 *
 * The database knows what is unfinished; this has their order, so that neither a put nor a lease
 * needs an index with practically random keys. It is made anew from the database at each start.
 * Used by one thread at a time. */
#ifndef PALENCA_HOST_STORE_MEMORY_READY_QUEUE_H
#define PALENCA_HOST_STORE_MEMORY_READY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_ORDER_LISTS 64 /* of parked events, from 0 */

typedef struct ready_queue ready_queue;

/* NULL: out of memory. */
ready_queue *ready_queue_new(void);
/* NULL is allowed. */
void ready_queue_free(ready_queue *order);
/* Forgets all events. */
void ready_queue_clear(ready_queue *order);

/* What stands for an account here; 0 for NULL: its events wait for no other. Should two accounts
 * have the same key, they are ordered as if they were one. */
uint64_t ready_queue_key(const ready_queue *order, const char *account_id);

/* An event that has arrived after all others of its account. False without memory: the order is
 * incomplete then, and to be made anew. */
bool ready_queue_add(ready_queue *order, uint64_t account, int64_t id);

/* An event of the account is running or waits for its retry: others wait until it has ended. */
bool ready_queue_add_busy(ready_queue *order, uint64_t account);

/* The event that may run for the longest time, whose account is busy from now on; 0: there is
 * none. */
int64_t ready_queue_take(ready_queue *order, uint64_t *account);

/* A taken event that has not run to its end is the next to be taken. False as for add. */
bool ready_queue_requeue(ready_queue *order, uint64_t account, int64_t id);

/* The event that made its account busy has ended: the next of the account may run. False as for
 * add. */
bool ready_queue_end(ready_queue *order, uint64_t account);

/* Parks a taken event in the list of those that wait for the same limit; its account stays busy.
 * False as for add. */
bool ready_queue_park(ready_queue *order, int list, uint64_t account, int64_t id);

/* The event of a list that waits for the longest time, as if it were taken; 0: there is none. */
int64_t ready_queue_unpark(ready_queue *order, int list, uint64_t *account);
size_t ready_queue_parked(const ready_queue *order, int list);

/* How many may run. */
size_t ready_queue_ready(const ready_queue *order);

/* How many may run only once the one before them, or what they are parked for, has ended. */
size_t ready_queue_waiting(const ready_queue *order);

#endif
