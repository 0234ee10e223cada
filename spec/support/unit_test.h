/* Tests for cmocka that register themselves where they are written, and what registers them. A test
 * program is made of such tests: they run in the order in which they stand, and their main function
 * is here. */
#ifndef SPEC_SUPPORT_UNIT_TEST_H
#define SPEC_SUPPORT_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

/* A test with a fixture, such as `fixture *f`, which set_up makes and tear_down frees. */
#define FIXTURE_TEST(name, parameter, set_up, tear_down)                                           \
  static void name(parameter);                                                                     \
  static void name##_of_state(void **state) {                                                      \
    name(*state);                                                                                  \
  }                                                                                                \
  __attribute__((constructor)) static void register_##name(void) {                                 \
    register_test(#name, name##_of_state, set_up, tear_down);                                      \
  }                                                                                                \
  static void name(__attribute__((unused)) parameter)

/* A test that needs none. */
#define UNIT_TEST(name) FIXTURE_TEST(name, void *nothing, NULL, NULL)

void register_test(const char *name, CMUnitTestFunction test, CMFixtureFunction set_up,
                   CMFixtureFunction tear_down);

/* Waits for a child of the test, which has to end with status 0. */
void assert_child_succeeds(int child);

#endif
