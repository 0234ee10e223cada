/* What the tests of the engine share: a server that responds as its script says, an engine,
 * requests, and what is expected of their results. */
#include "engine_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- A server and an engine ---- */

int set_up(void **state) {
  /* the machine's proxy has no way to this test's server */
  static const char *const proxies[] = {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"};
  for (size_t i = 0; i < LENGTH(proxies); i++) {
    (void)unsetenv(proxies[i]);
  }
  fixture *f = calloc(1, sizeof *f);
  *state = f;
  return f == NULL;
}

int tear_down(void **state) {
  fixture *f = *state;
  palenca_engine_free(f->engine); /* closes its connections, so that no send can hang */
  stub_stop(f->server);
  free(f);
  return 0;
}

palenca_engine *new_engine(const palenca_engine_options *options) {
  palenca_error error = {.kind = PALENCA_OK, .message = ""};
  palenca_engine *engine = palenca_engine_new(options, &error);
  if (engine == NULL) {
    fail_msg("%s", error.message);
  }
  return engine;
}

void start_with(fixture *f, const stub_script *script, const palenca_engine_options *options) {
  f->server = stub_start(script);
  assert_non_null(f->server);
  f->engine = new_engine(options);
}

/* ---- Requests ---- */

palenca_request get(const fixture *f) {
  return (palenca_request){.method = "GET",
                           .url = stub_url(f->server),
                           .idempotent = true,
                           .keep_headers = true,
                           .timeout_ms = TIMEOUT_MS,
                           .max_retries = 1};
}

palenca_request post(const fixture *f) {
  palenca_request request = get(f);
  request.method = "POST";
  request.body = "{\"name\":1}";
  request.body_size = strlen(request.body);
  request.idempotent = false;
  return request;
}

palenca_request limited(const fixture *f, const char *key, int limit) {
  palenca_request request = get(f);
  request.rate_limit_key = key;
  request.rate_limit_key_size = strlen(key);
  request.rate_limit = limit;
  request.max_retries = 0;
  return request;
}

/* ---- Calls ---- */

uint64_t submit(palenca_engine *engine, const palenca_request *request) {
  palenca_error error = {.kind = PALENCA_OK, .message = ""};
  uint64_t id = palenca_engine_submit(engine, request, &error);
  if (id == 0) {
    fail_msg("%s", error.message);
  }
  return id;
}

int64_t now_ms(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

palenca_result *wait_result(palenca_engine *engine) {
  int64_t end = now_ms() + TIMEOUT_MS;
  palenca_result *result;
  while ((result = palenca_engine_take(engine)) == NULL) {
    assert_true(now_ms() < end);
    (void)palenca_engine_step(engine, 1000, NULL, 0);
  }
  return result;
}

void wait_requests(fixture *f, size_t count) {
  int64_t end = now_ms() + TIMEOUT_MS;
  int fd = stub_event_fd(f->server);
  while (stub_requests(f->server) < count) {
    assert_true(now_ms() < end);
    (void)palenca_engine_step(f->engine, 1000, &fd, 1);
  }
}

palenca_result *run(fixture *f, const palenca_request *request) {
  uint64_t id = submit(f->engine, request);
  palenca_result *result = wait_result(f->engine);
  assert_int_equal(result->id, id);
  assert_int_equal(palenca_engine_active(f->engine), 0);
  assert_null(palenca_engine_take(f->engine));
  return result;
}

void assert_held_back(palenca_engine *engine) {
  assert_int_equal(palenca_engine_step(engine, 0, NULL, 0), 0);
  assert_int_equal(palenca_engine_active(engine), 1);
  assert_in_range(palenca_engine_next_deadline(engine), PALENCA_RATE_WINDOW_MS / 4,
                  PALENCA_RATE_WINDOW_MS + 1000);
}

void assert_response(palenca_result *result, int status, const char *body, int attempts) {
  if (result->error.kind != PALENCA_OK) {
    fail_msg("%s", result->error.message);
  }
  assert_int_equal(result->status, status);
  assert_int_equal(result->attempts, attempts);
  assert_int_equal(result->body_size, strlen(body));
  assert_string_equal(result->body != NULL ? result->body : "", body);
  palenca_result_free(result);
}

void assert_failed(palenca_result *result, palenca_kind kind, int attempts) {
  if (result->error.kind != kind) {
    fail_msg("status %d, %s", result->status, result->error.message);
  }
  assert_int_equal(result->attempts, attempts);
  assert_string_not_equal(result->error.message, "");
  palenca_result_free(result);
}
