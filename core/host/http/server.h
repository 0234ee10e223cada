/* An HTTP/1.1 server on a libuv loop, with TLS if its options have a certificate.
 *
 * All of it belongs to the loop's thread, but for responding to an exchange that was deferred and
 * reading its request, which another thread may do. One request at a time is handled per
 * connection; what a client pipelines after it waits, unread beyond a bound.
 */
#ifndef PALENCA_HOST_HTTP_SERVER_H
#define PALENCA_HOST_HTTP_SERVER_H

#include "common/host_error.h"
#include "common/net_address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

typedef struct http_server http_server;
typedef struct http_exchange http_exchange;

/* Names and values with bytes that no header may hold are left out of a response, as are
 * Connection, Content-Length and Transfer-Encoding, which the server writes. */
typedef struct {
  const char *name;
  const char *value;
} http_header;

/* A response made once and sent many times. */
typedef struct http_response http_response;

/* Of limits and times, 0 stands for the default. */
typedef struct {
  const char *listen; /* "127.0.0.1:8080", "[::1]:8080", "unix:/path"; port 0: any free one */
  int passed_fd;      /* a listening socket instead of it, the server's from now on; 0: none */
  size_t max_body;    /* bytes; larger: 413; default 64 KiB */
  size_t max_head;    /* bytes of request line and headers; longer: 431; default 8 KiB */
  /* Ms within which a request must have arrived completely, counted from its first byte, and on a
   * new connection from its acceptance: 408; default 10 s. */
  int64_t request_ms;
  /* Ms that a connection may wait for its next request, or its peer for reading a response that was
   * sent: default 60 s. */
  int64_t idle_ms;
  /* Further ones get 503 at once; default 2048, and fewer if the rest of the process would lack
   * descriptors. One that is closed while its request is deferred counts until it is responded
   * to, so that this bounds the memory of requests. */
  size_t max_connections;
  size_t max_connections_per_address; /* as above; default: no limit */
  const char *tls_cert, *tls_key;     /* PEM files; NULL: without TLS */
  /* The head has arrived: it may be responded to, which closes the connection after the response,
   * and the body is not read. NULL: nothing is rejected. */
  void (*on_head)(void *context, http_exchange *exchange);
  /* A part of the body of an exchange for which http_exchange_stream_body was called in on_head.
   * False closes the connection. */
  bool (*on_body)(void *context, http_exchange *exchange, const char *data, size_t size);
  /* The request is complete. It is responded to, or http_exchange_defer is called. */
  void (*on_request)(void *context, http_exchange *exchange);
  /* A response in pieces can take more: see http_exchange_write. May be NULL. */
  void (*on_writable)(void *context, http_exchange *exchange);
  /* The client of a response in pieces has gone; the exchange is no more after it. May be NULL. */
  void (*on_abandoned)(void *context, http_exchange *exchange);
  /* The server has rejected something by itself; may be NULL. The exchange is there to be asked for
   * its headers; NULL: they have not arrived completely. */
  void (*on_rejected)(void *context, const http_exchange *exchange, const net_address *peer,
                      int status, const char *reason);
  /* A response begins to be sent; may be NULL. */
  void (*on_response)(void *context, int status);
  /* What was ready has been read, and what was to be sent is sent: the end of a batch. May be
   * NULL. */
  void (*on_batch)(void *context);
  void *context;
} http_server_options;

/* Listens at once; connections are accepted when the loop runs. NULL: the reason is in `error`; the
 * loop has to be run once more, since handles of libuv are closed by it. */
http_server *http_server_new(uv_loop_t *loop, const http_server_options *options,
                             host_error *error);

/* From now on every response is the last one of its connection; further connections are accepted.
 */
void http_server_end_connections(http_server *server);
/* As that, and stops accepting connections. Those that are open are closed after their next
 * response, for which its peer has one second more: one that does not read must not hold up the
 * end. */
void http_server_close_listener(http_server *server);
/* Requests of which the first bytes have arrived, and whose response is not yet sent. */
size_t http_server_active(const http_server *server);
/* Those of them that have arrived completely. */
size_t http_server_complete_requests(const http_server *server);
/* Whether there is a connection on which a request, or the rest of one, has been waited for less
 * than `ms`. */
bool http_server_awaits(const http_server *server, int64_t ms);
/* Connections that count against the maximum. */
size_t http_server_connections(const http_server *server);
/* Connections that have had a response, and may send another request. */
size_t http_server_reusable(const http_server *server);

/* Reads what has arrived on connections that wait for a request, which the loop would do later. */
void http_server_read_waiting(http_server *server);
/* Closes all connections, but for those that have got their last response: they linger for up to
 * half a second, since a reset could overtake it. When the loop has closed the server's handles,
 * and every deferred exchange has been responded to, it is freed and `on_closed` (may be NULL)
 * called.
 */
void http_server_close(http_server *server, void (*on_closed)(void *context), void *context);

/* From any thread: reads the certificate and key again, for the connections to come. False: those
 * from before stay in use, and the reason is in `error`. */
bool http_server_reload_tls(http_server *server, host_error *error);

/* "127.0.0.1:41234" or "unix:/path", as bound. */
const char *http_server_address(const http_server *server);
size_t http_server_max_connections(const http_server *server);

/* ---- the request: from on_head on, until it is responded to ------------------------------ */

/* That of the server's options. */
void *http_exchange_context(const http_exchange *exchange);
const char *http_exchange_method(const http_exchange *exchange);
/* As sent, with its percent-escapes. */
const char *http_exchange_path(const http_exchange *exchange);
const char *http_exchange_query(const http_exchange *exchange); /* NULL: none */
const char *http_exchange_body(const http_exchange *exchange, size_t *size);
/* The other end of the connection. */
const net_address *http_exchange_peer(const http_exchange *exchange);
void http_exchange_headers(const http_exchange *exchange,
                           void (*each)(void *context, const char *name, const char *value),
                           void *context);
/* The values of one header, in the order of arrival, at most `max` of them. Returns how many there
 * are. */
size_t http_exchange_values(const http_exchange *exchange, const char *name, const char **values,
                            size_t max);

/* In on_head: the body is passed to on_body piece by piece, and stored nowhere. The limit of its
 * size is the same. */
void http_exchange_stream_body(http_exchange *exchange);

/* In on_request: it is responded to later, from any thread. */
void http_exchange_defer(http_exchange *exchange);
/* From any thread, of one that is deferred: whether its client sends no more, as one that has left
 * does. It may still read. */
bool http_exchange_is_abandoned(const http_exchange *exchange);

/* ---- the response: exactly one, by any of these ------------------------------------------- */

/* Everything is copied. */
void http_exchange_respond(http_exchange *exchange, int status, const http_header *headers,
                           size_t header_count, const char *body, size_t body_size);

/* As http_exchange_respond, but the connection is closed after half of the body. */
void http_exchange_respond_truncated(http_exchange *exchange, int status,
                                     const http_header *headers, size_t header_count,
                                     const char *body, size_t body_size);

/* Closes the connection without a response. */
void http_exchange_abort(http_exchange *exchange);

/* Responds {"error": reason}. `reason` must not need escaping in JSON. */
void http_exchange_reject(http_exchange *exchange, int status, const char *reason);

/* NULL: out of memory. Everything is copied. */
http_response *http_response_new(int status, const http_header *headers, size_t header_count,
                                 const char *body, size_t body_size);
/* Responses that are under way with it are sent. NULL is allowed. */
void http_response_free(http_response *response);
void http_exchange_send_shared(http_exchange *exchange, http_response *response);

/* The body is `size` bytes of a file, from its position `offset` on. The descriptor is the
 * server's from now on. */
void http_exchange_respond_file(http_exchange *exchange, int status, const http_header *headers,
                                size_t header_count, int fd, int64_t offset, int64_t size);

/* A response in pieces, on the loop's thread only: begin, write any number of times, end. `size` is
 * the body's, -1: it is not known before its end. */
void http_exchange_begin(http_exchange *exchange, int status, const http_header *headers,
                         size_t header_count, int64_t size);
/* Copies what cannot be sent at once. False: the client does not keep up, and on_writable says when
 * it has. */
bool http_exchange_write(http_exchange *exchange, const char *data, size_t size);
/* A body that is shorter than its size was said to be aborts the connection. */
void http_exchange_end(http_exchange *exchange);

#endif
