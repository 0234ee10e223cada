/* Overwrites what no row uses in a database and its log, in steps. */
#include "overwrite.h"

#include "clock.h"
#include "database_file.h"
#include "log_rest.h"
#include "purge.h"
#include "read_filter.h"
#include "schema.h"
#include "unused_bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHRINK_PAGES 16       /* between two readings of the clock */
#define CLEAR_PAGES 32        /* in a step */
#define UNSYNCED_MAX 64       /* pages that are written and not on disk */
#define LOG_CLEAR_SIZE 524288 /* bytes of the log in a step */
#define CHECKPOINT_LOCK 1     /* of those that SQLite has in its log's index */

typedef enum {
  SHRINK,   /* cut off the free pages */
  MOVE,     /* what the log has into the file, so that RESTART has little to do */
  RESTART,  /* the log, so that the file has all, and what follows is clear */
  CLEAR_IT, /* what the log has of before */
  CLEAR,    /* the pages in the file */
  ALL
} phase;

struct event_overwrite {
  phase phase;
  log_rest rest;
  uint32_t page, last; /* to be cleared next, and the last one */
  int unsynced;
  int code; /* of the last failure */
  page_format format;
  uint32_t map_page; /* which one is in `map`; 0: none */
  unsigned char map[PAGE_SIZE_MAX], bytes[PAGE_SIZE_MAX], chain[PAGE_SIZE_MAX];
};

event_overwrite *event_overwrite_new(void) {
  return calloc(1, sizeof(event_overwrite));
}

void event_overwrite_free(event_overwrite *overwrite) {
  free(overwrite);
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

/* Of a checkpoint, which syncs both files: whoever has waited for it is not to wait for the next
 * step as well. */
static event_overwrite_result pause_after(event_overwrite *o, int code) {
  event_overwrite_result result = result_of(o, code);
  return result == EVENT_OVERWRITE_MORE ? EVENT_OVERWRITE_PAUSE : result;
}

/* ---- Free pages ---- */

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
  o->phase = left ? SHRINK : MOVE;
  return EVENT_OVERWRITE_MORE;
}

/* ---- Pages ---- */

static sqlite3_file *file_of(sqlite3 *db) {
  sqlite3_file *file = NULL;
  (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  return file;
}

static int read_page(const event_overwrite *o, sqlite3_file *file, uint32_t page,
                     unsigned char *bytes) {
  return read_filter_read(read_filter_of(file), file, bytes, (int)o->format.size,
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
  code = code == SQLITE_OK ? read_filter_read(read_filter_of(file), file, first, sizeof first, 0)
                           : code;
  if (code == SQLITE_OK && !page_format_read(first, &o->format)) {
    code = SQLITE_NOTADB;
  }
  o->last = code == SQLITE_OK ? (uint32_t)(size / o->format.size) : 0;
  o->map_page = 0;
  return code;
}

/* ---- The log ---- */

static event_overwrite_result move_log(event_overwrite *o, sqlite3 *db) {
  int code = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
  o->phase = code == SQLITE_OK ? RESTART : MOVE;
  return pause_after(o, code);
}

/* A commit that changes nothing: it is the first in the log, unless a reader is in the way. */
static int begin_log(sqlite3 *db) {
  char text[80];
  (void)snprintf(text, sizeof text, "BEGIN IMMEDIATE; PRAGMA user_version = %d; COMMIT",
                 EVENT_SCHEMA_VERSION);
  return sqlite3_exec(db, text, NULL, NULL, NULL);
}

/* With nothing in its cache and the file cleared as it is read, all that SQLite writes from here on
 * is clear, whether to the log or later to the file: so one look at each page is enough. */
static int begin_clear(event_overwrite *o, sqlite3 *db) {
  sqlite3_file *file = file_of(db);
  read_filter *filter = read_filter_of(file);
  int code = filter != NULL ? read_format(o, file) : SQLITE_NOMEM;
  if (code == SQLITE_OK) {
    (void)sqlite3_db_release_memory(db);
    read_filter_start(filter, &o->format);
    code = begin_log(db);
  }
  return code;
}

static event_overwrite_result restart_log(event_overwrite *o, sqlite3 *db) {
  unsigned char before[LOG_SALTS_SIZE], after[LOG_SALTS_SIZE];
  sqlite3_file *log = event_file_log(db);
  int code = log != NULL ? log_rest_salts(log, before) : SQLITE_NOMEM;
  if (code == SQLITE_OK) {
    code = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
  }
  code = code == SQLITE_OK ? begin_clear(o, db) : code;
  code = code == SQLITE_OK ? log_rest_salts(log, after) : code;
  if (code == SQLITE_OK && memcmp(before, after, sizeof before) == 0) {
    code = SQLITE_BUSY;
  }
  if (code == SQLITE_OK) {
    o->phase = CLEAR_IT;
    o->page = 1;
  }
  return pause_after(o, code);
}

/* Synced, so that the next commit does not have to write what several steps have cleared. */
static event_overwrite_result clear_log(event_overwrite *o, sqlite3 *db) {
  bool is_done = false;
  sqlite3_file *log = event_file_log(db);
  int code = log_rest_clear(&o->rest, log, o->format.size, LOG_CLEAR_SIZE, &is_done);
  code = code == SQLITE_OK ? log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) : code;
  if (code == SQLITE_OK && is_done) {
    o->phase = CLEAR;
  }
  return result_of(o, code);
}

/* ---- Clearing pages ---- */

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
  for (int i = 0; code == SQLITE_OK && i < CLEAR_PAGES && o->page <= o->last &&
                  o->unsynced < UNSYNCED_MAX && clock_steady_ms() < until;
       i++) {
    code = clear_page(o, file, o->page);
    o->page += code == SQLITE_OK;
  }
  if (code == SQLITE_OK && o->unsynced >= UNSYNCED_MAX) {
    code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    o->unsynced = 0;
  }
  return code;
}

/* In the file itself, past SQLite: only bytes that no row uses change, in pages as they were at the
 * last checkpoint, and the lock keeps others from the next one. */
static event_overwrite_result clear_some(event_overwrite *o, sqlite3 *db, int64_t until) {
  sqlite3_file *file = file_of(db);
  int code =
      file->pMethods->xShmLock(file, CHECKPOINT_LOCK, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
  if (code != SQLITE_OK) {
    return result_of(o, code);
  }
  code = clear_pages(o, file, until);
  (void)file->pMethods->xShmLock(file, CHECKPOINT_LOCK, 1,
                                 SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
  if (code == SQLITE_OK && o->page > o->last) {
    read_filter_stop(read_filter_of(file));
    o->phase = ALL;
  }
  return result_of(o, code);
}

event_overwrite_result event_overwrite_step(event_overwrite *o, sqlite3 *db, int64_t until) {
  switch (o->phase) {
  case SHRINK:
    return shrink(o, db, until);
  case MOVE:
    return move_log(o, db);
  case RESTART:
    return restart_log(o, db);
  case CLEAR_IT:
    return clear_log(o, db);
  case CLEAR:
    return clear_some(o, db, until);
  default:
    return EVENT_OVERWRITE_DONE;
  }
}
