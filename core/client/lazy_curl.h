/* libcurl, loaded when it is first needed: with the libraries it depends on, it takes some
 * megabytes that receiving webhooks does not need. */
#ifndef PALENCA_LAZY_CURL_H
#define PALENCA_LAZY_CURL_H

#include "curl_version.h"
#include "palenca.h"

#pragma GCC visibility push(hidden)

/* Its functions, under their names without `curl_`. */
typedef struct {
  CURLcode (*global_init)(long);
  curl_version_info_data *(*version_info)(CURLversion);
  CURL *(*easy_init)(void);
  void (*easy_cleanup)(CURL *);
  CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
  CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
  const char *(*easy_strerror)(CURLcode);
  CURLcode (*easy_recv)(CURL *, void *, size_t, size_t *);
  CURLM *(*multi_init)(void);
  CURLMcode (*multi_cleanup)(CURLM *);
  CURLMcode (*multi_setopt)(CURLM *, CURLMoption, ...);
  CURLMcode (*multi_add_handle)(CURLM *, CURL *);
  CURLMcode (*multi_remove_handle)(CURLM *, CURL *);
  CURLMsg *(*multi_info_read)(CURLM *, int *);
  CURLMcode (*multi_socket_action)(CURLM *, curl_socket_t, int, int *);
  CURLMcode (*multi_timeout)(CURLM *, long *);
  CURLSH *(*share_init)(void);
  CURLSHcode (*share_setopt)(CURLSH *, CURLSHoption, ...);
  CURLSHcode (*share_cleanup)(CURLSH *);
  CURLU *(*url)(void);
  CURLUcode (*url_set)(CURLU *, CURLUPart, const char *, unsigned);
  void (*url_cleanup)(CURLU *);
  struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
  void (*slist_free_all)(struct curl_slist *);
  /* OpenSSL's, if that is libcurl's TLS library, else NULL. It need not be the OpenSSL that this
   * code is linked with. */
  int (*ssl_pending)(const void *session);
  void (*ssl_set_shutdown)(const void *session, int mode);
  void (*ssl_get0_alpn_selected)(const void *session, const unsigned char **name, unsigned *size);
} lazy_curl;

/* Loads and initializes libcurl with the process's first call; it stays loaded, as does the
 * caller's code. NULL, with `error` filled, if it cannot be loaded or is too old, and then for
 * good. Any thread may call this. */
const lazy_curl *lazy_curl_load(palenca_error *error);

#pragma GCC visibility pop

#endif
