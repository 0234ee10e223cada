/* Asks the TLS session below a transfer for what libcurl does not say: the version of HTTP before a
 * request, and whether it holds bytes that were not read. libcurl reads no more of a body than its
 * length says: what follows it in the same record stays in the session, where no poll of the socket
 * sees it. */
#include "tls_session.h"

#include <string.h>

#define BOTH_SIDES 3 /* SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN */

const void *tls_session_of(const lazy_curl *curl, CURL *easy) {
  struct curl_tlssessioninfo *session = NULL;
  if (curl->ssl_pending == NULL ||
      curl->easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || session == NULL ||
      session->backend != CURLSSLBACKEND_OPENSSL) {
    return NULL;
  }
  return session->internals;
}

bool tls_session_has_unread(const lazy_curl *curl, const void *session) {
  return curl->ssl_pending(session) > 0;
}

void tls_session_end(const lazy_curl *curl, const void *session) {
  if (session != NULL && curl->ssl_set_shutdown != NULL) {
    curl->ssl_set_shutdown(session, BOTH_SIDES);
  }
}

int tls_session_http_version(const lazy_curl *curl, const void *session) {
  const unsigned char *name = NULL;
  unsigned size = 0;
  if (session == NULL || curl->ssl_get0_alpn_selected == NULL) {
    return 0;
  }
  curl->ssl_get0_alpn_selected(session, &name, &size);
  return size == 2 && memcmp(name, "h2", 2) == 0 ? 2 : 1;
}
