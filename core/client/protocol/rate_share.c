/* Computes what a process uses, asks for and gives up of a rate limit that it shares with others:
 * never more than it was granted, nor longer. */
#include "rate_share.h"

/* From so many turns on a share is worth a request: this part of the limit. */
#define AMOUNT_PART 40

/* Uses are reported after this time, since they count from their report on; and turns that nobody
 * uses are given up after the other. */
#define REPORT_MS 500
#define IDLE_MS 1000

/* After a request that has failed. */
#define RETRY_MS 100

/* Between two looks for a grant: a part of the time for which it has been waited for. */
#define WAIT_PART 4
#define WAIT_MIN_MS 2
#define WAIT_MAX_MS 100

static int64_t min(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int64_t max(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static void expire(rate_share *s, int64_t now) {
  if (now >= s->ends_at) {
    s->unused += s->turns;
    s->turns = 0;
  }
}

static int64_t wait_for_grant(rate_share *s, int64_t now, bool is_normal) {
  if (!s->is_asked && s->next_at > now) {
    return s->next_at - now;
  }
  if (!s->waits) {
    s->waits = true;
    s->waits_since = now;
  }
  s->waits_normal = s->waits_normal || is_normal;
  return min(max((now - s->waits_since) / WAIT_PART, WAIT_MIN_MS), WAIT_MAX_MS);
}

int64_t rate_share_take(rate_share *s, int64_t now, int64_t spare) {
  expire(s, now);
  if (s->turns == 0 || (spare > 0 && s->turns + s->left <= spare)) {
    return wait_for_grant(s, now, spare == 0);
  }
  s->turns--;
  if (s->used++ == 0) {
    s->used_since = now;
  }
  s->active_at = now;
  return 0;
}

int64_t rate_share_left(const rate_share *s, int64_t now, int64_t spare) {
  return max((now < s->ends_at ? s->turns : 0) + s->left - spare, 0);
}

bool rate_share_is_in_use(const rate_share *s) {
  return s->turns > 0 || s->used > 0 || s->unused > 0 || s->is_asked;
}

int64_t rate_share_due(const rate_share *s) {
  int64_t due = INT64_MAX;
  if (s->is_asked) {
    return due;
  }
  if (s->waits || (s->used > 0 && s->turns < s->amount / 2)) {
    due = s->next_at;
  }
  if (s->used > 0) {
    due = min(due, max(s->used_since + REPORT_MS, s->next_at));
  }
  if (s->turns > 0 || s->unused > 0) {
    due = min(due, max(s->active_at + IDLE_MS, s->next_at));
  }
  return due;
}

/* As many turns as calls have used lately; more each time that they wait for more. */
static int64_t next_amount(const rate_share *s, int64_t limit) {
  int64_t least = max(limit / AMOUNT_PART, 1);
  int64_t amount = !s->waits      ? min(s->amount, 2 * s->used)
                   : !s->was_full ? s->amount / 2
                                  : 2 * s->amount;
  return min(max(amount, least), limit);
}

void rate_share_request(rate_share *s, int64_t limit, int64_t spare, int64_t now,
                        palenca_share_request *request) {
  expire(s, now);
  bool is_idle = !s->waits && s->used == 0;
  s->amount = is_idle ? 0 : next_amount(s, limit);
  int64_t surplus = max(s->turns - s->amount, 0);
  s->turns -= surplus;
  s->is_asked = true;
  s->asked_at = now;
  s->asked_used = s->used;
  s->asked_wanted = s->amount - s->turns;
  request->asked_at = now;
  request->limit = limit;
  request->kept = s->turns;
  request->unused = s->unused + surplus;
  request->wanted = s->asked_wanted;
  request->spare = s->waits_normal ? 0 : spare;
  request->is_waiting = s->waits;
  s->used = s->unused = 0; /* that of a failed request stays lost: nobody knows whether it counts */
}

void rate_share_grant(rate_share *s, const palenca_share_grant *grant, int64_t now) {
  s->is_asked = false;
  if (grant == NULL) {
    if (s->asked_used > 0) {
      s->used += s->asked_used;
      s->used_since = s->asked_at - REPORT_MS; /* to be reported at once */
    }
    s->next_at = now + RETRY_MS;
    return;
  }
  s->ends_at = s->asked_at + PALENCA_SHARE_HOLD_MS;
  s->turns += grant->granted;
  s->left = grant->left;
  s->was_full = grant->granted == s->asked_wanted;
  s->waits = s->waits_normal = false;
  s->next_at = s->was_full || grant->granted > 0 ? now : now + max(grant->wait_ms, WAIT_MIN_MS);
  s->active_at = grant->granted > 0 ? now : s->active_at;
}
