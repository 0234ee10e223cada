/* What people ask of recorded responses, beside whoever serves from the file: events with all that
 * is needed to run their handlers again. */
#ifndef PALENCA_HOST_STORE_ADMIN_RECORDINGS_H
#define PALENCA_HOST_STORE_ADMIN_RECORDINGS_H

#include "common/host_error.h"
#include "store/event.h"
#include "store/ledger/recording.h"

typedef struct {
  int64_t at, total; /* it is the `at`th, from 1, of so many */
  int64_t id;
  const char *state; /* a state's name */
  int64_t attempts, replays, received_at;
  const char *error; /* of the last failed attempt, or NULL */
  const char *body;
  size_t body_size;
  bool is_recorded; /* its last attempt was; else the fields below are 0, or of a run before */
  recording_state omitted;
  int64_t started_at, size;
  const char *responses; /* NULL if they are omitted or damaged */
  size_t responses_size;
  bool has_decision;
  const char *facts; /* of the decision, as JSON; NULL: its entry was deleted, or there is none */
} recorded_event;    /* valid during the call that receives it */

/* Decompresses the responses, which the caller frees: sets `responses` and their size. What cannot
 * be decompressed to `size` is left out, as if it were not there. False: out of memory. */
bool recording_unpack(recorded_event *event, const char *packed, size_t packed_size, char **text);

typedef bool (*recording_visit)(void *context, const recorded_event *event);

typedef struct {
  int64_t since, until; /* received at or after `since`, and before `until`; Unix milliseconds */
  int64_t limit;        /* the newest N; 0: all */
} recording_filter;

/* Calls `each` for the events there are at the beginning, oldest first, until it returns false. The
 * file is opened read-only; in one of an earlier version nothing is recorded. False on failure,
 * with the reason in `error`. */
bool recording_list(const char *path, const recording_filter *filter, recording_visit each,
                    void *context, host_error *error);

#endif
