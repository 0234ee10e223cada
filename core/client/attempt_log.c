/* Keeps the newest HTTP attempts of calls with an observer (on_attempt), until it takes them. */
#include "attempt_log.h"

#include <stdlib.h>

bool attempt_log_reserve(attempt_log *log) {
  if (log->ring == NULL) {
    log->ring = calloc(PALENCA_ATTEMPTS_MAX, sizeof *log->ring);
  }
  return log->ring != NULL;
}

void attempt_log_add(attempt_log *log, const palenca_attempt_record *record) {
  log->ring[(log->first + log->count) % PALENCA_ATTEMPTS_MAX] = *record;
  if (log->count < PALENCA_ATTEMPTS_MAX) {
    log->count++;
  } else {
    log->first = (log->first + 1) % PALENCA_ATTEMPTS_MAX;
  }
}

bool attempt_log_take(attempt_log *log, palenca_attempt_record *record) {
  if (log->count == 0) {
    return false;
  }
  *record = log->ring[log->first];
  log->first = (log->first + 1) % PALENCA_ATTEMPTS_MAX;
  log->count--;
  return true;
}

void attempt_log_free(attempt_log *log) {
  free(log->ring);
}
