/* Keeps the newest HTTP attempts of calls with an observer (on_attempt), until it takes them. */
#ifndef PALENCA_ATTEMPT_LOG_H
#define PALENCA_ATTEMPT_LOG_H

#include "palenca.h"

#pragma GCC visibility push(hidden)

/* Zero-initialised. */
typedef struct {
  palenca_attempt_record *ring; /* of PALENCA_ATTEMPTS_MAX */
  size_t first, count;
} attempt_log;

/* Before the first is added; false without memory. */
bool attempt_log_reserve(attempt_log *log);
/* The oldest goes if there is no room. */
void attempt_log_add(attempt_log *log, const palenca_attempt_record *record);
/* The oldest one; false if there is none. */
bool attempt_log_take(attempt_log *log, palenca_attempt_record *record);
void attempt_log_free(attempt_log *log);

#pragma GCC visibility pop

#endif
