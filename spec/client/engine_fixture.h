/* What the tests of the engine share: a server that responds as its script says, an engine,
 * requests, and what is expected of their results. Whatever fails here fails the test. */
#ifndef SPEC_CLIENT_ENGINE_FIXTURE_H
#define SPEC_CLIENT_ENGINE_FIXTURE_H

#include "palenca.h"
#include "stub_server.h"
#include "support/unit_test.h"

/* Only a failing test waits for all of it. */
#define TIMEOUT_MS 60000

#define SECRET "sk-0123-not-for-messages"

#define ENGINE_TEST(name) FIXTURE_TEST(name, fixture *f, set_up, tear_down)

/* ---- A server and an engine ---- */

typedef struct {
  stub_server *server;
  palenca_engine *engine;
} fixture;

int set_up(void **state);
int tear_down(void **state);

palenca_engine *new_engine(const palenca_engine_options *options);
void start_with(fixture *f, const stub_script *script, const palenca_engine_options *options);

/* A script of these responses. */
#define SCRIPT(...)                                                                                \
  &(stub_script) {                                                                                 \
    (const stub_response[]){__VA_ARGS__}, LENGTH(((const stub_response[]){__VA_ARGS__})), 0        \
  }
#define START(f, ...) start_with(f, SCRIPT(__VA_ARGS__), &(palenca_engine_options){NULL, 0})

#define RESPONSE(text)                                                                             \
  { text, sizeof(text) - 1, STUB_KEEP }
#define RESPOND_AND_CLOSE(text)                                                                    \
  { text, sizeof(text) - 1, STUB_CLOSE }
#define SILENCE                                                                                    \
  { NULL, 0, STUB_KEEP }
#define HANG_UP                                                                                    \
  { NULL, 0, STUB_CLOSE }
#define OK_RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BUSY_RESPONSE "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"

/* ---- Requests ---- */

palenca_request get(const fixture *f);
/* Creates something: not to be done twice. */
palenca_request post(const fixture *f);
/* A safe one that is tried once, `limit` times in a window. */
palenca_request limited(const fixture *f, const char *key, int limit);

/* ---- Calls ---- */

uint64_t submit(palenca_engine *engine, const palenca_request *request);
palenca_result *wait_result(palenca_engine *engine);
/* Works until so many requests have arrived. */
void wait_requests(fixture *f, size_t count);
/* The result of the only call there is. */
palenca_result *run(fixture *f, const palenca_request *request);

int64_t now_ms(void);

/* The only call there is waits for its turn for most of a window. */
void assert_held_back(palenca_engine *engine);

/* Both free the result. */
void assert_response(palenca_result *result, int status, const char *body, int attempts);
void assert_failed(palenca_result *result, palenca_kind kind, int attempts);

#endif
