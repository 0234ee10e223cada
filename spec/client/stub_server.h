/* An HTTP server for tests that sends the raw responses of its script, on a thread of its own. */
#ifndef SPEC_CLIENT_STUB_SERVER_H
#define SPEC_CLIENT_STUB_SERVER_H

#include <stdbool.h>
#include <stddef.h>

typedef enum {
  STUB_KEEP,  /* keeps the connection for the next request */
  STUB_CLOSE, /* closes it after the response */
} stub_then;

/* What the next request gets, byte for byte. */
typedef struct {
  const char *data; /* NULL: nothing */
  size_t size;
  stub_then then;
} stub_response;

typedef struct {
  const stub_response *responses; /* in order of the requests; the last one for all that follow */
  size_t response_count;
  size_t batch; /* responses are held back until this many requests wait; 0: not at all */
} stub_script;

typedef struct stub_server stub_server;

/* The texts of the responses are kept by the caller. NULL: there is no socket to be had. */
stub_server *stub_start(const stub_script *script);
void stub_stop(stub_server *server);

/* "http://127.0.0.1:PORT/" */
const char *stub_url(const stub_server *server);

/* Readable when a request has arrived whole, until stub_requests is asked. */
int stub_event_fd(const stub_server *server);
size_t stub_requests(stub_server *server);
size_t stub_connections(stub_server *server);
/* Those of them that neither side has closed. */
size_t stub_open_connections(stub_server *server);
/* The max number of requests that waited for their responses at one time. */
size_t stub_max_waiting(stub_server *server);
/* The last request as it arrived, cut to fit, NUL-terminated. */
void stub_last_request(stub_server *server, char *out, size_t size);

#endif
