/* The API's responses of one run of an event's handlers, on their way from a worker to the
 * transaction that ends the event: one compressed text, which grows with each response. */
#ifndef PALENCA_HOST_STORE_LEDGER_RECORDING_H
#define PALENCA_HOST_STORE_LEDGER_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The values are stored in databases: they never change. */
typedef enum {
  RECORDING_WHOLE = 0,
  RECORDING_TOO_LARGE = 1,
  RECORDING_NO_MEMORY = 2,
} recording_state;

typedef struct event_recording event_recording;

/* `max`: bytes before they are compressed. `started_at`: when the run started, Unix milliseconds.
 * NULL: out of memory. */
event_recording *event_recording_new(size_t max, int64_t started_at);
void event_recording_free(event_recording *recording); /* NULL is allowed */

/* Appends a piece of the text, or, if there is no room for it, removes what there is: half of a
 * recording would pass for a whole one. Returns whether it is whole. */
bool event_recording_add(event_recording *recording, const char *data, size_t size);

/* After the last piece. */
void event_recording_end(event_recording *recording);

typedef struct {
  recording_state state;
  int64_t started_at;
  size_t size;        /* of the text; of RECORDING_TOO_LARGE, how large it may be */
  const char *packed; /* compressed with zlib; of no bytes if it is not whole, or empty */
  size_t packed_size;
} recording_parts; /* valid as long as the recording */

recording_parts event_recording_parts(const event_recording *recording);

#endif
