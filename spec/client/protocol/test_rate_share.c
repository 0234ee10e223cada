/* Tests of a process's share of a rate limit: alone, and of several processes against a count that
 * grants as PostgreSQL's does, on a simulated clock, with requests that take long or are lost. */
#include "protocol/rate_share.h"
#include "support/random.h"
#include "support/unit_test.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT 120
#define SPARE 5

static palenca_share_request request_of(rate_share *share, int64_t now) {
  palenca_share_request request = {.owner = 1};
  rate_share_request(share, LIMIT, SPARE, now, &request);
  return request;
}

/* A share that was granted all that it asked for at `now`, for one call. */
static rate_share share_with_turns(int64_t now) {
  rate_share share = {0};
  assert_int_not_equal(rate_share_take(&share, now, 0), 0);
  palenca_share_request request = request_of(&share, now);
  rate_share_grant(&share, &(palenca_share_grant){.granted = request.wanted, .left = 100}, now);
  return share;
}

UNIT_TEST(test_without_a_grant_nothing_is_sent_and_a_request_is_due_at_once) {
  rate_share share = {0};
  assert_true(rate_share_due(&share) == INT64_MAX);
  assert_int_equal(rate_share_left(&share, 1000, 0), 0);
  assert_int_not_equal(rate_share_take(&share, 1000, 0), 0);
  assert_true(rate_share_due(&share) <= 1000);
  palenca_share_request request = request_of(&share, 1000);
  assert_int_equal(request.kept, 0);
  assert_int_equal(request.unused, 0);
  assert_int_equal(request.wanted, 3);
  assert_true(request.is_waiting);
  /* one at a time */
  assert_true(rate_share_due(&share) == INT64_MAX);
  assert_int_not_equal(rate_share_take(&share, 1001, 0), 0);
}

UNIT_TEST(test_as_many_are_sent_as_were_granted) {
  rate_share share = share_with_turns(1000);
  assert_int_equal(rate_share_left(&share, 1000, SPARE), 98);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(rate_share_take(&share, 1001, 0), 0);
  }
  assert_int_not_equal(rate_share_take(&share, 1001, 0), 0);
}

UNIT_TEST(test_turns_expire_counted_from_the_request_on) {
  rate_share share = {0};
  (void)rate_share_take(&share, 1000, 0);
  (void)request_of(&share, 1000);
  rate_share_grant(&share, &(palenca_share_grant){.granted = 3}, 4000); /* it took long */
  assert_int_equal(rate_share_take(&share, 1000 + PALENCA_SHARE_HOLD_MS - 1, 0), 0);
  assert_int_not_equal(rate_share_take(&share, 1000 + PALENCA_SHARE_HOLD_MS, 0), 0);
  palenca_share_request request = request_of(&share, 1000 + PALENCA_SHARE_HOLD_MS);
  assert_int_equal(request.kept, 0);
  assert_int_equal(request.unused, 2);
}

UNIT_TEST(test_turns_come_ahead_of_need_while_calls_use_them) {
  rate_share share = share_with_turns(0);
  int64_t now = 0, waited = 0;
  for (int i = 0; i < 100; i++) {
    now += 400;
    waited += rate_share_take(&share, now, 0) != 0;
    if (rate_share_due(&share) <= now) {
      palenca_share_request request = request_of(&share, now);
      rate_share_grant(&share, &(palenca_share_grant){.granted = request.wanted}, now);
    }
  }
  assert_int_equal(waited, 0);
}

UNIT_TEST(test_what_is_not_used_is_returned) {
  rate_share share = share_with_turns(1000);
  assert_int_equal(rate_share_take(&share, 1100, 0), 0);
  assert_int_equal(rate_share_due(&share), 1600); /* a report of the use */
  (void)request_of(&share, 1600);
  rate_share_grant(&share, &(palenca_share_grant){.granted = 0}, 1600);
  assert_int_equal(rate_share_due(&share), 2100);
  palenca_share_request request = request_of(&share, 2100);
  assert_int_equal(request.kept, 0);
  assert_int_equal(request.unused, 2);
  assert_int_equal(request.wanted, 0);
  assert_false(request.is_waiting);
  rate_share_grant(&share, &(palenca_share_grant){.left = LIMIT}, 2101);
  assert_false(rate_share_is_in_use(&share));
  assert_true(rate_share_due(&share) == INT64_MAX);
}

UNIT_TEST(test_what_was_returned_in_a_lost_request_is_not_said_twice) {
  rate_share share = share_with_turns(1000);
  assert_int_equal(request_of(&share, 2000).unused, 3);
  rate_share_grant(&share, NULL, 2100);
  (void)rate_share_take(&share, 2200, 0);
  assert_int_equal(request_of(&share, 2200).unused, 0);
}

UNIT_TEST(test_what_was_used_before_a_lost_request_is_reported_by_the_next) {
  rate_share share = share_with_turns(1000);
  assert_int_equal(rate_share_take(&share, 1100, 0), 0);
  assert_int_equal(request_of(&share, 1600).kept, 2);
  rate_share_grant(&share, NULL, 1700);
  assert_int_equal(rate_share_due(&share), 1800);
}

UNIT_TEST(test_more_are_asked_for_each_time_that_calls_wait) {
  static const int64_t wanted[] = {3, 6, 12, 24, 48, 96, 120, 120};
  rate_share share = {0};
  for (size_t i = 0; i < LENGTH(wanted); i++) {
    while (rate_share_take(&share, 100, 0) == 0) {
    }
    palenca_share_request request = request_of(&share, 100);
    assert_int_equal(request.wanted, wanted[i]);
    rate_share_grant(&share, &(palenca_share_grant){.granted = request.wanted}, 100);
  }
}

UNIT_TEST(test_a_wait_that_was_named_is_kept) {
  rate_share share = {0};
  (void)rate_share_take(&share, 1000, 0);
  (void)request_of(&share, 1000);
  rate_share_grant(&share, &(palenca_share_grant){.wait_ms = 700}, 1010);
  assert_int_equal(rate_share_take(&share, 1010, 0), 700);
  assert_true(rate_share_due(&share) == INT64_MAX);
  assert_in_range(rate_share_take(&share, 1710, 0), 1, 100);
  assert_int_equal(rate_share_due(&share), 1710);
}

UNIT_TEST(test_calls_of_low_priority_leave_some_to_others) {
  rate_share share = {0};
  (void)rate_share_take(&share, 0, SPARE);
  palenca_share_request request = request_of(&share, 0);
  assert_int_equal(request.spare, SPARE);
  rate_share_grant(&share, &(palenca_share_grant){.granted = 3, .left = 1}, 0);
  assert_int_not_equal(rate_share_take(&share, 1, SPARE), 0);
  assert_int_equal(rate_share_take(&share, 1, 0), 0);
  (void)rate_share_take(&share, 1, SPARE);
  assert_int_equal(request_of(&share, 1).spare, SPARE);
  rate_share_grant(&share, &(palenca_share_grant){.granted = 3, .left = 20}, 1);
  assert_int_equal(rate_share_take(&share, 2, SPARE), 0);
  while (rate_share_take(&share, 2, 0) == 0) {
  }
  assert_int_equal(request_of(&share, 2).spare, 0);
}

/* ---- several processes ---- */

#define PROCESSES 3
#define USES_MAX 20000

/* What PostgreSQL has in its tables. */
typedef struct {
  int64_t turns, expires_at, asked_at;
} counted;

typedef struct {
  counted shares[PROCESSES], uses[USES_MAX];
  size_t used;
} server;

typedef struct {
  rate_share share;
  palenca_share_request request;
  palenca_share_grant grant;
  int64_t served_at, ended_at; /* of the request under way */
  bool is_lost;
  palenca_share_request late; /* of a connection that was lost; it is served after all */
  int64_t late_at;            /* 0: there is none */
} simulated;

static int64_t count_others(const server *s, int process, int64_t now) {
  int64_t sum = 0;
  for (int i = 0; i < PROCESSES; i++) {
    sum += i != process && s->shares[i].expires_at > now ? s->shares[i].turns : 0;
  }
  for (size_t i = 0; i < s->used; i++) {
    sum += s->uses[i].expires_at > now ? s->uses[i].turns : 0;
  }
  return sum;
}

static palenca_share_grant serve(server *s, int process, const palenca_share_request *request,
                                 int64_t now) {
  counted *own = &s->shares[process];
  if (own->asked_at > request->asked_at) {
    return (palenca_share_grant){0};
  }
  int64_t had = own->expires_at > now ? own->turns : 0;
  int64_t used = had - request->kept - request->unused;
  if (used > 0) {
    assert_true(s->used < USES_MAX);
    s->uses[s->used++] = (counted){used, now + PALENCA_SHARE_WINDOW_MS, 0};
  }
  int64_t left = LIMIT - request->kept - count_others(s, process, now);
  int64_t room = left - request->spare;
  int64_t granted = room < request->wanted ? room : request->wanted;
  granted = granted > 0 ? granted : 0;
  *own = (counted){request->kept + granted, now + PALENCA_SHARE_HOLD_MS + PALENCA_SHARE_WINDOW_MS,
                   request->asked_at};
  return (palenca_share_grant){.granted = granted, .left = left - granted, .wait_ms = 300};
}

/* A server that is away, or a process that is stopped; and connections that are lost, before a
 * request has come or after it. */
static void make_trouble(simulated *one, uint64_t *seed) {
  one->served_at += (int64_t)(next_random(seed) % 50);
  one->ended_at += (int64_t)(next_random(seed) % (next_random(seed) % 20 == 0 ? 9000 : 90));
  one->is_lost = next_random(seed) % 8 == 0 || one->ended_at <= one->served_at;
  if (one->is_lost && next_random(seed) % 2 == 0) {
    one->served_at = INT64_MAX;
    one->late = one->request;
    one->late_at = one->ended_at + (int64_t)(next_random(seed) % 3000);
  }
}

static void step_request(server *s, simulated *one, int process, int64_t now, uint64_t *seed) {
  if (!one->share.is_asked && rate_share_due(&one->share) <= now) {
    rate_share_request(&one->share, LIMIT, SPARE, now, &one->request);
    one->served_at = now + 5;
    one->ended_at = now + 10;
    if (seed != NULL) {
      make_trouble(one, seed);
    }
  }
  if (one->share.is_asked && now >= one->served_at) {
    one->grant = serve(s, process, &one->request, now);
    one->served_at = INT64_MAX;
  }
  if (one->late_at > 0 && now >= one->late_at) {
    (void)serve(s, process, &one->late, now);
    one->late_at = 0;
  }
  if (one->share.is_asked && now >= one->ended_at) {
    rate_share_grant(&one->share, one->is_lost ? NULL : &one->grant, now);
  }
}

/* Calls without a break; or, with a seed, in trouble and with pauses. Returns how many there were.
 */
static size_t simulate(int busy, uint64_t *seed, int64_t *sent, int64_t end) {
  server *s = calloc(1, sizeof *s);
  assert_non_null(s);
  simulated all[PROCESSES] = {0};
  size_t count = 0;
  for (int64_t now = 1; now < end; now++) {
    for (int i = 0; i < busy; i++) {
      bool is_pause = seed != NULL && (now / 20000 + i) % 4 == 0;
      bool is_low = i == 2;
      if (!is_pause && rate_share_take(&all[i].share, now, is_low ? SPARE : 0) == 0) {
        sent[count++] = now;
      }
      step_request(s, &all[i], i, now, seed);
    }
  }
  free(s);
  return count;
}

UNIT_TEST(test_no_window_ever_holds_more_than_the_limit_of_all) {
  enum {
    END = 600000
  };
  int64_t *sent = calloc(END, sizeof *sent);
  assert_non_null(sent);
  for (uint64_t round = 1; round <= 8; round++) {
    uint64_t seed = round * 0x9e3779b97f4a7c15u;
    size_t count = simulate(PROCESSES, &seed, sent, END);
    assert_true(count > 2 * LIMIT);
    for (size_t i = LIMIT; i < count; i++) {
      assert_true(sent[i] - sent[i - LIMIT] >= PALENCA_RATE_WINDOW_MS);
    }
  }
  free(sent);
}

/* In ten windows: 0.9 of what there was, by any number of processes. */
UNIT_TEST(test_nearly_all_of_the_limit_is_used_by_those_who_can) {
  int64_t *sent = calloc(10 * PALENCA_RATE_WINDOW_MS, sizeof *sent);
  assert_non_null(sent);
  for (int busy = 1; busy <= PROCESSES; busy++) {
    size_t count = simulate(busy, NULL, sent, 10 * PALENCA_RATE_WINDOW_MS);
    assert_in_range(count, 9 * LIMIT, 10 * LIMIT);
  }
  free(sent);
}
