/* An HTTP server over libmicrohttpd whose event loop is driven by its owner.
 *
 * The owner polls http_server_fd for reading and calls http_server_run. libmicrohttpd's
 * own epoll thread is not used: it stalls when a full batch of events arrives at once.
 */
#ifndef PALENCA_HOST_HTTP_SERVER_H
#define PALENCA_HOST_HTTP_SERVER_H

#include "net_address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct http_server http_server;
typedef struct http_exchange http_exchange;

typedef struct {
  const char *name;
  const char *value;
} http_header;

/* An answer made once and given many times. */
typedef struct http_answer http_answer;

/* Of limits and times, 0 stands for the default. */
typedef struct {
  const char *listen; /* "127.0.0.1:8080", "[::1]:8080", "unix:/path"; port 0: any free one */
  size_t max_body;    /* bytes; larger ones are answered with 413; default 64 KiB */
  size_t max_head;    /* bytes of request line and headers; longer: 431; default 8 KiB */
  /* Ms within which a request must be here as a whole, counted from its first line, and before it
   * on a new connection from its beginning: 408; default 10 s. */
  int64_t request_ms;
  int64_t idle_ms; /* how long a connection may wait for its next request; default 60 s */
  /* New ones beyond that are answered with 503 at once; default 2048, and never so many that too
   * few descriptors were left for the rest of the process. */
  size_t max_connections;
  size_t max_connections_per_address; /* as above; default: no limit */
  /* Called on the loop's thread when the head has arrived, to refuse a request
   * before its body is read: it may answer. NULL: nothing is refused. */
  void (*on_head)(void *context, http_exchange *exchange);
  /* Called on the loop's thread when the whole request is there. It answers,
   * or calls http_exchange_defer and has the answer given later. */
  void (*on_request)(void *context, http_exchange *exchange);
  /* Told what the server has refused by itself; may be NULL. The exchange is there to be asked for
   * its headers; NULL: they have not been read to their end. */
  void (*on_refused)(void *context, const http_exchange *exchange, const net_address *peer,
                     int status, const char *reason);
  void *context;
} http_server_options;

http_server *http_server_new(const http_server_options *options, char *error, size_t error_size);

/* Stops accepting connections. */
void http_server_close_listener(http_server *server);
/* Requests whose head has arrived and whose answer is not sent out. */
size_t http_server_active(const http_server *server);
/* Those of them of which the body has arrived as well. */
size_t http_server_whole(const http_server *server);
/* Nothing is freed while a deferred exchange is unanswered, and false returned: better a leak at
 * the end of the process than an answer into freed memory. NULL is allowed. */
bool http_server_free(http_server *server);

int http_server_fd(const http_server *server);
/* Ms until run wants to be called even if the descriptor is silent; -1: never. */
int64_t http_server_timeout(http_server *server);
/* True: a request has begun, was whole, or was answered, so that others may have come meanwhile. */
bool http_server_run(http_server *server);
/* "127.0.0.1:41234" or "unix:/path", as bound. */
const char *http_server_address(const http_server *server);
/* How many connections it takes at most. */
size_t http_server_max_connections(const http_server *server);

/* That of the server's options. */
void *http_exchange_context(const http_exchange *exchange);
const char *http_exchange_method(const http_exchange *exchange);
/* As sent: percent-escapes are kept. */
const char *http_exchange_path(const http_exchange *exchange);
const char *http_exchange_query(const http_exchange *exchange); /* NULL: none */
const char *http_exchange_body(const http_exchange *exchange, size_t *size);
/* The other end of the connection. */
const net_address *http_exchange_peer(const http_exchange *exchange);
void http_exchange_headers(const http_exchange *exchange,
                           void (*each)(void *context, const char *name, const char *value),
                           void *context);
/* The values of one header, in the order of arrival: `most` of them at most. Returns how many there
 * are. */
size_t http_exchange_values(const http_exchange *exchange, const char *name, const char **values,
                            size_t most);

/* Puts the exchange aside: http_exchange_answer comes later, from any thread. */
void http_exchange_defer(http_exchange *exchange);

/* Answers once; everything is copied. Content-Length is added, and nothing else. */
void http_exchange_answer(http_exchange *exchange, int status, const http_header *headers,
                          size_t header_count, const char *body, size_t body_size);

/* As http_exchange_answer, but the connection is closed after half of the body. */
void http_exchange_cut(http_exchange *exchange, int status, const http_header *headers,
                       size_t header_count, const char *body, size_t body_size);

/* Closes the connection without an answer. */
void http_exchange_drop(http_exchange *exchange);

/* Answers {"error": reason}. `reason` must not need escaping in JSON. */
void http_exchange_refuse(http_exchange *exchange, int status, const char *reason);

/* NULL: out of memory. Everything is copied. */
http_answer *http_answer_new(int status, const http_header *headers, size_t header_count,
                             const char *body, size_t body_size);
/* Answers that are under way with it are given. NULL is allowed. */
void http_answer_free(http_answer *answer);
void http_exchange_give(http_exchange *exchange, http_answer *answer);

#endif
