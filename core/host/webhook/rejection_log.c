/* Decides which rejected requests are logged: the first few of each cause, then the number of the
 * others.
 */
#include "rejection_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_MS 10000
#define LOGGED_IN_WINDOW 5
/* More than there are causes at a time; if not, the last one stands for all others. */
#define CAUSES_MAX 48

typedef struct {
  char cause[96];
  int status;
  int64_t began;
  unsigned record;
  uint64_t omitted;
} slot;

struct rejection_log {
  rejection_write *write;
  void *context;
  size_t count;
  slot slots[CAUSES_MAX];
};

rejection_log *rejection_log_new(rejection_write *write, void *context) {
  rejection_log *log = calloc(1, sizeof *log);
  if (log != NULL) {
    log->write = write;
    log->context = context;
  }
  return log;
}

void rejection_log_free(rejection_log *log) {
  free(log);
}

/* A client of TLS can bring about many causes in turn: a slot with nothing left to log is used for
 * the next one. NULL: there is none. */
static slot *unused_slot(rejection_log *log, int64_t now) {
  if (log->count < CAUSES_MAX) {
    return &log->slots[log->count++];
  }
  for (size_t i = 0; i < CAUSES_MAX; i++) {
    if (log->slots[i].omitted == 0 && now - log->slots[i].began >= WINDOW_MS) {
      return &log->slots[i];
    }
  }
  return NULL;
}

static slot *slot_of(rejection_log *log, int64_t now, int status, const char *cause) {
  for (size_t i = 0; i < log->count; i++) {
    slot *s = &log->slots[i];
    if (s->status == status && strncmp(s->cause, cause, sizeof s->cause - 1) == 0) {
      return s;
    }
  }
  slot *added = unused_slot(log, now);
  if (added == NULL) {
    return &log->slots[CAUSES_MAX - 1];
  }
  memset(added, 0, sizeof *added);
  added->status = status;
  added->began = INT64_MIN / 2;
  snprintf(added->cause, sizeof added->cause, "%s", cause);
  return added;
}

static void close_window(rejection_log *log, slot *s, int64_t now) {
  if (now - s->began < WINDOW_MS) {
    return;
  }
  if (s->omitted > 0) {
    log->write(log->context,
               &(rejection){.status = s->status, .cause = s->cause, .count = s->omitted});
  }
  s->omitted = 0;
  s->record = 0;
}

void rejection_log_record(rejection_log *log, int64_t now, int status, const char *cause,
                          const net_address *client, bool is_proxy) {
  slot *s = slot_of(log, now, status, cause);
  close_window(log, s, now);
  if (s->record == 0) {
    s->began = now;
  }
  if (s->record == LOGGED_IN_WINDOW) {
    s->omitted++;
    return;
  }
  s->record++;
  log->write(
      log->context,
      &(rejection){
          .status = status, .cause = s->cause, .client = client, .is_proxy = is_proxy, .count = 1});
}

void rejection_log_run(rejection_log *log, int64_t now) {
  for (size_t i = 0; i < log->count; i++) {
    if (log->slots[i].omitted > 0) {
      close_window(log, &log->slots[i], now);
    }
  }
}

int64_t rejection_log_timeout(const rejection_log *log, int64_t now) {
  int64_t min_ms = -1;
  for (size_t i = 0; i < log->count; i++) {
    const slot *s = &log->slots[i];
    int64_t left = s->began + WINDOW_MS - now;
    if (s->omitted > 0 && (min_ms < 0 || left < min_ms)) {
      min_ms = left > 0 ? left : 0;
    }
  }
  return min_ms;
}
