/* Which of the leased events have been started, in a file beside the database: it survives a killed
 * process, without a commit for each event.
 *
 * An attempt is counted when an event is leased, in the transaction that leases it. A process
 * that dies then has leased more than it has started, and what waited in it must not pay for
 * what ended it. So an entry of a mapped file is written when an event is started, by the worker
 * that starts it: a store to memory, which is there for the next process on a machine that stays
 * up. After a power cut some are missing; then an attempt is not counted, for which the event
 * was not to blame. The file is removed when the store is closed. */
#ifndef PALENCA_HOST_STORE_SQLITE_STARTED_EVENTS_H
#define PALENCA_HOST_STORE_SQLITE_STARTED_EVENTS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STARTED_EVENTS_SUFFIX "-started"
#define STARTED_EVENTS_SEGMENTS 256 /* of 4096 entries: a million events that run at once */

typedef struct started_entry started_entry;

typedef struct {
  char *path;
  int file; /* -1: there is none, and nothing is written */
  started_entry *segments[STARTED_EVENTS_SEGMENTS];
  size_t segment_count;
  uint32_t *free_slots;
  size_t free_count, capacity;
  uint32_t slots; /* of which the first is none, but the beginning of the file */
} started_events;

/* Makes received again what was running when the last process ended, and takes back the attempts
 * of what had not been started. `path` is the database's. False on failure, the reason being the
 * connection's last error, with a transaction to roll back. */
bool started_events_recover(sqlite3 *db, const char *path);

/* Makes the file, empty; after the recovery. False: out of memory, or it cannot be made, and
 * errno says why. */
bool started_events_open(started_events *started, const char *path);

/* A place for one event; 0: there is none, and its start is not recorded. Not by two threads at
 * once, nor with started_events_free_slot. */
uint32_t started_events_reserve(started_events *started);
void started_events_free_slot(started_events *started, uint32_t slot);

/* These write to memory only, and may be called by several threads. */
void started_events_record(const started_events *started, uint32_t slot, int64_t id, int attempt,
                           int replay, int64_t started_at);
void started_events_erase(const started_events *started, uint32_t slot);

/* `removes`: nothing runs any more. */
void started_events_end(started_events *started, bool removes);

#endif
