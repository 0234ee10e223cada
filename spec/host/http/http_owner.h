/* An owner of an HTTP server on a loop in the test itself, which defers all requests; and clients.
 */
#ifndef SPEC_HOST_HTTP_OWNER_H
#define SPEC_HOST_HTTP_OWNER_H

#include "clock.h"
#include "http/server.h"
#include "support/unit_test.h"

#include <stdint.h>

#define MANY 300
/* Only against hanging forever. */
#define TIMEOUT_MS 30000
#define REQUEST "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"

typedef struct {
  uv_loop_t loop;
  http_server *server;
  http_exchange *deferred[MANY];
  size_t count;
  size_t rejected, batches, writable, abandoned;
  char body[256]; /* what on_body has received */
  bool is_closed;
} owner;

/* A test of a server, which is closed after it. */
#define SERVER_TEST(name) FIXTURE_TEST(name, owner *o, set_up_server, tear_down_server)

int set_up_server(void **state);
int tear_down_server(void **state);

/* ---- the server ---------------------------------------------------------------------------- */

http_server_options options_of(owner *o);
/* Of those options: defers. */
void defer_all(void *context, http_exchange *exchange);
void open_with(owner *o, const http_server_options *options);
void open_server(owner *o, size_t max_connections);
void note_closed(void *context);
/* Runs the loop until the server, which was closed with note_closed, is gone. */
void wait_closed(owner *o);
void close_server(owner *o);
/* A turn of the loop, which waits for 50 ms at most. */
void run_once(owner *o);
void run_until(owner *o, const size_t *count, size_t wanted);
void wait_inactive(owner *o);
/* Responds to all that was deferred; for a thread, too. */
void *respond_to_all(void *context);

/* ---- its clients --------------------------------------------------------------------------- */

int connect_to(const owner *o);
void send_request(int fd);
/* Each has arrived before the next is sent. */
void send_two_requests(owner *o, int fds[2]);
bool is_readable(int fd);
/* Runs the server until a response is there, and reads its status; -1: none. */
int status_of(owner *o, int fd);
int status_of_closed(int fd);
/* Closes it with a reset. */
void reset(int fd);

#endif
