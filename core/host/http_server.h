/* An HTTP server over libmicrohttpd whose event loop is driven by its owner.
 *
 * The owner polls http_server_fd for reading and calls http_server_run. libmicrohttpd's
 * own epoll thread is not used: it stalls when a full batch of events arrives at once.
 */
#ifndef PALENCA_HOST_HTTP_SERVER_H
#define PALENCA_HOST_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct http_server http_server;
typedef struct http_exchange http_exchange;

typedef struct {
  const char *name;
  const char *value;
} http_header;

typedef struct {
  const char *listen; /* "127.0.0.1:8080", "[::1]:8080"; port 0: any free one */
  size_t max_body;    /* bytes; larger ones are answered with 413 */
  /* Called on the loop's thread when the head has arrived, to refuse a request
   * before its body is read: it may answer. NULL: nothing is refused. */
  void (*on_head)(void *context, http_exchange *exchange);
  /* Called on the loop's thread when the whole request is there. It answers,
   * or calls http_exchange_defer and has the answer given later. */
  void (*on_request)(void *context, http_exchange *exchange);
  void *context;
} http_server_options;

http_server *http_server_new(const http_server_options *options, char *error, size_t error_size);

/* Stops accepting connections. */
void http_server_close_listener(http_server *server);
/* Requests whose head has arrived and whose answer is not sent out. */
size_t http_server_active(const http_server *server);
/* Those of them of which the body has arrived as well. */
size_t http_server_whole(const http_server *server);
/* Nothing is freed while a deferred exchange is unanswered: better a leak at the
 * end of the process than an answer into freed memory. */
void http_server_free(http_server *server);

int http_server_fd(const http_server *server);
/* Ms until run wants to be called even if the descriptor is silent; -1: never. */
int64_t http_server_timeout(http_server *server);
void http_server_run(http_server *server);
/* "127.0.0.1:41234", as bound. */
const char *http_server_address(const http_server *server);

const char *http_exchange_method(const http_exchange *exchange);
/* As sent: percent-escapes are kept. */
const char *http_exchange_path(const http_exchange *exchange);
const char *http_exchange_query(const http_exchange *exchange); /* NULL: none */
const char *http_exchange_body(const http_exchange *exchange, size_t *size);
void http_exchange_headers(const http_exchange *exchange,
                           void (*each)(void *context, const char *name, const char *value),
                           void *context);

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

#endif
