/* Tests of the signals, which must come before any thread of the test. */
#include "common/signals.h"
#include "support/unit_test.h"

#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_ignored(int number) {
  struct sigaction action;
  return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static bool is_blocked(int number) {
  sigset_t set;
  return sigprocmask(SIG_BLOCK, NULL, &set) == 0 && sigismember(&set, number) == 1;
}

/* Of a child: the number of what it does not find as it usually is. */
static int count_inherited(void) {
  return is_ignored(SIGPIPE) + is_ignored(SIGXFSZ) + is_blocked(SIGTERM) + is_blocked(SIGINT) +
         is_blocked(SIGHUP);
}

UNIT_TEST(child_finds_the_signals_as_they_usually_are) {
  signals_begin();
  assert_true(is_ignored(SIGPIPE) && is_ignored(SIGXFSZ));
  assert_true(is_blocked(SIGTERM) && is_blocked(SIGINT) && is_blocked(SIGHUP));
  pid_t child = fork();
  if (child == 0) {
    _exit(count_inherited());
  }
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  assert_true(is_blocked(SIGTERM));
  signals_release();
  assert_false(is_blocked(SIGTERM));
}
