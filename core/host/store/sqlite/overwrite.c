/* Overwrites what no row uses in a database and its log, in steps. */
#include "overwrite.h"

#include "clock.h"
#include "database_file.h"
#include "purge.h"
#include "unused_bytes.h"

#include <stdlib.h>
#include <string.h>

#define SHRINK_PAGES 16   /* between two readings of the clock */
#define UNSYNCED_MAX 256  /* pages that are written and not on disk */
#define FILL_SIZE 262144  /* bytes of the log in a step */
#define ROUNDS 4          /* of looking at all pages, while rows change: each finds fewer */
#define CHECKPOINT_LOCK 1 /* of those that SQLite has in its log's index */

typedef enum {
  SHRINK,   /* cut off the free pages */
  EMPTY,    /* the log, so that the file has all */
  CLEAR,    /* the pages */
  EMPTY_IT, /* once more, of what was written meanwhile */
  FILL,     /* the log again: see database_file.c */
  ALL
} phase;

struct event_overwrite {
  char *path;
  phase phase;
  int64_t log_size;    /* to be restored */
  int64_t changes;     /* rows, since the log was emptied */
  int rounds;          /* of the pages */
  uint32_t page, last; /* to be cleared next, and the last one */
  int unsynced;
  int code; /* of the last failure */
  page_format format;
  uint32_t map_page; /* which one is in `map`; 0: none */
  unsigned char map[PAGE_SIZE_MAX], bytes[PAGE_SIZE_MAX], chain[PAGE_SIZE_MAX];
};

event_overwrite *event_overwrite_new(const char *path) {
  event_overwrite *overwrite = calloc(1, sizeof *overwrite);
  char *copy = strdup(path);
  if (overwrite == NULL || copy == NULL) {
    free(overwrite);
    free(copy);
    return NULL;
  }
  overwrite->path = copy;
  overwrite->log_size = event_file_size(path, "-wal");
  return overwrite;
}

void event_overwrite_free(event_overwrite *overwrite) {
  if (overwrite != NULL) {
    free(overwrite->path);
    free(overwrite);
  }
}

const char *event_overwrite_reason(const event_overwrite *overwrite) {
  return sqlite3_errstr(overwrite->code);
}

static event_overwrite_result result_of(event_overwrite *o, int code) {
  o->code = code;
  return code == SQLITE_OK              ? EVENT_OVERWRITE_MORE
         : (code & 0xff) == SQLITE_BUSY ? EVENT_OVERWRITE_LATER
                                        : EVENT_OVERWRITE_FAILED;
}

/* ---- Free pages, and the log ---- */

static event_overwrite_result shrink(event_overwrite *o, sqlite3 *db, int64_t until) {
  bool left = true, ok = true;
  int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
  if (code != SQLITE_OK) {
    return result_of(o, code);
  }
  while (ok && left && clock_steady_ms() < until) {
    ok = event_purge_shrink(db, SHRINK_PAGES, &left);
  }
  if (!ok || sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
    o->code = sqlite3_errcode(db);
    return EVENT_OVERWRITE_FAILED;
  }
  o->phase = left ? SHRINK : EMPTY;
  return EVENT_OVERWRITE_MORE;
}

static event_overwrite_result empty_log(event_overwrite *o, sqlite3 *db) {
  int code = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
  if (code == SQLITE_OK) {
    o->phase = o->phase == EMPTY ? CLEAR : FILL;
    o->page = 1;
    o->changes = sqlite3_total_changes(db);
  }
  return result_of(o, code);
}

static event_overwrite_result fill_log(event_overwrite *o, sqlite3 *db) {
  int64_t size = event_file_size(o->path, "-wal");
  int64_t end = o->log_size < size + FILL_SIZE ? o->log_size : size + FILL_SIZE;
  if (size < end) {
    event_file_fill_log(db, end);
  }
  /* On a full disk it grows as it has to. */
  bool has_grown = event_file_size(o->path, "-wal") > size;
  o->phase = end < o->log_size && has_grown ? FILL : ALL;
  return EVENT_OVERWRITE_MORE;
}

/* ---- Pages ---- */

static int read_page(const event_overwrite *o, sqlite3_file *file, uint32_t page,
                     unsigned char *bytes) {
  return file->pMethods->xRead(file, bytes, (int)o->format.size,
                               (sqlite3_int64)(page - 1) * o->format.size);
}

static int write_page(event_overwrite *o, sqlite3_file *file, uint32_t page,
                      const unsigned char *bytes) {
  o->unsynced++;
  return file->pMethods->xWrite(file, bytes, (int)o->format.size,
                                (sqlite3_int64)(page - 1) * o->format.size);
}

static int read_format(event_overwrite *o, sqlite3_file *file) {
  sqlite3_int64 size = 0;
  unsigned char first[100];
  int code = file->pMethods->xFileSize(file, &size);
  code = code == SQLITE_OK ? file->pMethods->xRead(file, first, sizeof first, 0) : code;
  if (code == SQLITE_OK && !page_format_read(first, &o->format)) {
    code = SQLITE_NOTADB;
  }
  o->last = code == SQLITE_OK ? (uint32_t)(size / o->format.size) : 0;
  o->map_page = 0;
  return code;
}

static int clear_chain(event_overwrite *o, sqlite3_file *file, const page_chain *chain) {
  uint32_t page = chain->first;
  int code = SQLITE_OK;
  for (uint32_t i = 0; code == SQLITE_OK && page > 1 && page <= o->last && i < chain->pages; i++) {
    code = read_page(o, file, page, o->chain);
    if (code == SQLITE_OK && i + 1 == chain->pages && page_clear_end(&o->format, o->chain, chain)) {
      return write_page(o, file, page, o->chain);
    }
    page = (uint32_t)o->chain[0] << 24 | (uint32_t)o->chain[1] << 16 | (uint32_t)o->chain[2] << 8 |
           o->chain[3];
  }
  return code;
}

static int clear_page(event_overwrite *o, sqlite3_file *file, uint32_t page) {
  uint32_t map_page = o->format.is_mapped ? page_map_of(&o->format, page) : 0;
  int code = SQLITE_OK;
  if (page > 1 && map_page != o->map_page) {
    code = read_page(o, file, map_page, o->map);
    o->map_page = map_page;
  }
  if (code != SQLITE_OK || !page_map_is_tree(&o->format, o->map, page)) {
    return code;
  }
  code = read_page(o, file, page, o->bytes);
  if (code == SQLITE_OK && page_clear_unused(&o->format, o->bytes, page)) {
    code = write_page(o, file, page, o->bytes);
  }
  page_chain chain;
  for (size_t row = 0; code == SQLITE_OK && page_chain_of(&o->format, o->bytes, page, row, &chain);
       row++) {
    code = clear_chain(o, file, &chain);
  }
  return code;
}

static int clear_pages(event_overwrite *o, sqlite3_file *file, int64_t until) {
  int code = read_format(o, file);
  while (code == SQLITE_OK && o->page <= o->last && o->unsynced < UNSYNCED_MAX &&
         clock_steady_ms() < until) {
    code = clear_page(o, file, o->page);
    o->page += code == SQLITE_OK;
  }
  if (code == SQLITE_OK && o->unsynced > 0 && (o->page > o->last || o->unsynced >= UNSYNCED_MAX)) {
    code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    o->unsynced = 0;
  }
  return code;
}

/* In the file itself, past SQLite: only bytes that no row uses change, in pages as they were at the
 * last checkpoint, and the lock keeps others from the next one. What this connection has read of
 * them before is discarded, so that it does not write it again. */
static event_overwrite_result clear_some(event_overwrite *o, sqlite3 *db, int64_t until) {
  sqlite3_file *file = NULL;
  (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  (void)sqlite3_db_release_memory(db);
  int code =
      file->pMethods->xShmLock(file, CHECKPOINT_LOCK, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
  if (code != SQLITE_OK) {
    return result_of(o, code);
  }
  code = clear_pages(o, file, until);
  (void)file->pMethods->xShmLock(file, CHECKPOINT_LOCK, 1,
                                 SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
  if (code == SQLITE_OK && o->page > o->last) {
    bool has_changed = sqlite3_total_changes(db) != o->changes;
    o->phase = has_changed && ++o->rounds < ROUNDS ? EMPTY : EMPTY_IT;
  }
  return result_of(o, code);
}

event_overwrite_result event_overwrite_step(event_overwrite *o, sqlite3 *db, int64_t until) {
  switch (o->phase) {
  case SHRINK:
    return shrink(o, db, until);
  case EMPTY:
  case EMPTY_IT:
    return empty_log(o, db);
  case CLEAR:
    return clear_some(o, db, until);
  case FILL:
    return fill_log(o, db);
  default:
    return EVENT_OVERWRITE_DONE;
  }
}
