/* Checks whether the TLS session below a transfer holds bytes that were not read. libcurl reads no
 * more of a body than its length says: what follows it in the same record stays in the session,
 * where no poll of the socket sees it. */
#include "tls_session.h"

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
