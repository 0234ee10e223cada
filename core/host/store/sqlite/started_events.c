/* Records which of the leased events have been started, in a mapped file. */
#include "started_events.h"

#include "attempts.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* An event has a new attempt or a new replay each time it is leased, unless it was released; so
 * what is left over from before says nothing of a later lease. */
struct started_entry {
  _Atomic int64_t id; /* 0: none */
  int32_t attempt, replay;
  int64_t started_at;
};

/* The first entry of the file is none, and has this as its id: before version 8 of the schema the
 * entries had no times, and the file had no such beginning. */
#define BEGINNING (-24)
#define SIZE_WITHOUT_TIME 16

_Static_assert(sizeof(started_entry) == 24, "the entries are on file");

#define READ_SIZE ((size_t)256 * sizeof(started_entry))
#define SEGMENT_ENTRIES 4096u
#define SEGMENT_SIZE ((off_t)(SEGMENT_ENTRIES * sizeof(started_entry)))

static char *path_of(const char *database) {
  size_t size = strlen(database) + sizeof STARTED_EVENTS_SUFFIX;
  char *path = malloc(size);
  if (path != NULL) {
    (void)snprintf(path, size, "%s%s", database, STARTED_EVENTS_SUFFIX);
  }
  return path;
}

/* ---- After a process that has died ---- */

static bool receive_one(sqlite3 *db, sqlite3_stmt *statement, sqlite3_stmt *put,
                        const started_entry *entry) {
  if (entry->id <= 0) {
    return true;
  }
  (void)sqlite3_bind_int64(statement, 1, entry->id);
  (void)sqlite3_bind_int(statement, 2, entry->attempt);
  (void)sqlite3_bind_int(statement, 3, entry->replay);
  bool ok = sqlite3_step(statement) == SQLITE_DONE &&
            (sqlite3_changes(db) == 0 ||
             event_attempts_put_interrupted(put, entry->id, entry->started_at));
  (void)sqlite3_reset(statement);
  return ok;
}

static size_t read_entry_size(int file) {
  int64_t first = 0;
  bool has_times = pread(file, &first, sizeof first, 0) == sizeof first && first == BEGINNING;
  return has_times ? sizeof(started_entry) : SIZE_WITHOUT_TIME;
}

static bool receive_all(sqlite3 *db, int file, sqlite3_stmt *statement, sqlite3_stmt *put) {
  char bytes[READ_SIZE];
  size_t entry_size = read_entry_size(file), whole = READ_SIZE / entry_size * entry_size;
  off_t offset = 0;
  ssize_t size;
  bool ok = true;
  while (ok && (size = pread(file, bytes, whole, offset)) > 0) {
    for (size_t at = 0; ok && at + entry_size <= (size_t)size; at += entry_size) {
      started_entry entry = {.started_at = 0};
      memcpy(&entry, bytes + at, entry_size);
      ok = receive_one(db, statement, put, &entry);
    }
    offset += size;
  }
  return ok;
}

static bool receive_started(sqlite3 *db, int file) {
  sqlite3_stmt *statement = NULL, *put = NULL;
  bool ok = sqlite3_prepare_v2(db,
                               "UPDATE events SET state = 0,"
                               " error = 'the process died during attempt ' || attempts"
                               " WHERE id = ?1 AND state = 1"
                               " AND attempts = ?2 AND replays = ?3",
                               -1, &statement, NULL) == SQLITE_OK &&
            event_attempts_prepare_interrupted(db, &put) && receive_all(db, file, statement, put);
  (void)sqlite3_finalize(statement);
  (void)sqlite3_finalize(put);
  return ok;
}

bool started_events_recover(sqlite3 *db, const char *database) {
  char *path = path_of(database);
  int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  bool ok = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
            (file < 0 || receive_started(db, file)) &&
            sqlite3_exec(db,
                         "UPDATE events INDEXED BY events_unfinished"
                         " SET state = 0, attempts = attempts - 1 WHERE state = 1 AND state < 3;"
                         "COMMIT",
                         NULL, NULL, NULL) == SQLITE_OK;
  if (file >= 0) {
    (void)close(file);
  }
  free(path);
  return ok;
}

/* ---- The file ---- */

/* A page that has no room on the disk when it is stored to ends the process. */
static bool make_room(const started_events *started, off_t offset) {
  static const char zeros[4096];
  bool ok = true;
  for (off_t end = offset + SEGMENT_SIZE; ok && offset < end; offset += (off_t)sizeof zeros) {
    ok = pwrite(started->file, zeros, sizeof zeros, offset) == (ssize_t)sizeof zeros;
  }
  return ok;
}

static bool add_segment(started_events *started) {
  off_t offset = (off_t)started->segment_count * SEGMENT_SIZE;
  if (started->file < 0 || started->segment_count == STARTED_EVENTS_SEGMENTS ||
      !make_room(started, offset)) {
    return false;
  }
  void *segment =
      mmap(NULL, (size_t)SEGMENT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, started->file, offset);
  if (segment == MAP_FAILED) {
    return false;
  }
  started->segments[started->segment_count++] = segment;
  if (offset == 0) {
    started->segments[0]->id = BEGINNING;
  }
  return true;
}

bool started_events_open(started_events *started, const char *database) {
  *started = (started_events){.path = path_of(database), .file = -1, .slots = 1};
  if (started->path != NULL) {
    started->file = open(started->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  }
  (void)add_segment(started); /* on a full disk it is tried again later */
  return started->file >= 0;
}

uint32_t started_events_reserve(started_events *started) {
  if (started->free_count > 0) {
    return started->free_slots[--started->free_count];
  }
  if (started->slots >= started->capacity) { /* all of them may be free one day */
    size_t capacity = started->capacity > 0 ? started->capacity * 2 : 64;
    uint32_t *grown = realloc(started->free_slots, capacity * sizeof *grown);
    if (grown == NULL) {
      return 0;
    }
    started->free_slots = grown;
    started->capacity = capacity;
  }
  if (started->slots >= started->segment_count * SEGMENT_ENTRIES && !add_segment(started)) {
    return 0;
  }
  return ++started->slots;
}

void started_events_free_slot(started_events *started, uint32_t slot) {
  if (slot != 0) {
    started->free_slots[started->free_count++] = slot;
  }
}

static started_entry *entry_of(const started_events *started, uint32_t slot) {
  return &started->segments[(slot - 1) / SEGMENT_ENTRIES][(slot - 1) % SEGMENT_ENTRIES];
}

/* The id last: a process that dies in between has not recorded it. */
void started_events_record(const started_events *started, uint32_t slot, int64_t id, int attempt,
                           int replay, int64_t started_at) {
  if (slot != 0) {
    started_entry *entry = entry_of(started, slot);
    atomic_store_explicit(&entry->id, 0, memory_order_release);
    entry->attempt = attempt;
    entry->replay = replay;
    entry->started_at = started_at;
    atomic_store_explicit(&entry->id, id, memory_order_release);
  }
}

void started_events_erase(const started_events *started, uint32_t slot) {
  if (slot != 0) {
    atomic_store_explicit(&entry_of(started, slot)->id, 0, memory_order_release);
  }
}

void started_events_end(started_events *started, bool removes) {
  for (size_t i = 0; i < started->segment_count; i++) {
    (void)munmap(started->segments[i], (size_t)SEGMENT_SIZE);
  }
  if (started->file >= 0) {
    (void)close(started->file);
    if (removes) {
      (void)unlink(started->path);
    }
  }
  free(started->path);
  free(started->free_slots);
  *started = (started_events){.file = -1};
}
