/* Runs what people ask of stored events, in short slices. */
#include "sliced_work.h"

#include "backup.h"
#include "clock.h"
#include "parts.h"
#include "store/sqlite/database_file.h"
#include "store/sqlite/overwrite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART_MS (EVENT_ADMIN_SLICE_MS - 2) /* a part takes some time, too */
#define FORGET_MS 1                        /* likewise, and often: for one person after the other */
#define OVERWRITE_MS 1                     /* of which there are many slices */
#define BACKUP_MS 1                        /* likewise */

#define TEXTS_MAX 11

struct event_admin {
  event_admin_request request;
  char *texts[TEXTS_MAX]; /* of the request */
  size_t text_count;
  char *path;
  event_admin_place place;
  event_admin_report report;
  event_overwrite *overwrite; /* NULL: another work */
  event_backup *backup;       /* likewise */
  bool has_paused;
  host_error error; /* HOST_OK so far */
};

/* Has a text of the request be a copy. */
static bool copy_text(event_admin *admin, const char **text) {
  if (*text == NULL) {
    return true;
  }
  char *copy = strdup(*text);
  admin->texts[admin->text_count++] = copy;
  *text = copy;
  return copy != NULL;
}

static bool copy_request(event_admin *admin, const event_admin_request *request) {
  event_admin_request *own = &admin->request;
  *own = *request;
  return copy_text(admin, &own->action) && copy_text(admin, &own->account_id) &&
         copy_text(admin, &own->user_id) && copy_text(admin, &own->queue.user_id) &&
         copy_text(admin, &own->queue.account_id) && copy_text(admin, &own->queue.body) &&
         copy_text(admin, &own->filter.state) && copy_text(admin, &own->filter.action) &&
         copy_text(admin, &own->filter.account_id) && copy_text(admin, &own->filter.platform) &&
         copy_text(admin, &own->filter.error);
}

event_admin *event_admin_new(const event_admin_request *request, const char *path) {
  event_admin *admin = calloc(1, sizeof *admin);
  if (admin == NULL || !copy_request(admin, request) || (admin->path = strdup(path)) == NULL) {
    event_admin_free(admin);
    return NULL;
  }
  admin->place.after = INT64_MIN;
  bool is_overwrite = request->kind == EVENT_ADMIN_OVERWRITE;
  bool is_backup = request->kind == EVENT_ADMIN_BACKUP;
  admin->overwrite = is_overwrite ? event_overwrite_new() : NULL;
  admin->backup = is_backup ? event_backup_new(request->file) : NULL;
  if (is_overwrite != (admin->overwrite != NULL) || is_backup != (admin->backup != NULL)) {
    event_admin_free(admin);
    return NULL;
  }
  return admin;
}

void event_admin_leave(event_admin *admin) {
  if (admin->backup != NULL) {
    event_backup_leave(admin->backup);
  }
}

void event_admin_free(event_admin *admin) {
  if (admin != NULL) {
    for (size_t i = 0; i < admin->text_count; i++) {
      free(admin->texts[i]);
    }
    free(admin->path);
    event_overwrite_free(admin->overwrite);
    event_backup_free(admin->backup);
    free(admin);
  }
}

const event_admin_report *event_admin_progress(const event_admin *admin) {
  return &admin->report;
}

bool event_admin_changes_unfinished(const event_admin *admin) {
  event_admin_kind kind = admin->request.kind;
  return kind == EVENT_ADMIN_REPLAY || kind == EVENT_ADMIN_REPLAY_DEAD ||
         kind == EVENT_ADMIN_REPLAY_MATCHING ||
         (kind == EVENT_ADMIN_QUEUE && admin->report.purge.events > 0) ||
         admin->place.has_removed_unfinished;
}

event_admin_kind event_admin_kind_of(const event_admin *admin) {
  return admin->request.kind;
}

const host_error *event_admin_error(const event_admin *admin) {
  return &admin->error;
}

static bool work(event_admin *admin, sqlite3 *db, event_admin_place *place,
                 event_admin_report *report) {
  static event_admin_part *const parts[] = {
      [EVENT_ADMIN_REPLAY] = event_admin_replay,
      [EVENT_ADMIN_REPLAY_DEAD] = event_admin_replay_dead,
      [EVENT_ADMIN_PURGE] = event_admin_purge,
      [EVENT_ADMIN_FORGET] = event_admin_forget,
      [EVENT_ADMIN_QUEUE] = event_admin_queue,
      [EVENT_ADMIN_REPLAY_MATCHING] = event_admin_replay_matching,
      [EVENT_ADMIN_PURGE_MATCHING] = event_admin_purge_matching,
  };
  int64_t end =
      clock_steady_ms() + (admin->request.kind == EVENT_ADMIN_FORGET ? FORGET_MS : PART_MS);
  bool ok = true;
  do { /* the clock is read every few rows */
    ok = parts[admin->request.kind](db, &admin->request, place, report);
  } while (ok && !place->is_done && clock_steady_ms() < end);
  return ok;
}

static event_admin_result fail(sqlite3 *db) {
  (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  return EVENT_ADMIN_DONE;
}

static event_admin_result overwrite(event_admin *admin, sqlite3 *db) {
  switch (event_overwrite_step(admin->overwrite, db, clock_steady_ms() + OVERWRITE_MS)) {
  case EVENT_OVERWRITE_MORE:
    return EVENT_ADMIN_MORE;
  case EVENT_OVERWRITE_PAUSE:
  case EVENT_OVERWRITE_LATER:
    return EVENT_ADMIN_LATER;
  case EVENT_OVERWRITE_DONE:
    return EVENT_ADMIN_DONE;
  default:
    (void)host_error_set(&admin->error, HOST_FAILED, "%s",
                         event_overwrite_reason(admin->overwrite));
    return fail(db);
  }
}

/* With a pause after each slice, so that the disk is not kept from the commits by what is copied.
 */
static event_admin_result back_up(event_admin *admin, sqlite3 *db) {
  admin->has_paused = !admin->has_paused;
  if (!admin->has_paused) {
    return EVENT_ADMIN_MORE; /* else it would seem to wait for another process */
  }
  event_admin_result result = event_backup_step(admin->backup, db, clock_steady_ms() + BACKUP_MS,
                                                &admin->report.backup, &admin->error);
  return result == EVENT_ADMIN_MORE ? EVENT_ADMIN_LATER : result;
}

event_admin_result event_admin_step(event_admin *admin, sqlite3 *db) {
  if (admin->overwrite != NULL) {
    return overwrite(admin, db);
  }
  if (admin->backup != NULL) {
    return back_up(admin, db);
  }
  event_admin_place place = admin->place;
  event_admin_report report = admin->report;
  bool purges =
      admin->request.kind == EVENT_ADMIN_PURGE || admin->request.kind == EVENT_ADMIN_PURGE_MATCHING;
  bool reads = purges && admin->request.purge.dry_run;
  int code = sqlite3_exec(db, reads ? "BEGIN" : "BEGIN IMMEDIATE", NULL, NULL, NULL);
  if ((code & 0xff) == SQLITE_BUSY) {
    return EVENT_ADMIN_LATER;
  }
  bool ok = code == SQLITE_OK && work(admin, db, &place, &report) &&
            sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
  if (!ok) {
    (void)event_file_reason(db, &admin->error);
    return fail(db);
  }
  admin->place = place;
  admin->report = report;
  if (place.is_done && purges && !reads) {
    /* The file shrinks with it, unless there is a reader; then later. */
    (void)sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
  }
  admin->report.purge.file_size = place.is_done ? event_file_size(admin->path, "") : 0;
  return place.is_done ? EVENT_ADMIN_DONE : EVENT_ADMIN_MORE;
}
