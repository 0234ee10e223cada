/* Tests of the classes of responses, and of the decision to repeat an attempt. */
#include "palenca.h"
#include "support/unit_test.h"

#include <limits.h>
#include <stdio.h>

UNIT_TEST(test_status_kinds) {
  static const struct {
    int status;
    palenca_kind kind;
  } rows[] = {
      {-1, PALENCA_PROTOCOL},  {0, PALENCA_PROTOCOL},       {100, PALENCA_PROTOCOL},
      {199, PALENCA_PROTOCOL}, {200, PALENCA_OK},           {201, PALENCA_OK},
      {204, PALENCA_OK},       {299, PALENCA_OK},           {300, PALENCA_PROTOCOL},
      {302, PALENCA_PROTOCOL}, {304, PALENCA_PROTOCOL},     {399, PALENCA_PROTOCOL},
      {400, PALENCA_INVALID},  {401, PALENCA_AUTH},         {402, PALENCA_INVALID},
      {403, PALENCA_AUTH},     {404, PALENCA_NOT_FOUND},    {405, PALENCA_INVALID},
      {408, PALENCA_TIMEOUT},  {409, PALENCA_INVALID},      {412, PALENCA_INVALID},
      {422, PALENCA_INVALID},  {429, PALENCA_RATE_LIMITED}, {499, PALENCA_INVALID},
      {500, PALENCA_SERVER},   {501, PALENCA_SERVER},       {502, PALENCA_SERVER},
      {503, PALENCA_SERVER},   {504, PALENCA_TIMEOUT},      {599, PALENCA_SERVER},
      {600, PALENCA_PROTOCOL}, {INT_MAX, PALENCA_PROTOCOL}, {INT_MIN, PALENCA_PROTOCOL},
  };
  for (size_t i = 0; i < LENGTH(rows); i++) {
    assert_int_equal(palenca_status_kind(rows[i].status), rows[i].kind);
  }
}

UNIT_TEST(test_kind_names) {
  static const char *const names[] = {"network",  "timeout",   "rate_limited", "auth",
                                      "invalid",  "not_found", "platform",     "server",
                                      "protocol", "usage",     "no_memory"};
  assert_null(palenca_kind_name(PALENCA_OK));
  for (size_t i = 0; i < LENGTH(names); i++) {
    assert_string_equal(palenca_kind_name((palenca_kind)(i + 1)), names[i]);
  }
  assert_null(palenca_kind_name((palenca_kind)(LENGTH(names) + 1)));
}

/* ---- Whether ---- */

typedef struct {
  palenca_kind kind;
  int status;
  bool sent, idempotent;
} failure;

static palenca_attempt attempt_of(const failure *what) {
  return (palenca_attempt){.number = 1,
                           .kind = what->kind,
                           .status = what->status,
                           .sent = what->sent,
                           .idempotent = what->idempotent,
                           .max_retries = 3,
                           .retry_after_ms = -1,
                           .window_left_ms = -1};
}

UNIT_TEST(test_what_is_repeated) {
  static const failure rows[] = {
      {PALENCA_OK, 408, true, true},      {PALENCA_OK, 500, true, true},
      {PALENCA_OK, 502, true, true},      {PALENCA_OK, 503, true, true},
      {PALENCA_OK, 504, true, true},      {PALENCA_OK, 429, true, true},
      {PALENCA_OK, 507, true, true},      {PALENCA_OK, 509, true, true},
      {PALENCA_OK, 520, true, true},      {PALENCA_OK, 522, true, true},
      {PALENCA_OK, 529, true, true},      {PALENCA_OK, 530, true, true},
      {PALENCA_OK, 598, true, true},      {PALENCA_OK, 599, true, true},
      {PALENCA_OK, 429, true, false},     {PALENCA_NETWORK, 0, true, true},
      {PALENCA_NETWORK, 0, false, true},  {PALENCA_NETWORK, 0, false, false},
      {PALENCA_NETWORK, 200, true, true}, {PALENCA_TIMEOUT, 0, true, true},
      {PALENCA_TIMEOUT, 0, false, true},  {PALENCA_TIMEOUT, 0, false, false},
      {PALENCA_TIMEOUT, 200, true, true},
  };
  for (size_t i = 0; i < LENGTH(rows); i++) {
    palenca_attempt attempt = attempt_of(&rows[i]);
    assert_true(palenca_retry_decide(&attempt, 0).retry);
    attempt.number = attempt.max_retries;
    assert_true(palenca_retry_decide(&attempt, 0).retry);
    attempt.number = attempt.max_retries + 1;
    assert_false(palenca_retry_decide(&attempt, 0).retry);
    attempt.number = 1;
    attempt.max_retries = 0;
    assert_false(palenca_retry_decide(&attempt, 0).retry);
  }
}

UNIT_TEST(test_what_is_not_repeated) {
  static const failure rows[] = {
      {PALENCA_OK, 200, true, true},       {PALENCA_OK, 204, true, true},
      {PALENCA_OK, 302, true, true},       {PALENCA_OK, 400, true, true},
      {PALENCA_OK, 401, true, true},       {PALENCA_OK, 403, true, true},
      {PALENCA_OK, 404, true, true},       {PALENCA_OK, 409, true, true},
      {PALENCA_OK, 422, true, true},       {PALENCA_OK, 501, true, true},
      {PALENCA_OK, 505, true, true},       {PALENCA_OK, 408, true, false},
      {PALENCA_OK, 506, true, true},       {PALENCA_OK, 508, true, true},
      {PALENCA_OK, 510, true, true},       {PALENCA_OK, 511, true, true},
      {PALENCA_OK, 526, true, true},       {PALENCA_OK, 600, true, true},
      {PALENCA_OK, 507, true, false},      {PALENCA_OK, 520, true, false},
      {PALENCA_OK, 500, true, false},      {PALENCA_OK, 502, true, false},
      {PALENCA_OK, 503, true, false},      {PALENCA_OK, 504, true, false},
      {PALENCA_NETWORK, 0, true, false},   {PALENCA_TIMEOUT, 0, true, false},
      {PALENCA_NETWORK, 429, true, false}, {PALENCA_TIMEOUT, 429, true, false},
      {PALENCA_PROTOCOL, 0, true, true},   {PALENCA_PROTOCOL, 200, true, true},
      {PALENCA_PROTOCOL, 503, true, true}, {PALENCA_USAGE, 0, false, true},
      {PALENCA_NO_MEMORY, 0, false, true},
  };
  for (size_t i = 0; i < LENGTH(rows); i++) {
    palenca_attempt attempt = attempt_of(&rows[i]);
    if (palenca_retry_decide(&attempt, 0).retry) {
      fail_msg("row %zu is repeated", i);
    }
  }
}

/* Every combination, whatever else is said: what may have had an effect is done once. */
UNIT_TEST(test_a_doubtful_creation_is_never_sent_twice) {
  static const int64_t waits[] = {-1, 0, 1000};
  int repeated = 0;
  for (palenca_kind kind = PALENCA_OK; kind <= PALENCA_NO_MEMORY; kind++) {
    for (int status = 0; status < 620; status++) {
      for (size_t i = 0; i < LENGTH(waits) * LENGTH(waits); i++) {
        palenca_attempt attempt = attempt_of(&(failure){kind, status, true, false});
        attempt.max_retries = INT_MAX;
        attempt.retry_after_ms = waits[i % LENGTH(waits)];
        attempt.window_left_ms = waits[i / LENGTH(waits)];
        bool is_rejected_by_rate = kind == PALENCA_OK && status == 429;
        bool retry = palenca_retry_decide(&attempt, 12345).retry;
        assert_true(retry == is_rejected_by_rate);
        repeated += retry;
      }
    }
  }
  assert_int_equal(repeated, 9);
}

/* ---- When ---- */

static const uint64_t randoms[] = {0,
                                   1,
                                   499,
                                   500,
                                   501,
                                   20000,
                                   20001,
                                   UINT32_MAX,
                                   INT64_MAX,
                                   UINT64_MAX / 2 + 1,
                                   UINT64_MAX - 1,
                                   UINT64_MAX};

UNIT_TEST(test_waits_grow_to_a_bound_with_full_jitter) {
  static const int64_t ceilings[] = {500, 1000, 2000, 4000, 8000, 16000, 20000, 20000, 20000};
  for (size_t i = 0; i < LENGTH(ceilings) + 3; i++) {
    palenca_attempt attempt = attempt_of(&(failure){PALENCA_OK, 503, true, true});
    static const int far[] = {64, 1000, INT_MAX};
    bool is_far = i >= LENGTH(ceilings);
    attempt.number = is_far ? far[i - LENGTH(ceilings)] : (int)i + 1;
    attempt.max_retries = INT_MAX;
    int64_t ceiling = is_far ? 20000 : ceilings[i];
    assert_int_equal(palenca_retry_decide(&attempt, 0).wait_ms, 0);
    assert_int_equal(palenca_retry_decide(&attempt, (uint64_t)ceiling).wait_ms, ceiling);
    assert_int_equal(palenca_retry_decide(&attempt, (uint64_t)ceiling + 1).wait_ms, 0);
    for (size_t r = 0; r < LENGTH(randoms); r++) {
      palenca_decision decision = palenca_retry_decide(&attempt, randoms[r]);
      assert_true(decision.retry);
      assert_in_range(decision.wait_ms, 0, ceiling);
    }
  }
}

UNIT_TEST(test_never_sooner_than_the_server_asked) {
  static const int64_t asked[] = {0, 1, 1000, 60000, 119999, 120000};
  static const int statuses[] = {429, 503};
  for (size_t s = 0; s < LENGTH(statuses); s++) {
    for (size_t i = 0; i < LENGTH(asked) * LENGTH(randoms); i++) {
      palenca_attempt attempt = attempt_of(&(failure){PALENCA_OK, statuses[s], true, true});
      attempt.retry_after_ms = asked[i % LENGTH(asked)];
      for (attempt.number = 1; attempt.number <= 3; attempt.number++) {
        palenca_decision decision = palenca_retry_decide(&attempt, randoms[i / LENGTH(asked)]);
        assert_true(decision.retry);
        assert_in_range(decision.wait_ms, attempt.retry_after_ms, attempt.retry_after_ms + 5000);
      }
    }
  }
}

UNIT_TEST(test_the_window_counts_for_429_alone) {
  palenca_attempt attempt = attempt_of(&(failure){PALENCA_OK, 429, true, false});
  attempt.window_left_ms = 30000;
  assert_int_equal(palenca_retry_decide(&attempt, 0).wait_ms, 30000);
  attempt.retry_after_ms = 1000;
  assert_int_equal(palenca_retry_decide(&attempt, 0).wait_ms, 30000);
  attempt.retry_after_ms = 45000;
  assert_int_equal(palenca_retry_decide(&attempt, 0).wait_ms, 45000);
  attempt = attempt_of(&(failure){PALENCA_OK, 503, true, true});
  attempt.window_left_ms = 30000;
  assert_int_equal(palenca_retry_decide(&attempt, 0).wait_ms, 0);
  attempt.window_left_ms = INT64_MAX;
  assert_true(palenca_retry_decide(&attempt, 0).retry);
}

UNIT_TEST(test_retries_end_at_the_timeout) {
  static const int64_t beyond[] = {120001, 86400000, INT64_MAX};
  for (size_t i = 0; i < LENGTH(beyond); i++) {
    palenca_attempt attempt = attempt_of(&(failure){PALENCA_OK, 429, true, true});
    attempt.retry_after_ms = beyond[i];
    assert_false(palenca_retry_decide(&attempt, 0).retry);
    assert_false(palenca_retry_decide(&attempt, UINT64_MAX).retry);
    attempt.retry_after_ms = -1;
    attempt.window_left_ms = beyond[i];
    assert_false(palenca_retry_decide(&attempt, 0).retry);
    attempt = attempt_of(&(failure){PALENCA_OK, 503, true, true});
    attempt.retry_after_ms = beyond[i];
    assert_false(palenca_retry_decide(&attempt, 0).retry);
  }
}

/* No window is as long: one of the two clocks is wrong, and Retry-After does not depend on it.
 */
UNIT_TEST(test_a_window_that_cannot_be_does_not_count_beside_retry_after) {
  static const int64_t lefts[] = {62001, 120001, 602000, 86400000, INT64_MAX};
  for (size_t i = 0; i < LENGTH(lefts); i++) {
    palenca_attempt attempt = attempt_of(&(failure){PALENCA_OK, 429, true, true});
    attempt.retry_after_ms = 2000;
    attempt.window_left_ms = lefts[i];
    assert_true(palenca_retry_decide(&attempt, 0).retry);
    assert_int_equal(palenca_retry_decide(&attempt, 0).wait_ms, 2000);
    assert_int_equal(palenca_limit_wait(2000, lefts[i]), 2000);
    assert_int_equal(palenca_limit_wait(-1, lefts[i]), lefts[i]);
  }
  assert_int_equal(palenca_limit_wait(2000, 62000), 62000);
  assert_int_equal(palenca_limit_wait(2000, -1), 2000);
  assert_int_equal(palenca_limit_wait(-1, -1), -1);
}
