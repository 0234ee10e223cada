/* Tests of rate limits that the process shares with others: its calls wait for what it is granted,
 * and go on when it is. */
#include "engine_fixture.h"
#include "rate_limiters.h"

#include <stdatomic.h>
#include <string.h>

static atomic_int wakes;

static void wake(void *context) {
  assert_ptr_equal(context, &wakes);
  wakes++;
}

static int divide(void **state) {
  wakes = 0;
  palenca_rate_limiters_divide(wake, &wakes);
  return set_up(state);
}

static int end_division(void **state) {
  palenca_rate_limiters_divide(NULL, NULL);
  return tear_down(state);
}

#define SHARES_TEST(name) FIXTURE_TEST(name, fixture *f, divide, end_division)

/* The only request that is due. */
static palenca_share_request collect(void) {
  palenca_share_request requests[2];
  assert_int_equal(palenca_rate_limiters_collect(requests, 2), 1);
  return requests[0];
}

static void grant(const palenca_share_request *request, int64_t turns) {
  palenca_rate_limiters_grant(request, &(palenca_share_grant){.granted = turns, .wait_ms = 1000});
}

SHARES_TEST(test_a_call_waits_for_a_grant_and_one_wake_asks_for_it) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = limited(f, "granted", 100);
  (void)submit(f->engine, &request);
  assert_int_equal(palenca_engine_step(f->engine, 20, NULL, 0), 0);
  assert_int_equal(palenca_engine_step(f->engine, 20, NULL, 0), 0);
  assert_int_equal(wakes, 1);
  palenca_share_request asked = collect();
  unsigned char digest[RATE_LIMITER_DIGEST_SIZE];
  rate_limiters_digest("granted", strlen("granted"), digest);
  assert_memory_equal(asked.digest, digest, sizeof digest);
  assert_true(asked.owner > 0);
  assert_int_equal(asked.limit, 100);
  assert_true(asked.wanted > 0 && asked.is_waiting);
  assert_int_equal(asked.blocked_ms, 0);
  assert_int_equal(palenca_engine_step(f->engine, 20, NULL, 0), 0);
  assert_int_equal(stub_requests(f->server), 0);
  grant(&asked, 1);
  assert_response(wait_result(f->engine), 200, "ok", 1);
}

SHARES_TEST(test_no_more_are_sent_than_were_granted) {
  START(f, RESPONSE(OK_RESPONSE), RESPONSE(OK_RESPONSE), RESPONSE(OK_RESPONSE));
  palenca_request request = limited(f, "counted", 100);
  for (int i = 0; i < 3; i++) {
    (void)submit(f->engine, &request);
  }
  (void)palenca_engine_step(f->engine, 0, NULL, 0);
  palenca_share_request asked = collect();
  grant(&asked, 2);
  assert_response(wait_result(f->engine), 200, "ok", 1);
  assert_response(wait_result(f->engine), 200, "ok", 1);
  (void)palenca_engine_step(f->engine, 200, NULL, 0);
  assert_int_equal(stub_requests(f->server), 2);
  asked = collect();
  assert_int_equal(asked.kept, 0);
  assert_true(asked.is_waiting);
  grant(&asked, 0);
  assert_in_range(palenca_engine_next_deadline(f->engine), 0, 1000);
  assert_int_equal(palenca_engine_active(f->engine), 1);
}

SHARES_TEST(test_the_process_keeps_to_the_limit_however_much_is_granted) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = limited(f, "its own", 1);
  (void)submit(f->engine, &request);
  (void)palenca_engine_step(f->engine, 0, NULL, 0);
  palenca_share_request asked = collect();
  grant(&asked, 100);
  assert_response(wait_result(f->engine), 200, "ok", 1);
  (void)submit(f->engine, &request);
  assert_held_back(f->engine);
  assert_int_equal(palenca_engine_in_flight(f->engine), 0);
}

SHARES_TEST(test_each_key_has_its_shares_and_calls_without_a_limit_need_none) {
  START(f, RESPONSE(OK_RESPONSE), RESPONSE(OK_RESPONSE));
  palenca_request one = limited(f, "one key", 10), other = limited(f, "another key", 20),
                  unlimited = limited(f, "one key", 0);
  (void)submit(f->engine, &one);
  (void)submit(f->engine, &other);
  (void)submit(f->engine, &unlimited);
  assert_response(wait_result(f->engine), 200, "ok", 1);
  palenca_share_request requests[3];
  assert_int_equal(palenca_rate_limiters_collect(requests, 1), 1);
  assert_int_equal(palenca_rate_limiters_collect(requests + 1, 2), 1);
  assert_int_equal(requests[0].limit + requests[1].limit, 30);
  assert_int_not_equal(requests[0].owner, requests[1].owner);
  grant(&requests[requests[0].limit == 10 ? 0 : 1], 1);
  assert_response(wait_result(f->engine), 200, "ok", 1);
  assert_int_equal(palenca_engine_active(f->engine), 1);
}

SHARES_TEST(test_a_block_is_reported_once_and_kept_to_by_others) {
  START(f, RESPONSE("HTTP/1.1 429 Slow\r\nRetry-After: 50\r\nContent-Length: 0\r\n\r\n"));
  palenca_request request = limited(f, "blocked", 100), other = limited(f, "another process", 100);
  (void)submit(f->engine, &request);
  (void)palenca_engine_step(f->engine, 0, NULL, 0);
  palenca_share_request asked = collect();
  grant(&asked, 3);
  assert_response(wait_result(f->engine), 429, "", 1);
  asked = collect(); /* though nothing else is due yet */
  assert_in_range(asked.blocked_ms, 49000, 50000);
  palenca_rate_limiters_grant(&asked, NULL);
  asked = collect();
  assert_in_range(asked.blocked_ms, 49000, 50000); /* the first may have been lost */
  palenca_rate_limiters_grant(&asked, &(palenca_share_grant){.blocked_ms = asked.blocked_ms});
  palenca_share_request more;
  assert_int_equal(palenca_rate_limiters_collect(&more, 1), 0);
  (void)submit(f->engine, &other);
  (void)palenca_engine_step(f->engine, 0, NULL, 0);
  asked = collect();
  palenca_rate_limiters_grant(&asked, &(palenca_share_grant){.blocked_ms = 50000});
  (void)palenca_engine_step(f->engine, 50, NULL, 0);
  assert_held_back(f->engine);
}

SHARES_TEST(test_without_a_division_the_limit_is_the_process_s_again) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = limited(f, "undivided", 10);
  (void)submit(f->engine, &request);
  assert_int_equal(palenca_engine_step(f->engine, 0, NULL, 0), 0);
  palenca_rate_limiters_divide(NULL, NULL);
  assert_response(wait_result(f->engine), 200, "ok", 1);
}
