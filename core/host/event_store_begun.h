/* Which of the leased events have begun, on file: what survives a process that is killed, without a
 * commit for each event.
 *
 * An attempt is counted when an event is leased, in the transaction that leases it. A process that
 * dies then has leased more than it has begun, and what waited in it must not pay for what ended
 * it. So a few bytes are written to a file when an event begins, and not synced: they are for the
 * next process on a machine that goes on. After a power cut some are missing; then an attempt is
 * not counted, for which the event was not to blame. */
#ifndef PALENCA_HOST_EVENT_STORE_BEGUN_H
#define PALENCA_HOST_EVENT_STORE_BEGUN_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  int file; /* of the caller's */
  uint32_t *free_slots;
  size_t free_count, capacity;
  uint32_t slots;
} event_begun;

/* Makes received again what was running when the last process ended, and takes back the attempts
 * of what had not begun. Empties the file. False on failure, the reason being the connection's last
 * error, with a transaction to roll back. */
bool event_begun_recover(sqlite3 *db, int file);

/* A place in the file for one event; 0: out of memory. */
uint32_t event_begun_reserve(event_begun *begun);
void event_begun_free_slot(event_begun *begun, uint32_t slot);

/* These write, and may be called by several threads. What cannot be written is not counted. */
void event_begun_note(const event_begun *begun, uint32_t slot, int64_t id, int attempt, int replay);
void event_begun_erase(const event_begun *begun, uint32_t slot);

void event_begun_end(event_begun *begun);

#endif
