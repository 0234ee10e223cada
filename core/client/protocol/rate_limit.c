/* A sliding window over the moments at which requests were sent. */
#include "palenca.h"

#include <stdlib.h>

/* The server counts when a request arrives, which may be a little later for the
 * first of a window than for the last; this much more is waited. */
#define GUARD_MS 250

bool palenca_pace_init(palenca_pace *pace, size_t limit) {
  pace->sent_at = limit > 0 ? malloc(limit * sizeof *pace->sent_at) : NULL;
  if (pace->sent_at == NULL)
    return false;
  for (size_t i = 0; i < limit; i++)
    pace->sent_at[i] = INT64_MIN / 2;
  pace->limit = limit;
  pace->next = 0;
  pace->blocked_until = INT64_MIN / 2;
  return true;
}

void palenca_pace_free(palenca_pace *pace) {
  free(pace->sent_at);
  pace->sent_at = NULL;
}

int64_t palenca_pace_wait(const palenca_pace *pace, int64_t now, size_t spare) {
  size_t oldest = (pace->next + spare) % pace->limit;
  int64_t free_at = pace->sent_at[oldest] + PALENCA_RATE_WINDOW_MS + GUARD_MS;
  if (pace->blocked_until > free_at)
    free_at = pace->blocked_until;
  return free_at > now ? free_at - now : 0;
}

void palenca_pace_take(palenca_pace *pace, int64_t now) {
  pace->sent_at[pace->next] = now;
  pace->next = (pace->next + 1) % pace->limit;
}

void palenca_pace_block(palenca_pace *pace, int64_t now, int64_t wait_ms) {
  int64_t longest = PALENCA_RATE_WINDOW_MS + GUARD_MS;
  int64_t until = now + (wait_ms < longest ? wait_ms : longest);
  if (until > pace->blocked_until)
    pace->blocked_until = until;
}
