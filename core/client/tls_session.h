/* The TLS session below a transfer, for what libcurl cannot report of it. */
#ifndef PALENCA_TLS_SESSION_H
#define PALENCA_TLS_SESSION_H

#include "lazy_curl.h"

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* The session of a transfer that is under way; NULL if there is none that can be asked. It lives as
 * long as the connection. */
const void *tls_session_of(const lazy_curl *curl, CURL *easy);

/* Whether it has decrypted bytes that were not read; what is not decrypted yet is in the socket.
 */
bool tls_session_has_unread(const lazy_curl *curl, const void *session);

/* Records that its connection has ended well, so that its session can be resumed by another one:
 * found to be cut off, it could not. */
void tls_session_end(const lazy_curl *curl, const void *session);

/* The version of HTTP that client and server have agreed on: 1 or 2; 0 if that cannot be asked. */
int tls_session_http_version(const lazy_curl *curl, const void *session);

#pragma GCC visibility pop

#endif
