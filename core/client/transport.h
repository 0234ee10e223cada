/* Single HTTP transfers over one curl multi handle; knows nothing of retries or rate limits. */
#ifndef PALENCA_TRANSPORT_H
#define PALENCA_TRANSPORT_H

#include "palenca.h"

#pragma GCC visibility push(hidden)

typedef struct transport transport;

typedef struct {
  const char *method;
  const char *url;
  const palenca_header *headers;
  size_t header_count;
  const char *body;
  size_t body_size;
  int timeout_ms;
  bool idempotent;
  bool allow_tls_1_2;
  bool share_connection;
  bool measure;        /* the outcome has response_us */
  const char *ca_file; /* NULL: the system's certificates */
  const char *proxy;   /* NULL: as the environment says */
  palenca_buffer
      *header_out;          /* gets the header lines of the final response; bounded by its limit */
  palenca_buffer *body_out; /* gets the decoded body; bounded by its limit */
} transport_request;

typedef struct {
  void *context;       /* the argument of transport_start */
  palenca_error error; /* PALENCA_OK: a complete response arrived */
  int status;
  bool sent;           /* the request may have reached the server */
  bool is_permanent;   /* another attempt would fail in the same way */
  int http_version;    /* 1, 2 or 3; 0: no response */
  int64_t response_us; /* from when its connection could take the request until the end; or 0 */
} transport_outcome;

transport *transport_new(int max_connections, palenca_error *error);
void transport_free(transport *transport);
/* In a child process: lets go of what is the parent's, whose connections an orderly end would
 * close. Its memory stays taken. */
void transport_abandon(transport *transport);

/* The request's strings must stay valid until the transfer ends. The handle returned is only
 * good for transport_cancel. */
void *transport_start(transport *transport, const transport_request *request, void *context,
                      palenca_error *error);
void transport_cancel(transport *transport, void *transfer);

/* Keeps connections to the server of a request open from now on, for `for_ms` or as long as an
 * earlier call said, without sending anything: one with HTTP/2, a few with HTTP/1.1. Of the request
 * only what is needed to connect counts. It fails in silence, as often as it tries. */
bool transport_preconnect(transport *transport, const transport_request *request, int64_t for_ms,
                          palenca_error *error);

/* Does what could be done when the last wait ended, and what is due. */
void transport_perform(transport *transport);

/* Waits for at most `max_wait` ms until there is something to do, one of the
 * caller's descriptors (PALENCA_WAKE_FDS_MAX at most) is readable, or a signal
 * comes. */
void transport_wait(transport *transport, int64_t max_wait, const int *wake_fds,
                    size_t wake_fd_count);

/* Readable while there is something to do with a connection; -1 where there is no such thing. */
int transport_fd(transport *transport);

/* Ms until perform must be called even if nothing happens; -1: never. */
int64_t transport_next_deadline(const transport *transport);

/* The next transfer that ended; false if there is none. */
bool transport_take(transport *transport, transport_outcome *outcome);

#pragma GCC visibility pop

#endif
