/* The table of cases of when the event store commits. */
#include "store/commit_policy.h"
#include "support/unit_test.h"

#define NEVER INT64_MAX

typedef struct {
  const char *name;
  commit_inputs in;
  commit_decision out;
} policy_case;

/* Nothing has been leased for long, and nothing is due, unless it is said. */
#define LONG_AGO 1000
#define DUE (-1)
#define IN(...)                                                                                    \
  { __VA_ARGS__ }
#define COMMIT(count)                                                                              \
  { .commits = true, .leases = (count) }
#define WAIT(time)                                                                                 \
  { .timeout = (time) }

static const policy_case cases[] = {
    {"nothing to do", IN(.has_puts = false), WAIT(NEVER)},
    {"workers want events, and there are none", IN(.prefetch = 64), WAIT(NEVER)},
    {"events, and nobody wants any", IN(.is_any_ready = true), WAIT(NEVER)},

    {"a put alone", IN(.has_puts = true), COMMIT(0)},
    {"a put, with leases", IN(.has_puts = true, .prefetch = 64), COMMIT(64)},
    {"leases are bounded", IN(.has_puts = true, .prefetch = 100000), COMMIT(COMMIT_MAX_LEASES)},
    {"a put takes finishes along", IN(.has_puts = true, .has_finishes = true), COMMIT(0)},

    {"a finish waits", IN(.has_finishes = true), WAIT(COMMIT_FINISH_WAIT_MS)},
    {"a finish waits on", IN(.has_finishes = true, .finish_age = 3), WAIT(2)},
    {"a finish has waited", IN(.has_finishes = true, .finish_age = 5), COMMIT(0)},
    {"a finish that is awaited", IN(.has_finishes = true, .is_finish_awaited = true), COMMIT(0)},
    {"with leases", IN(.has_finishes = true, .is_finish_awaited = true, .prefetch = 3), COMMIT(3)},
    {"a finish that is awaited in a burst",
     IN(.has_finishes = true, .is_finish_awaited = true, .burst_left = 7),
     WAIT(COMMIT_FINISH_WAIT_MS)},
    {"a finish at the end", IN(.has_finishes = true, .is_closing = true), COMMIT(0)},

    {"a lease", IN(.prefetch = 2, .is_any_ready = true), COMMIT(2)},
    {"no lease at the end", IN(.prefetch = 2, .is_any_ready = true, .is_closing = true),
     WAIT(NEVER)},
    {"a retry that is due", IN(.prefetch = 2, .due_in = DUE), COMMIT(2)},
    {"a retry that is due later", IN(.prefetch = 2, .due_in = 70), WAIT(70)},
    {"a retry that nobody wants", IN(.due_in = 70), WAIT(NEVER)},
    {"a finish before a retry", IN(.prefetch = 2, .due_in = 70, .has_finishes = true), WAIT(5)},
    {"a retry before a finish", IN(.prefetch = 2, .due_in = 2, .has_finishes = true), WAIT(2)},

    {"a put in a burst", IN(.has_puts = true, .prefetch = 9, .burst_left = 20, .lease_age = 1),
     COMMIT(0)},
    {"a put in a burst that goes on",
     IN(.has_puts = true, .prefetch = 9, .burst_left = 20, .lease_age = COMMIT_BURST_LEASE_MS),
     COMMIT(9)},
    {"a lease waits for the end of a burst",
     IN(.prefetch = 9, .is_any_ready = true, .burst_left = 20, .lease_age = 1), WAIT(20)},
    {"or for its turn in it",
     IN(.prefetch = 9, .is_any_ready = true, .burst_left = 20, .lease_age = 45), WAIT(5)},
    {"a retry that is due after a burst",
     IN(.prefetch = 9, .due_in = 30, .burst_left = 20, .lease_age = 1), WAIT(30)},

    {"a put after a failure", IN(.has_puts = true, .is_failing = true, .rest = 100), COMMIT(0)},
    {"a finish after a failure",
     IN(.has_finishes = true, .finish_age = 9, .is_failing = true, .rest = 100), WAIT(100)},
    {"a lease after a failure",
     IN(.prefetch = 4, .is_any_ready = true, .is_failing = true, .rest = 100), WAIT(100)},
    {"no lease with what shows whether it works again",
     IN(.has_finishes = true, .finish_age = 9, .prefetch = 4, .is_failing = true), COMMIT(0)},
    {"but leases alone", IN(.prefetch = 4, .is_any_ready = true, .is_failing = true), COMMIT(4)},

    {"a put while another process writes", IN(.has_puts = true, .locked = 10), WAIT(10)},
    {"all else then",
     IN(.has_finishes = true, .finish_age = 9, .prefetch = 4, .is_any_ready = true, .locked = 10),
     WAIT(10)},
    {"the end then", IN(.has_finishes = true, .is_closing = true, .locked = 10), WAIT(10)},
};

UNIT_TEST(test_the_table) {
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const policy_case *one = &cases[i];
    commit_inputs in = one->in;
    in.due_in = in.due_in == 0 ? NEVER : in.due_in;
    in.lease_age = in.lease_age == 0 ? LONG_AGO : in.lease_age;
    commit_decision out = commit_decide(&in);
    if (out.commits != one->out.commits || out.leases != one->out.leases ||
        out.timeout != one->out.timeout) {
      fail_msg("%s: commits %d, leases %zu, timeout %lld", one->name, out.commits, out.leases,
               (long long)out.timeout);
    }
  }
}

UNIT_TEST(test_many_puts_in_a_short_time_are_a_burst) {
  commit_burst burst = {.puts = 0};
  commit_burst_add(&burst, COMMIT_BURST_PUTS - 1, 1000);
  assert_int_equal(commit_burst_left(&burst, 1000), 0);
  commit_burst_add(&burst, 1, 1000 + COMMIT_BURST_MS - 1);
  assert_int_equal(commit_burst_left(&burst, 1000 + COMMIT_BURST_MS - 1), COMMIT_BURST_MS);
  assert_int_equal(commit_burst_left(&burst, 1000 + 2 * COMMIT_BURST_MS - 1), 0);
}

UNIT_TEST(test_as_many_in_a_longer_time_are_none) {
  commit_burst burst = {.puts = 0};
  commit_burst_add(&burst, COMMIT_BURST_PUTS - 1, 1000);
  commit_burst_add(&burst, COMMIT_BURST_PUTS - 1, 1000 + COMMIT_BURST_MS);
  assert_int_equal(commit_burst_left(&burst, 1000 + COMMIT_BURST_MS), 0);
}
