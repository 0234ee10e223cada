/* Decides when the event store commits, what it takes along, and how many events it leases. */
#include "commit_policy.h"

static int64_t min_time(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* How long no event is leased because of a burst. */
static int64_t lease_pause(const commit_inputs *in) {
  int64_t turn = COMMIT_BURST_LEASE_MS - in->lease_age;
  int64_t pause = in->burst_left < turn ? in->burst_left : turn;
  return pause > 0 ? pause : 0;
}

static size_t leases_now(const commit_inputs *in) {
  /* Whether a database works again is found out by what has to be written anyway. */
  bool is_trial = in->is_failing && (in->has_puts || in->has_finishes);
  if (in->is_closing || is_trial || lease_pause(in) > 0) {
    return 0;
  }
  return in->prefetch < COMMIT_MAX_LEASES ? in->prefetch : COMMIT_MAX_LEASES;
}

/* How long the finishes still wait; INT64_MAX: there are none. */
static int64_t finish_wait(const commit_inputs *in) {
  if (!in->has_finishes) {
    return INT64_MAX;
  }
  bool is_urgent = in->is_closing || (in->is_finish_awaited && in->burst_left == 0);
  bool is_over = in->finish_age >= COMMIT_FINISH_WAIT_MS;
  return is_urgent || is_over ? 0 : COMMIT_FINISH_WAIT_MS - in->finish_age;
}

/* How long the leases still wait; INT64_MAX: there is nothing to lease, or no consumer for it.
 */
static int64_t lease_wait(const commit_inputs *in) {
  if (in->prefetch == 0 || in->is_closing) {
    return INT64_MAX;
  }
  int64_t due = in->is_any_ready ? 0 : in->due_in > 0 ? in->due_in : 0;
  int64_t pause = lease_pause(in);
  return due > pause ? due : pause;
}

commit_decision commit_decide(const commit_inputs *in) {
  int64_t wait = min_time(finish_wait(in), lease_wait(in));
  if (in->rest > 0 && wait < in->rest) {
    wait = in->rest;
  }
  if (in->has_puts) {
    wait = 0;
  }
  if (in->locked > 0 && wait < in->locked) {
    wait = in->locked;
  }
  if (wait > 0) {
    return (commit_decision){.timeout = wait};
  }
  return (commit_decision){.commits = true, .leases = leases_now(in)};
}

void commit_burst_add(commit_burst *burst, size_t puts, int64_t now) {
  if (now >= burst->span_end) {
    burst->span_end = now + COMMIT_BURST_MS;
    burst->puts = 0;
  }
  burst->puts += puts;
  if (burst->puts >= COMMIT_BURST_PUTS) {
    burst->until = now + COMMIT_BURST_MS;
  }
}

int64_t commit_burst_left(const commit_burst *burst, int64_t now) {
  return burst->until > now ? burst->until - now : 0;
}
