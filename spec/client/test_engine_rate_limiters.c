/* Tests of the rate limit of a key: one for all engines of a process, whichever thread they are on,
 * and kept when they end; what becomes of it in a fork. */
#include "engine_fixture.h"
#include "engine_thread.h"
#include "rate_limiters.h"

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- From one engine to the other ---- */

ENGINE_TEST(test_engines_share_the_limit_of_a_key) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_engine *other = new_engine(&(palenca_engine_options){0});
  palenca_request request = limited(f, "shared", 1), another = limited(f, "not shared", 1);
  assert_response(run(f, &request), 200, "ok", 1);
  (void)submit(other, &another);
  assert_response(wait_result(other), 200, "ok", 1);
  (void)submit(other, &request);
  assert_held_back(other);
  assert_int_equal(stub_requests(f->server), 2);
  palenca_engine_free(other);
}

ENGINE_TEST(test_the_rate_limit_outlives_the_engine) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = limited(f, "engine", 1);
  assert_response(run(f, &request), 200, "ok", 1);
  palenca_engine_free(f->engine);
  f->engine = new_engine(&(palenca_engine_options){0});
  (void)submit(f->engine, &request);
  assert_held_back(f->engine);
  assert_int_equal(stub_requests(f->server), 1);
}

/* The result of a call that a new thread makes, which ends with it. */
static palenca_result *run_on_thread(const palenca_request *request) {
  engine_thread *thread = engine_thread_new(&(palenca_engine_options){0}, NULL);
  assert_non_null(thread);
  assert_int_not_equal(engine_thread_submit(thread, request, NULL), 0);
  palenca_result *result;
  int64_t end = now_ms() + TIMEOUT_MS;
  while (engine_thread_collect(thread), (result = engine_thread_take(thread)) == NULL) {
    assert_true(now_ms() < end);
    usleep(1000);
  }
  engine_thread_free(thread);
  return result;
}

ENGINE_TEST(test_the_rate_limit_outlives_the_thread_of_an_engine) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = limited(f, "thread", 1);
  assert_response(run_on_thread(&request), 200, "ok", 1);
  request.deadline_ms = 50;
  assert_failed(run_on_thread(&request), PALENCA_TIMEOUT, 0);
  (void)submit(f->engine, &request);
  assert_failed(wait_result(f->engine), PALENCA_TIMEOUT, 0);
  assert_int_equal(stub_requests(f->server), 1);
}

ENGINE_TEST(test_a_result_has_the_time_that_its_call_has_waited_for_its_turn) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = limited(f, "waited", 1);
  assert_response(run(f, &request), 200, "ok", 1);
  request.deadline_ms = 50;
  (void)submit(f->engine, &request);
  palenca_result *result = wait_result(f->engine);
  assert_int_equal(result->attempts, 0);
  assert_in_range(result->turn_wait_ms, 45, TIMEOUT_MS);
  palenca_result_free(result);
}

ENGINE_TEST(test_the_wait_that_the_server_named_outlives_the_thread) {
  START(f, RESPONSE("HTTP/1.1 429 Slow\r\nRetry-After: 50\r\nContent-Length: 0\r\n\r\n"),
        RESPONSE(OK_RESPONSE));
  palenca_request request = limited(f, "named", 100);
  assert_response(run_on_thread(&request), 429, "", 1);
  (void)submit(f->engine, &request);
  assert_held_back(f->engine);
  request.deadline_ms = 50;
  assert_failed(run_on_thread(&request), PALENCA_TIMEOUT, 0);
  assert_int_equal(stub_requests(f->server), 1);
}

/* ---- Forks ---- */

/* In the child, where a failed assertion could not be reported. */
static bool is_held_back(const palenca_request *request) {
  palenca_engine *engine = palenca_engine_new(&(palenca_engine_options){0}, NULL);
  bool is = engine != NULL && palenca_engine_submit(engine, request, NULL) != 0 &&
            palenca_engine_step(engine, 0, NULL, 0) == 0 &&
            palenca_engine_next_deadline(engine) > PALENCA_RATE_WINDOW_MS / 4;
  palenca_engine_free(engine);
  return is;
}

ENGINE_TEST(test_a_child_knows_what_was_sent_before) {
  START(f, RESPONSE(OK_RESPONSE));
  palenca_request request = limited(f, "forked", 1);
  assert_response(run(f, &request), 200, "ok", 1);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    _exit(is_held_back(&request) ? 0 : 1);
  }
  assert_child_succeeds(child);
  assert_int_equal(stub_requests(f->server), 1);
}

static atomic_bool enough;

static void *take_turns(void *context) {
  palenca_rate_limiters *rate_limiters = rate_limiters_of_process();
  for (int64_t now = 0; !atomic_load(&enough); now++) {
    rate_limiters_take(rate_limiters, context, false, now);
  }
  palenca_rate_limiters_release(rate_limiters);
  return NULL;
}

/* A child does not wait for a thread that it does not have. */
UNIT_TEST(test_a_fork_comes_at_any_time) {
  unsigned char digest[RATE_LIMITER_DIGEST_SIZE] = {1};
  palenca_rate_limiters *rate_limiters = rate_limiters_of_process();
  rate_limiter *one = rate_limiters_find(rate_limiters, digest, 10);
  assert_non_null(one);
  pthread_t other;
  assert_int_equal(pthread_create(&other, NULL, take_turns, one), 0);
  for (int i = 0; i < 200; i++) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      alarm(TIMEOUT_MS / 1000);
      rate_limiters_drop(rate_limiters, rate_limiters_find(rate_limiters, digest, 10));
      rate_limiters_take(rate_limiters, one, false, 0);
      _exit(0);
    }
    assert_child_succeeds(child);
  }
  atomic_store(&enough, true);
  pthread_join(other, NULL);
  rate_limiters_drop(rate_limiters, one);
  palenca_rate_limiters_release(rate_limiters);
}

/* ---- Memory ---- */

/* The allocator of a sanitizer counts nothing. */
UNIT_TEST(test_keys_that_nobody_uses_take_no_memory) {
  palenca_rate_limiters *rate_limiters = rate_limiters_of_process();
  size_t before = mallinfo2().uordblks;
  for (int i = 0; i < 10000; i++) {
    unsigned char digest[RATE_LIMITER_DIGEST_SIZE] = {2};
    memcpy(digest + 1, &i, sizeof i);
    rate_limiter *one = rate_limiters_find(rate_limiters, digest, 120);
    assert_non_null(one);
    assert_ptr_equal(rate_limiters_find(rate_limiters, digest, 120), one);
    rate_limiters_drop(rate_limiters, one);
    rate_limiters_drop(rate_limiters, one);
  }
  assert_true(mallinfo2().uordblks < before + 100000);
  palenca_rate_limiters_release(rate_limiters);
}

/* ---- Many keys ---- */

static char parent[64];

static int make_parent(void **state) {
  snprintf(parent, sizeof parent, "/tmp/palenca-spec-XXXXXX");
  return mkdtemp(parent) == NULL || set_up(state);
}

static int remove_parent(void **state) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", parent);
  return tear_down(state) | system(command);
}

#define PARENT_TEST(name) FIXTURE_TEST(name, fixture *f, make_parent, remove_parent)

static size_t count_entries(const char *path) {
  DIR *all = opendir(path);
  assert_non_null(all);
  size_t count = 0;
  while (readdir(all) != NULL) {
    count++;
  }
  closedir(all);
  return count;
}

/* One request with each of so many keys, one after the other. */
static void use_keys(fixture *f, int from, int to) {
  for (int i = from; i < to; i++) {
    char key[32];
    snprintf(key, sizeof key, "key %d", i);
    palenca_request request = limited(f, key, 1);
    assert_response(run(f, &request), 200, "ok", 1);
  }
}

PARENT_TEST(test_keys_that_were_used_take_no_descriptor) {
  palenca_rate_limiters *rate_limiters = palenca_rate_limiters_share(parent, NULL);
  assert_non_null(rate_limiters);
  start_with(f, SCRIPT(RESPONSE(OK_RESPONSE)),
             &(palenca_engine_options){.rate_limiters = rate_limiters});
  palenca_rate_limiters_release(rate_limiters);
  use_keys(f, 0, 40);
  size_t descriptors = count_entries("/proc/self/fd");
  use_keys(f, 40, 600);
  assert_true(count_entries("/proc/self/fd") <= descriptors);
  /* what the first one has sent is still known */
  palenca_request request = limited(f, "key 0", 1);
  (void)submit(f->engine, &request);
  assert_held_back(f->engine);
  assert_int_equal(stub_requests(f->server), 600);
}

PARENT_TEST(test_a_cancelled_call_leaves_no_descriptor) {
  palenca_rate_limiters *rate_limiters = palenca_rate_limiters_share(parent, NULL);
  start_with(f, SCRIPT(RESPONSE(OK_RESPONSE)),
             &(palenca_engine_options){.rate_limiters = rate_limiters});
  palenca_rate_limiters_release(rate_limiters);
  size_t descriptors = count_entries("/proc/self/fd");
  uint64_t ids[200];
  for (size_t i = 0; i < LENGTH(ids); i++) {
    char key[32];
    snprintf(key, sizeof key, "key %zu", i);
    palenca_request request = limited(f, key, 1);
    ids[i] = submit(f->engine, &request);
  }
  for (size_t i = 0; i < LENGTH(ids); i++) {
    assert_true(palenca_engine_cancel(f->engine, ids[i]));
  }
  assert_true(count_entries("/proc/self/fd") <= descriptors + 16);
}

/* Those of keys that nobody has used for longer than a window, of which this one says nothing. */
PARENT_TEST(test_files_of_keys_long_gone_are_removed) {
  palenca_rate_limiters *rate_limiters = palenca_rate_limiters_share(parent, NULL);
  char path[128];
  snprintf(path, sizeof path, "%s/palenca-%lu", parent, (unsigned long)geteuid());
  for (int i = 0; i < 2000; i++) {
    unsigned char digest[RATE_LIMITER_DIGEST_SIZE] = {0};
    memcpy(digest, &i, sizeof i);
    rate_limiters_drop(rate_limiters, rate_limiters_find(rate_limiters, digest, 1));
  }
  assert_true(count_entries(path) < 300);
  palenca_rate_limiters_release(rate_limiters);
}

/* The allocator of a sanitizer counts nothing. */
static size_t allocated(void) {
  struct mallinfo2 now = mallinfo2();
  return now.uordblks + now.hblkhd;
}

ENGINE_TEST(test_keys_of_cancelled_calls_take_no_memory) {
  START(f, RESPONSE(OK_RESPONSE));
  size_t before = allocated();
  for (int i = 0; i < 100; i++) {
    palenca_request request = limited(f, "key", PALENCA_RATE_LIMIT_MAX - i);
    uint64_t id = submit(f->engine, &request);
    assert_true(palenca_engine_cancel(f->engine, id));
  }
  palenca_rate_limiters *rate_limiters = rate_limiters_of_process();
  unsigned char digest[RATE_LIMITER_DIGEST_SIZE] = {3};
  rate_limiters_drop(rate_limiters, rate_limiters_find(rate_limiters, digest, 1)); /* sweeps */
  palenca_rate_limiters_release(rate_limiters);
  assert_true(allocated() < before + 2000000);
}
