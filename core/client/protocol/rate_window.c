/* Computes how long a request must wait so that no more than the limit are sent in a window of
 * time; reads no headers: the caller passes on what the server said. */
#include "palenca.h"

#include <stdlib.h>

/* The server counts when a request arrives, which may be a little later for the
 * first of a window than for the last; this much more is waited. */
#define GUARD_MS 250

bool palenca_rate_limit_init(palenca_rate_limit *state, size_t limit) {
  state->sent_at = limit > 0 ? malloc(limit * sizeof *state->sent_at) : NULL;
  if (state->sent_at == NULL) {
    return false;
  }
  for (size_t i = 0; i < limit; i++) {
    state->sent_at[i] = INT64_MIN / 2;
  }
  state->limit = limit;
  state->next = 0;
  state->blocked_until = INT64_MIN / 2;
  return true;
}

void palenca_rate_limit_free(palenca_rate_limit *state) {
  free(state->sent_at);
  state->sent_at = NULL;
}

int64_t palenca_rate_limit_wait(const palenca_rate_limit *state, int64_t now, size_t spare) {
  size_t oldest = (state->next + spare) % state->limit;
  int64_t free_at = state->sent_at[oldest] + PALENCA_RATE_WINDOW_MS + GUARD_MS;
  if (state->blocked_until > free_at) {
    free_at = state->blocked_until;
  }
  return free_at > now ? free_at - now : 0;
}

/* Those that count no longer are a first part of the ring, which begins with the oldest. */
size_t palenca_rate_limit_left(const palenca_rate_limit *state, int64_t now, size_t spare) {
  size_t low = 0, high = state->limit;
  if (state->blocked_until > now) {
    return 0;
  }
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int64_t sent_at = state->sent_at[(state->next + middle) % state->limit];
    if (sent_at + PALENCA_RATE_WINDOW_MS + GUARD_MS <= now) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low > spare ? low - spare : 0;
}

void palenca_rate_limit_take(palenca_rate_limit *state, int64_t now) {
  state->sent_at[state->next] = now;
  state->next = (state->next + 1) % state->limit;
}

void palenca_rate_limit_block(palenca_rate_limit *state, int64_t now, int64_t wait_ms) {
  int64_t longest = PALENCA_RATE_WINDOW_MS + GUARD_MS;
  int64_t until = now + (wait_ms < longest ? wait_ms : longest);
  if (until > state->blocked_until) {
    state->blocked_until = until;
  }
}
