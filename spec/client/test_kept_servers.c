/* Tests of when connections to a server are looked after, and how many are opened in a time. */
#include "kept_servers.h"

#include "support/unit_test.h"

#include <string.h>

static transport_request server_at(const char *url) {
  return (transport_request){.method = "GET", .url = url, .ca_file = "ca.pem"};
}

UNIT_TEST(test_a_server_is_checked_once_a_second_until_its_time_has_passed) {
  kept_servers kept = {0};
  transport_request request = server_at("https://a.example/");
  assert_int_equal(kept_servers_next(&kept), -1);
  assert_true(kept_servers_add(&kept, &request, 1, 5000, 1000));
  assert_int_equal(kept_servers_next(&kept), 1000);
  kept_server *one = kept_servers_due(&kept, 1000);
  assert_non_null(one);
  assert_string_equal(one->request.url, "https://a.example/");
  assert_string_equal(one->request.ca_file, "ca.pem");
  assert_null(one->request.proxy);
  assert_null(kept_servers_due(&kept, 1999));
  assert_int_equal(kept_servers_next(&kept), 2000);
  assert_non_null(kept_servers_due(&kept, 2000));
  assert_non_null(kept_servers_due(&kept, 4999));
  assert_null(kept_servers_due(&kept, 5999));
  assert_int_equal(kept.count, 0);
  assert_int_equal(kept_servers_next(&kept), -1);
}

UNIT_TEST(test_a_server_is_kept_for_longer_never_for_less_long) {
  kept_servers kept = {0};
  transport_request request = server_at("https://a.example/");
  assert_true(kept_servers_add(&kept, &request, 1, 5000, 0));
  assert_true(kept_servers_add(&kept, &request, 1, 3000, 0));
  assert_int_equal(kept.servers[0].until, 5000);
  assert_true(kept_servers_add(&kept, &request, 1, 9000, 0));
  assert_int_equal(kept.servers[0].until, 9000);
  assert_int_equal(kept.count, 1);
  kept_servers_free(&kept);
  assert_int_equal(kept.count, 0);
}

UNIT_TEST(test_a_recheck_is_of_the_server_that_is_named) {
  kept_servers kept = {0};
  transport_request request = server_at("https://a.example/");
  assert_true(kept_servers_add(&kept, &request, 1, 5000, 0));
  assert_true(kept_servers_add(&kept, &request, 2, 5000, 0));
  assert_non_null(kept_servers_due(&kept, 0));
  assert_non_null(kept_servers_due(&kept, 0));
  kept_servers_recheck(&kept, 2, 10);
  kept_servers_recheck(&kept, 3, 10);
  kept_server *one = kept_servers_due(&kept, 10);
  assert_non_null(one);
  assert_int_equal(one->origin, 2);
  assert_null(kept_servers_due(&kept, 10));
  kept_servers_free(&kept);
}

UNIT_TEST(test_the_soonest_to_end_makes_room) {
  kept_servers kept = {0};
  transport_request request = server_at("https://a.example/");
  for (int i = 0; i < KEPT_SERVERS_MAX; i++) {
    assert_true(kept_servers_add(&kept, &request, (uint64_t)(1 + i), 5000 - i, 0));
  }
  assert_true(kept_servers_add(&kept, &request, 99, 100, 0));
  assert_int_equal(kept.count, KEPT_SERVERS_MAX);
  for (size_t i = 0; i < kept.count; i++) {
    assert_int_not_equal(kept.servers[i].origin, KEPT_SERVERS_MAX);
  }
  kept_servers_free(&kept);
}

UNIT_TEST(test_a_server_that_closes_gets_few_connections_in_a_time) {
  kept_servers kept = {0};
  transport_request request = server_at("https://a.example/");
  assert_true(kept_servers_add(&kept, &request, 1, 600000, 0));
  int opened = 0;
  for (int64_t now = 0; now < 600000; now += 1000) {
    kept_server *one = kept_servers_due(&kept, now);
    assert_non_null(one);
    while (kept_server_may_connect(one, now)) {
      opened++;
    }
  }
  assert_int_equal(opened, 12 + 59); /* at once, and then one in ten seconds */
  kept_servers_free(&kept);
}
