/* The tests of a program, in the order in which they stand, and its main function. */
#include "support/unit_test.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

enum {
  TESTS_MAX = 64
};

static struct CMUnitTest tests[TESTS_MAX]; /* cmocka passes over those without a name */
static size_t test_count;

void register_test(const char *name, CMUnitTestFunction test, CMFixtureFunction set_up,
                   CMFixtureFunction tear_down) {
  if (test_count == TESTS_MAX) {
    abort();
  }
  tests[test_count++] = (struct CMUnitTest){name, test, set_up, tear_down, NULL};
}

void assert_child_succeeds(int child) {
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

int main(void) {
  return cmocka_run_group_tests_name(program_invocation_short_name, tests, NULL, NULL);
}
