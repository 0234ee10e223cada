/* The TLS session below a transfer. libcurl reads no more of a body than its length says: what
 * comes behind it in the same record stays in the session, where no poll of the socket sees it. */
#include "tls_session.h"

#include <dlfcn.h>
#include <pthread.h>

/* Of all versions of libcurl since 2006. */
#ifdef __APPLE__
#define LIBRARY "libcurl.4.dylib"
#else
#define LIBRARY "libcurl.so.4"
#endif

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int (*ssl_pending)(const void *session);

/* Asked of libcurl's own TLS library, which need not be the one that this is linked with. */
static void find_library(void) {
  void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_NOLOAD);
  if (library == NULL)
    return;
  /* POSIX has dlsym give the address of a function as that of an object */
  *(void **)&ssl_pending = dlsym(library, "SSL_pending");
  dlclose(library); /* it stays: the caller uses it */
}

const void *tls_session_of(CURL *easy) {
  struct curl_tlssessioninfo *session = NULL;
  (void)pthread_once(&once, find_library);
  if (ssl_pending == NULL || curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK ||
      session == NULL || session->backend != CURLSSLBACKEND_OPENSSL)
    return NULL;
  return session->internals;
}

bool tls_session_has_unread(const void *session) {
  return ssl_pending(session) > 0;
}
