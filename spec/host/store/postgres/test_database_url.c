/* Tests of what is shown of a database's URL. */
#include "store/postgres/url.h"
#include "support/unit_test.h"

#include <string.h>

static void assert_shown(const char *url, const char *expected) {
  char shown[200];
  postgres_url_without_password(url, shown, sizeof shown);
  assert_string_equal(shown, expected);
}

static void test_urls_are_known_by_their_scheme(void **state) {
  (void)state;
  assert_true(postgres_is_url("postgresql://host/x"));
  assert_true(postgres_is_url("postgres://"));
  assert_false(postgres_is_url("palenca.db"));
  assert_false(postgres_is_url("./postgresql://x"));
  assert_false(postgres_is_url("postgresql:/x"));
}

static void test_what_has_no_password_is_shown_whole(void **state) {
  (void)state;
  const char *const whole[] = {"palenca.db",
                               "a:b@c.db",
                               "postgresql://",
                               "postgresql://h:1,i:2/x",
                               "postgresql://u@h/x?sslmode=require&host=/tmp",
                               "postgresql://u@[::1]:5432/x"};
  for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
    assert_shown(whole[i], whole[i]);
  }
}

static void test_a_password_is_not_shown(void **state) {
  (void)state;
  assert_shown("postgresql://u:secret@h/x", "postgresql://u@h/x");
  assert_shown("postgres://:secret@h", "postgres://@h");
  assert_shown("postgresql://u:se:cr@h:1,i:2/x", "postgresql://u@h:1,i:2/x");
  assert_shown("postgresql://u@h/x?password=secret", "postgresql://u@h/x");
  assert_shown("postgresql://u@h/x?a=b&sslpassword=secret&c=d", "postgresql://u@h/x?a=b&c=d");
  assert_shown("postgresql://u@h/x?pass%77ord=secret&c=d", "postgresql://u@h/x?c=d");
}

/* Such a URL is not read as it was meant, and yet nobody must see what is in it. */
static void test_a_password_that_is_not_escaped_is_not_shown(void **state) {
  (void)state;
  assert_shown("postgresql://u:sec@ret@h/x", "postgresql://u@h/x");
  assert_shown("postgresql://u:sec/ret@h/x", "postgresql://u@h/x");
  assert_shown("postgresql://u:sec?ret@h/x", "postgresql://u@h/x");
}

static void test_what_has_no_room_is_left_out(void **state) {
  (void)state;
  char shown[20];
  postgres_url_without_password("postgresql://u:secret@host/x", shown, sizeof shown);
  assert_string_equal(shown, "postgresql://u@host");
}

static void test_what_can_be_read_in_two_ways_is_not_clear(void **state) {
  (void)state;
  const char *const clear[] = {"postgresql://",          "postgresql://h:1,i:2/x",
                               "postgresql://u@h",       "postgresql://u:se%40cret@[::1]:5432/x",
                               "postgresql:///x?host=/", "postgresql://u:p@/x?options=-cx%3Da:b@c"};
  const char *const others[] = {"palenca.db",
                                "postgresql://u:sec@ret@h/x",
                                "postgresql://u:sec/ret@h/x",
                                "postgresql://u:123/ret@h/x",
                                "postgresql://u:sec?ret@h/x",
                                "postgresql://u:secret",
                                "postgresql://u:p@h:1,i:b/x"};
  for (size_t i = 0; i < sizeof clear / sizeof clear[0]; i++) {
    assert_true(postgres_url_is_clear(clear[i]));
  }
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    assert_false(postgres_url_is_clear(others[i]));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_urls_are_known_by_their_scheme),
      cmocka_unit_test(test_what_has_no_password_is_shown_whole),
      cmocka_unit_test(test_a_password_is_not_shown),
      cmocka_unit_test(test_a_password_that_is_not_escaped_is_not_shown),
      cmocka_unit_test(test_what_has_no_room_is_left_out),
      cmocka_unit_test(test_what_can_be_read_in_two_ways_is_not_clear),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
