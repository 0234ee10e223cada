/* Tests of the engine's deadline over all attempts of a call, and of the notes on each attempt. */
#include "engine_fixture.h"

#include <string.h>

/* ---- The deadline ---- */

ENGINE_TEST(test_a_response_that_does_not_come_ends_with_the_deadline) {
  START(f, SILENCE);
  palenca_request request = get(f);
  request.deadline_ms = 500;
  request.max_retries = 5;
  int64_t began = now_ms();
  assert_failed(run(f, &request), PALENCA_TIMEOUT, 1);
  assert_in_range(now_ms() - began, 495, TIMEOUT_MS / 2);
}

ENGINE_TEST(test_a_wait_beyond_the_deadline_is_not_started) {
  START(f, RESPONSE("HTTP/1.1 503 Busy\r\nRetry-After: 30\r\nContent-Length: 4\r\n\r\nbusy"));
  palenca_request request = get(f);
  request.deadline_ms = 20000;
  request.max_retries = 5;
  int64_t began = now_ms();
  assert_response(run(f, &request), 503, "busy", 1);
  assert_true(now_ms() - began < 10000);
}

ENGINE_TEST(test_a_call_that_waits_for_its_turn_ends_with_the_deadline) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = limited(f, "a", 1);
  assert_response(run(f, &request), 200, "ok", 1);
  request.deadline_ms = 1500;
  uint64_t first = submit(f->engine, &request);
  request.deadline_ms = 0;
  uint64_t without_deadline = submit(f->engine, &request);
  request.deadline_ms = 30;
  request.low_priority = true;
  uint64_t second = submit(f->engine, &request);
  assert_in_range(palenca_engine_next_deadline(f->engine), 0, 30);
  palenca_result *result = wait_result(f->engine);
  assert_int_equal(result->id, second);
  assert_non_null(strstr(result->error.message, "waiting for the rate limit"));
  assert_failed(result, PALENCA_TIMEOUT, 0);
  result = wait_result(f->engine);
  assert_int_equal(result->id, first);
  assert_failed(result, PALENCA_TIMEOUT, 0);
  assert_int_equal(palenca_engine_active(f->engine), 1);
  assert_int_equal(stub_requests(f->server), 1);
  assert_true(palenca_engine_cancel(f->engine, without_deadline));
  assert_int_equal(palenca_engine_next_deadline(f->engine), -1);
}

ENGINE_TEST(test_a_call_that_waits_for_another_to_end_says_so) {
  start_with(f, SCRIPT(SILENCE), &(palenca_engine_options){NULL, 1});
  palenca_request request = limited(f, "a", 100);
  uint64_t sent = submit(f->engine, &request);
  request.deadline_ms = 30;
  (void)submit(f->engine, &request);
  palenca_result *result = wait_result(f->engine);
  assert_string_equal(result->error.message,
                      "the deadline passed while waiting for other requests to end");
  assert_failed(result, PALENCA_TIMEOUT, 0);
  assert_true(palenca_engine_cancel(f->engine, sent));
}

ENGINE_TEST(test_a_deadline_far_off_changes_nothing) {
  START(f, RESPONSE("HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"),
        RESPONSE(OK_RESPONSE));
  palenca_request request = get(f);
  request.deadline_ms = 10 * TIMEOUT_MS;
  assert_response(run(f, &request), 200, "ok", 2);
}

/* ---- Notes on attempts ---- */

ENGINE_TEST(test_each_attempt_is_noted) {
  START(f,
        RESPOND_AND_CLOSE("HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nX-Request-Id: one\r\n"
                          "Content-Length: 0\r\n\r\n"),
        HANG_UP, RESPONSE("HTTP/1.1 200 OK\r\nX-Request-Id: three\r\nContent-Length: 2\r\n\r\nok"));
  palenca_request request = get(f);
  request.max_retries = 2;
  request.observe = true;
  uint64_t id = submit(f->engine, &request);
  assert_response(wait_result(f->engine), 200, "ok", 3);
  static const struct {
    palenca_kind kind;
    int status;
    const char *request_id;
  } wanted[] = {{PALENCA_OK, 503, "one"}, {PALENCA_NETWORK, 0, ""}, {PALENCA_OK, 200, "three"}};
  palenca_attempt_record note;
  for (int i = 0; i < (int)LENGTH(wanted); i++) {
    assert_true(palenca_engine_take_attempt(f->engine, &note));
    assert_int_equal(note.id, id);
    assert_int_equal(note.number, i + 1);
    assert_int_equal(note.kind, wanted[i].kind);
    assert_int_equal(note.status, wanted[i].status);
    assert_string_equal(note.request_id, wanted[i].request_id);
    assert_in_range(note.duration_ms, 0, TIMEOUT_MS);
    assert_int_equal(note.retry_in_ms >= 0, i < 2);
  }
  assert_false(palenca_engine_take_attempt(f->engine, &note));
}

ENGINE_TEST(test_calls_that_are_not_observed_leave_no_notes) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = get(f);
  assert_response(run(f, &request), 200, "ok", 1);
  palenca_attempt_record note;
  assert_false(palenca_engine_take_attempt(f->engine, &note));
}

ENGINE_TEST(test_the_newest_notes_are_kept_if_nobody_takes_them) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = get(f);
  request.observe = true;
  uint64_t last = 0;
  for (int i = 0; i < PALENCA_ATTEMPTS_MAX + 5; i++) {
    last = submit(f->engine, &request);
    assert_response(wait_result(f->engine), 200, "ok", 1);
  }
  palenca_attempt_record note;
  size_t count = 0;
  while (palenca_engine_take_attempt(f->engine, &note)) {
    count++;
    assert_int_equal(note.id, last - PALENCA_ATTEMPTS_MAX + count);
  }
  assert_int_equal(count, PALENCA_ATTEMPTS_MAX);
}
