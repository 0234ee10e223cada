/* Which of the leased events have begun, on file. */
#include "event_store_begun.h"

#include <stdlib.h>
#include <unistd.h>

/* An event has a new attempt or a new replay each time it is leased, unless it was released; so
 * what is left over from before says nothing of a later lease. */
typedef struct {
  int64_t id; /* 0: none */
  int32_t attempt, replay;
} begun_entry;

#define READ_ENTRIES 256

static bool receive_begun(sqlite3 *db, int file) {
  sqlite3_stmt *statement = NULL;
  bool ok = sqlite3_prepare_v2(db,
                               "UPDATE events SET state = 0 WHERE id = ?1 AND state = 1"
                               " AND attempts = ?2 AND replays = ?3",
                               -1, &statement, NULL) == SQLITE_OK;
  begun_entry entries[READ_ENTRIES];
  off_t offset = 0;
  size_t count = READ_ENTRIES;
  while (ok && count == READ_ENTRIES) {
    ssize_t size = pread(file, entries, sizeof entries, offset);
    count = size > 0 ? (size_t)size / sizeof *entries : 0;
    offset += (off_t)sizeof entries;
    for (size_t i = 0; ok && i < count; i++) {
      (void)sqlite3_bind_int64(statement, 1, entries[i].id);
      (void)sqlite3_bind_int(statement, 2, entries[i].attempt);
      (void)sqlite3_bind_int(statement, 3, entries[i].replay);
      ok = sqlite3_step(statement) == SQLITE_DONE;
      (void)sqlite3_reset(statement);
    }
  }
  (void)sqlite3_finalize(statement);
  return ok;
}

bool event_begun_recover(sqlite3 *db, int file) {
  bool ok = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
            receive_begun(db, file) &&
            sqlite3_exec(db,
                         "UPDATE events INDEXED BY events_unfinished"
                         " SET state = 0, attempts = attempts - 1 WHERE state = 1 AND state < 3;"
                         "COMMIT",
                         NULL, NULL, NULL) == SQLITE_OK;
  if (ok) {
    int emptied = ftruncate(file, 0);
    (void)emptied; /* what stays is out of date */
  }
  return ok;
}

uint32_t event_begun_reserve(event_begun *begun) {
  if (begun->free_count > 0) {
    return begun->free_slots[--begun->free_count];
  }
  if (begun->slots == begun->capacity) { /* all of them may be free one day */
    size_t capacity = begun->capacity > 0 ? begun->capacity * 2 : 64;
    uint32_t *grown = realloc(begun->free_slots, capacity * sizeof *grown);
    if (grown == NULL) {
      return 0;
    }
    begun->free_slots = grown;
    begun->capacity = capacity;
  }
  return ++begun->slots;
}

void event_begun_free_slot(event_begun *begun, uint32_t slot) {
  if (slot != 0) {
    begun->free_slots[begun->free_count++] = slot;
  }
}

static void write_entry(const event_begun *begun, uint32_t slot, const begun_entry *entry) {
  if (slot != 0) {
    off_t offset = (off_t)(slot - 1) * (off_t)sizeof *entry;
    ssize_t written = pwrite(begun->file, entry, sizeof *entry, offset);
    (void)written;
  }
}

void event_begun_note(const event_begun *begun, uint32_t slot, int64_t id, int attempt,
                      int replay) {
  const begun_entry entry = {.id = id, .attempt = attempt, .replay = replay};
  write_entry(begun, slot, &entry);
}

void event_begun_erase(const event_begun *begun, uint32_t slot) {
  const begun_entry none = {.id = 0};
  write_entry(begun, slot, &none);
}

void event_begun_end(event_begun *begun) {
  free(begun->free_slots);
}
