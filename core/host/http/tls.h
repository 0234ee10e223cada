/* TLS 1.2 and 1.3 on the sockets of the HTTP server, by OpenSSL. */
#ifndef PALENCA_HOST_HTTP_TLS_H
#define PALENCA_HOST_HTTP_TLS_H

#include "common/host_error.h"

#include <stdbool.h>
#include <stddef.h>

struct ssl_ctx_st;
struct ssl_st;

/* A certificate with the chain after it, and its private key, both PEM. NULL: the reason, which
 * names the file, is in `error`. Freed by http_tls_free. */
struct ssl_ctx_st *http_tls_new(const char *cert, const char *key, host_error *error);
void http_tls_free(struct ssl_ctx_st *tls); /* NULL is allowed; its sessions stay usable */

/* The server's side of a session on a socket, which stays the caller's. `reads` counts those of the
 * socket, and is the session's until it is closed. NULL: out of memory. */
struct ssl_st *http_tls_open(struct ssl_ctx_st *tls, int fd, unsigned *reads);
/* NULL is allowed. */
void http_tls_close(struct ssl_st *session);

typedef enum {
  HTTP_TLS_DONE,
  HTTP_TLS_WANTS_READ, /* until the socket is readable */
  HTTP_TLS_WANTS_WRITE,
  HTTP_TLS_ENDED, /* the peer has closed */
  HTTP_TLS_FAILED,
} http_tls_result;

/* Each of these reads a bounded part of what the socket has, and then returns HTTP_TLS_WANTS_READ:
 * the socket has to be polled for being readable, not for becoming so. */

/* Continues the handshake. `error` is set if it has ended or failed. */
http_tls_result http_tls_handshake(struct ssl_st *session, host_error *error);
http_tls_result http_tls_read(struct ssl_st *session, char *out, size_t size, size_t *done);
http_tls_result http_tls_write(struct ssl_st *session, const char *data, size_t size, size_t *done);
/* Decrypted bytes wait to be read, which the socket does not show. */
bool http_tls_has_pending(const struct ssl_st *session);
/* Says that nothing more is sent. */
void http_tls_shutdown(struct ssl_st *session);

#endif
