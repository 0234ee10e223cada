/* The tests of a program, in the order in which they stand, and its main function. */
#include "support/unit_test.h"

#include <errno.h>
#include <stdlib.h>

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

int main(void) {
  return cmocka_run_group_tests_name(program_invocation_short_name, tests, NULL, NULL);
}
