/* Tests of the address of the socket beside a database. */
#include "store/admin/socket_address.h"
#include "support/unit_test.h"

#include <string.h>

UNIT_TEST(short_path_is_the_address) {
  event_admin_address address;
  host_error error;
  assert_true(event_admin_address_open(&address, "/tmp/events.db", &error));
  assert_string_equal(address.address.sun_path, "/tmp/events.db-socket");
  assert_int_equal(address.directory, -1);
  event_admin_address_close(&address);
}

UNIT_TEST(name_that_is_too_long_leaves_no_directory_open) {
  char path[200] = "/tmp/";
  memset(path + 5, 'n', sizeof path - 6);
  event_admin_address address;
  host_error error = {.kind = HOST_OK};
  assert_false(event_admin_address_open(&address, path, &error));
  assert_int_equal(error.kind, HOST_FAILED);
  assert_non_null(strstr(error.message, "the name is too long for a socket"));
  assert_int_equal(address.directory, -1);
}
