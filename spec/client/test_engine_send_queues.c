/* Tests of whose turn it is: fresh calls before low_priority ones, and nothing of the parent's
 * after a fork. */
#include "engine_fixture.h"
#include "fork_guard.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Priorities ---- */

ENGINE_TEST(test_a_call_passes_those_of_low_priority) {
  start_with(f, SCRIPT(RESPONSE(OK_RESPONSE)), &(palenca_engine_options){NULL, 1});
  palenca_request request = limited(f, "a", 100);
  uint64_t order[4];
  request.low_priority = true;
  for (int i = 0; i < 3; i++) {
    order[i] = submit(f->engine, &request);
  }
  request.low_priority = false;
  order[3] = submit(f->engine, &request);
  static const int wanted[] = {3, 0, 1, 2};
  for (int i = 0; i < 4; i++) {
    palenca_result *result = wait_result(f->engine);
    assert_int_equal(result->id, order[wanted[i]]);
    assert_response(result, 200, "ok", 1);
  }
}

ENGINE_TEST(test_calls_of_low_priority_leave_a_part_of_the_limit) {
  START(f, RESPONSE(OK_RESPONSE));
  enum {
    LIMIT = 48,
    SPARE = 2
  };
  palenca_request request = limited(f, "a", LIMIT);
  request.low_priority = true;
  for (int i = 0; i < LIMIT; i++) {
    (void)submit(f->engine, &request);
  }
  for (int i = 0; i < LIMIT - SPARE; i++) {
    assert_response(wait_result(f->engine), 200, "ok", 1);
  }
  assert_int_equal(palenca_engine_step(f->engine, 0, NULL, 0), 0);
  assert_int_equal(palenca_engine_active(f->engine), SPARE);
  assert_int_equal(palenca_engine_in_flight(f->engine), 0);
  request.low_priority = false;
  for (int i = 0; i < SPARE; i++) {
    uint64_t id = submit(f->engine, &request);
    palenca_result *result = wait_result(f->engine);
    assert_int_equal(result->id, id);
    assert_response(result, 200, "ok", 1);
  }
  assert_int_equal(stub_requests(f->server), LIMIT);
}

static void assert_order(fixture *f, const uint64_t *ids, size_t count) {
  for (size_t i = 0; i < count; i++) {
    palenca_result *result = wait_result(f->engine);
    assert_int_equal(result->id, ids[i]);
    palenca_result_free(result);
  }
}

/* Who has asked for many pages does not keep the pages of others waiting, nor single calls. */
ENGINE_TEST(test_groups_take_turns) {
  start_with(f, SCRIPT(RESPONSE(OK_RESPONSE)), &(palenca_engine_options){NULL, 1});
  palenca_request request = limited(f, "a", 100);
  uint64_t a[4], b[2], alone[2], later;
  request.low_priority = true;
  request.group = 1;
  for (int i = 0; i < 4; i++) {
    a[i] = submit(f->engine, &request);
  }
  request.group = 2;
  for (int i = 0; i < 2; i++) {
    b[i] = submit(f->engine, &request);
  }
  request.group = 0;
  for (int i = 0; i < 2; i++) {
    alone[i] = submit(f->engine, &request);
  }
  assert_order(f, (uint64_t[]){a[0], b[0], alone[0], alone[1], a[1]}, 5);
  /* who comes meanwhile does not wait for the rounds that are still to come */
  request.group = 3;
  later = submit(f->engine, &request);
  assert_order(f, (uint64_t[]){b[1], later, a[2], a[3]}, 4);
}

ENGINE_TEST(test_the_calls_of_one_group_keep_their_order) {
  start_with(f, SCRIPT(RESPONSE(OK_RESPONSE)), &(palenca_engine_options){NULL, 1});
  palenca_request request = limited(f, "a", 200);
  uint64_t ids[100];
  request.low_priority = true;
  request.group = 7;
  for (int i = 0; i < 100; i++) {
    ids[i] = submit(f->engine, &request);
  }
  assert_order(f, ids, 100);
}

static void wait_until_idle(palenca_engine *engine) {
  int64_t end = now_ms() + TIMEOUT_MS;
  while (palenca_engine_next_deadline(engine) < 10000) {
    assert_true(now_ms() < end);
    assert_int_equal(palenca_engine_step(engine, 1000, NULL, 0), 0);
  }
}

ENGINE_TEST(test_calls_of_low_priority_leave_a_transfer) {
  enum {
    AT_ONCE = 26
  };
  start_with(f, SCRIPT(SILENCE), &(palenca_engine_options){NULL, AT_ONCE});
  palenca_request request = get(f);
  request.low_priority = true;
  for (int i = 0; i < 2 * AT_ONCE; i++) {
    (void)submit(f->engine, &request);
  }
  wait_requests(f, AT_ONCE - 1);
  wait_until_idle(f->engine);
  assert_int_equal(stub_requests(f->server), AT_ONCE - 1);
  request.low_priority = false;
  (void)submit(f->engine, &request);
  (void)submit(f->engine, &request);
  wait_requests(f, AT_ONCE);
  wait_until_idle(f->engine);
  assert_int_equal(stub_requests(f->server), AT_ONCE);
}

/* ---- What is measured ---- */

ENGINE_TEST(test_a_result_says_how_it_was_transferred) {
  enum {
    LIMIT = 48,
    SPARE = 2
  };
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = limited(f, "measured", LIMIT);
  request.measure = true;
  for (int i = 1; i <= 3; i++) {
    palenca_result *result = run(f, &request);
    assert_int_equal(result->http_version, 1);
    assert_in_range(result->response_us, 1, TIMEOUT_MS * 1000);
    assert_int_equal(result->turns_left, LIMIT - SPARE - i);
    palenca_result_free(result);
  }
  request.rate_limit = 0;
  palenca_result *result = run(f, &request);
  assert_int_equal(result->turns_left, -1);
  palenca_result_free(result);
  request.measure = false;
  result = run(f, &request);
  assert_int_equal(result->http_version, 0);
  palenca_result_free(result);
}

ENGINE_TEST(test_without_a_response_nothing_is_measured) {
  START(f, HANG_UP);
  palenca_request request = limited(f, "nothing", 48);
  request.measure = true;
  palenca_result *result = run(f, &request);
  assert_int_equal(result->error.kind, PALENCA_NETWORK);
  assert_int_equal(result->http_version, 0);
  palenca_result_free(result);
}

/* ---- After a fork ---- */

/* In the child, where a failed assertion could not be reported: the number of what went wrong. */
static int child(fixture *f, const palenca_request *request) {
  palenca_result *result;
  for (int i = 0; i < 2; i++) { /* what the parent has under way fails here */
    palenca_engine_step(f->engine, 0, NULL, 0);
    result = palenca_engine_take(f->engine);
    if (result == NULL || result->error.kind != PALENCA_NETWORK) {
      return 1;
    }
    palenca_result_free(result);
  }
  if (palenca_engine_active(f->engine) != 0) {
    return 2;
  }
  if (palenca_engine_submit(f->engine, request, NULL) == 0) {
    return 3;
  }
  while ((result = palenca_engine_take(f->engine)) == NULL) {
    palenca_engine_step(f->engine, 1000, NULL, 0);
  }
  if (result->error.kind != PALENCA_OK || result->status != 201) {
    return 4;
  }
  palenca_result_free(result);
  palenca_engine_free(f->engine);
  return 0;
}

ENGINE_TEST(test_a_fork_shares_no_connection_and_no_call) {
  START(f, RESPONSE(OK_RESPONSE), SILENCE,
        RESPONSE("HTTP/1.1 201 Made\r\nContent-Length: 5\r\n\r\nchild"));
  palenca_request request = get(f), waiting = limited(f, "a", 1);
  assert_response(run(f, &waiting), 200, "ok", 1);
  uint64_t sent = submit(f->engine, &request);
  wait_requests(f, 2);
  uint64_t queued = submit(f->engine, &waiting);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    _exit(child(f, &request));
  }
  assert_child_succeeds(pid);
  /* the parent's calls are as they were, and its connection still works */
  assert_int_equal(palenca_engine_active(f->engine), 2);
  assert_int_equal(palenca_engine_in_flight(f->engine), 1);
  assert_true(palenca_engine_cancel(f->engine, sent));
  assert_int_equal(palenca_engine_in_flight(f->engine), 0);
  assert_true(palenca_engine_cancel(f->engine, queued));
  assert_int_equal(stub_requests(f->server), 3);
  palenca_result *result = run(f, &request);
  assert_int_equal(result->status, 201);
  palenca_result_free(result);
}

/* The number of what went wrong, as it is in a child of the process that set the guard. */
static int guarded_child(fork_guard *guard) {
  if (!fork_guard_has_forked(guard) || !fork_guard_has_forked(guard)) {
    return 1;
  }
  fork_guard_set(guard);
  if (fork_guard_has_forked(guard)) {
    return 2;
  }
  pid_t pid = fork(); /* a grandchild is another process again */
  if (pid == 0) {
    _exit(fork_guard_has_forked(guard) ? 0 : 3);
  }
  int status = 0;
  return pid > 0 && waitpid(pid, &status, 0) == pid ? WEXITSTATUS(status) : 4;
}

UNIT_TEST(test_a_guard_notices_each_fork) {
  for (int with_page = 1; with_page >= 0; with_page--) {
    fork_guard guard;
    fork_guard_init(&guard);
    if (with_page == 0) { /* as where the kernel cannot clear it */
      fork_guard_free(&guard);
    }
    assert_false(fork_guard_has_forked(&guard));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
      _exit(guarded_child(&guard));
    }
    assert_child_succeeds(pid);
    assert_false(fork_guard_has_forked(&guard));
    fork_guard_free(&guard);
  }
}
