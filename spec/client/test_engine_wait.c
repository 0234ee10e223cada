/* Tests of the engine's waiting: for the rate limit and for descriptors, and how a wait ends. */
#include "engine_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* ---- The rate limit ---- */

ENGINE_TEST(test_a_key_is_limited_and_others_are_not_held_up) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = limited(f, "a", 2), other = limited(f, "b", 2), free_one = get(f);
  for (int i = 0; i < 2; i++) {
    assert_response(run(f, &request), 200, "ok", 1);
  }
  uint64_t id = submit(f->engine, &request);
  assert_held_back(f->engine);
  (void)submit(f->engine, &other);
  assert_response(wait_result(f->engine), 200, "ok", 1);
  other = limited(f, "a", 3); /* another limit is another count */
  (void)submit(f->engine, &other);
  assert_response(wait_result(f->engine), 200, "ok", 1);
  (void)submit(f->engine, &free_one);
  assert_response(wait_result(f->engine), 200, "ok", 1);
  assert_held_back(f->engine);
  assert_int_equal(stub_requests(f->server), 5);
  assert_true(palenca_engine_cancel(f->engine, id));
  assert_int_equal(palenca_engine_next_deadline(f->engine), -1);
}

ENGINE_TEST(test_the_servers_word_on_the_window_counts) {
  static char used_up[200], rejected[200];
  long long reset = (long long)time(NULL) + 50;
  int sizes[] = {snprintf(used_up, sizeof used_up,
                          "HTTP/1.1 200 OK\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: %lld"
                          "\r\nContent-Length: 2\r\n\r\nok",
                          reset),
                 snprintf(rejected, sizeof rejected,
                          "HTTP/1.1 429 Slow\r\nX-RateLimit-Reset: %lld"
                          "\r\nContent-Length: 0\r\n\r\n",
                          reset)};
  static const char *const keys[] = {"a", "b", "c"};
  static const int statuses[] = {200, 429, 429};
  START(f, {used_up, (size_t)sizes[0], STUB_KEEP}, {rejected, (size_t)sizes[1], STUB_KEEP},
        RESPONSE("HTTP/1.1 429 Slow\r\nRetry-After: 50\r\nContent-Length: 0\r\n\r\n"),
        RESPONSE("HTTP/1.1 200 OK\r\nX-RateLimit-Remaining: 1\r\nX-RateLimit-Reset: 99999999999\r\n"
                 "Content-Length: 2\r\n\r\nok"));
  for (size_t i = 0; i < LENGTH(keys); i++) {
    palenca_request request = limited(f, keys[i], PALENCA_RATE_LIMIT_DEFAULT);
    assert_response(run(f, &request), statuses[i], statuses[i] == 200 ? "ok" : "", 1);
    uint64_t id = submit(f->engine, &request);
    assert_held_back(f->engine);
    assert_true(palenca_engine_cancel(f->engine, id));
  }
  palenca_request request = limited(f, "d", PALENCA_RATE_LIMIT_DEFAULT);
  assert_response(run(f, &request), 200, "ok", 1);
  assert_response(run(f, &request), 200, "ok", 1);
  assert_int_equal(stub_requests(f->server), 5);
}

/* ---- Waiting, canceling, ending ---- */

ENGINE_TEST(test_cancel_in_every_state) {
  start_with(f,
             SCRIPT(SILENCE,
                    RESPONSE("HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"),
                    RESPONSE(OK_RESPONSE)),
             &(palenca_engine_options){NULL, 1});
  palenca_request request = get(f);
  assert_false(palenca_engine_cancel(f->engine, 0));
  assert_false(palenca_engine_cancel(f->engine, 1));
  uint64_t sending = submit(f->engine, &request), queued = submit(f->engine, &request);
  wait_requests(f, 1);
  assert_true(palenca_engine_cancel(f->engine, queued));
  assert_false(palenca_engine_cancel(f->engine, queued));
  assert_true(palenca_engine_cancel(f->engine, sending));
  assert_false(palenca_engine_cancel(f->engine, sending));
  assert_int_equal(palenca_engine_active(f->engine), 0);
  /* the only place in flight is free again */
  uint64_t waiting = submit(f->engine, &request);
  wait_requests(f, 2);
  int64_t end = now_ms() + TIMEOUT_MS;
  while (palenca_engine_next_deadline(f->engine) < 40000 && now_ms() < end) {
    (void)palenca_engine_step(f->engine, 100, NULL, 0);
  }
  assert_true(palenca_engine_next_deadline(f->engine) >= 40000);
  assert_true(palenca_engine_cancel(f->engine, waiting));
  assert_int_equal(palenca_engine_active(f->engine), 0);
  uint64_t done = submit(f->engine, &request);
  palenca_result *result = wait_result(f->engine);
  assert_int_equal(result->id, done);
  assert_false(palenca_engine_cancel(f->engine, done));
  assert_response(result, 200, "ok", 1);
  assert_int_equal(stub_requests(f->server), 3);
}

ENGINE_TEST(test_a_completed_call_is_not_cancelled_and_ends_the_wait) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = get(f);
  uint64_t id = submit(f->engine, &request);
  int64_t start = now_ms();
  while (palenca_engine_step(f->engine, TIMEOUT_MS, NULL, 0) == 0) {
    assert_true(now_ms() - start < TIMEOUT_MS);
  }
  assert_int_equal(palenca_engine_next_deadline(f->engine), 0);
  assert_int_equal(palenca_engine_active(f->engine), 0);
  assert_false(palenca_engine_cancel(f->engine, id));
  assert_int_equal(palenca_engine_step(f->engine, TIMEOUT_MS, NULL, 0), 1);
  assert_true(now_ms() - start < TIMEOUT_MS);
  assert_response(palenca_engine_take(f->engine), 200, "ok", 1);
  assert_int_equal(palenca_engine_next_deadline(f->engine), -1);
}

ENGINE_TEST(test_an_idle_step_waits_no_longer_than_its_timeout) {
  f->engine = new_engine(&(palenca_engine_options){NULL, 0});
  assert_int_equal(palenca_engine_next_deadline(f->engine), -1);
  int64_t start = now_ms();
  assert_int_equal(palenca_engine_step(f->engine, 0, NULL, 0), 0);
  assert_int_equal(palenca_engine_step(f->engine, -1, NULL, 0), 0);
  assert_int_equal(palenca_engine_step(f->engine, 20, NULL, 0), 0);
  assert_true(now_ms() - start < TIMEOUT_MS);
  assert_null(palenca_engine_take(f->engine));
}

static void *write_byte(void *context) {
  const int *fd = context;
  return write(*fd, "x", 1) == 1 ? context : NULL;
}

ENGINE_TEST(test_a_descriptor_ends_the_wait) {
  enum {
    PIPES = 8
  };
  f->engine = new_engine(&(palenca_engine_options){NULL, 0});
  int readers[PIPES + 1], writers[PIPES + 1];
  for (size_t i = 0; i <= PIPES; i++) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    readers[i] = ends[0];
    writers[i] = ends[1];
  }
  int64_t start = now_ms();
  for (size_t i = 0; i < PIPES; i++) {
    pthread_t thread;
    char byte;
    assert_int_equal(pthread_create(&thread, NULL, write_byte, &writers[i]), 0);
    /* one more than there may be is passed over */
    assert_int_equal(palenca_engine_step(f->engine, 10 * TIMEOUT_MS, readers, PIPES + 1), 0);
    assert_int_equal(read(readers[i], &byte, 1), 1);
    void *written;
    assert_int_equal(pthread_join(thread, &written), 0);
    assert_non_null(written);
  }
  assert_true(now_ms() - start < 10 * TIMEOUT_MS);
  for (size_t i = 0; i <= PIPES; i++) {
    (void)close(readers[i]);
    (void)close(writers[i]);
  }
}

/* Leaks show in the sanitizers' report. */
ENGINE_TEST(test_free_ends_calls_in_every_state) {
  start_with(f,
             SCRIPT(RESPONSE(OK_RESPONSE),
                    RESPONSE("HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"),
                    SILENCE),
             &(palenca_engine_options){NULL, 1});
  palenca_request request = get(f);
  for (int i = 0; i < 5; i++) {
    (void)submit(f->engine, &request);
  }
  wait_requests(f, 3);
  palenca_request held_back = limited(f, "a", 1);
  (void)submit(f->engine, &held_back);
  (void)submit(f->engine, &held_back);
  (void)palenca_engine_step(f->engine, 0, NULL, 0);
  assert_int_equal(palenca_engine_active(f->engine), 6);
  palenca_engine_free(f->engine);
  f->engine = NULL;
  palenca_engine_free(NULL);
  palenca_result_free(NULL);
}

/* ---- Another loop ---- */

/* One turn of a loop that knows no more of the engine than its descriptor and its deadline. */
static size_t turn(palenca_engine *engine) {
  size_t done = palenca_engine_step(engine, 0, NULL, 0);
  int64_t deadline = palenca_engine_next_deadline(engine);
  if (done == 0 && deadline != 0) {
    struct pollfd one = {.fd = palenca_engine_fd(engine), .events = POLLIN};
    assert_true(deadline <= TIMEOUT_MS);
    assert_true(poll(&one, 1, deadline < 0 ? TIMEOUT_MS : (int)deadline) >= 0);
  }
  return done;
}

ENGINE_TEST(test_another_loop_drives_an_engine) {
  START(f, RESPONSE(OK_RESPONSE), RESPOND_AND_CLOSE(OK_RESPONSE), RESPONSE(BUSY_RESPONSE),
        RESPONSE(OK_RESPONSE), SILENCE);
  palenca_request request = get(f), silent = get(f);
  request.idempotent = true;
  request.max_retries = 1;
  silent.timeout_ms = 50;
  silent.max_retries = 0;
  for (int i = 0; i < 3; i++) {
    (void)submit(f->engine, &request);
    while (turn(f->engine) == 0) {
      continue;
    }
    assert_response(palenca_engine_take(f->engine), 200, "ok", i < 2 ? 1 : 2);
  }
  (void)submit(f->engine, &silent);
  while (turn(f->engine) == 0) {
    continue;
  }
  assert_failed(palenca_engine_take(f->engine), PALENCA_TIMEOUT, 1);
  assert_int_equal(palenca_engine_next_deadline(f->engine), -1);
}
