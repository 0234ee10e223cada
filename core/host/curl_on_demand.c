/* What the client calls of libcurl, which is loaded with the first call of a script: with the
 * libraries behind it, it takes some megabytes that receiving webhooks does not need. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>

/* The headers know these as macros. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

/* Of all versions of libcurl since 2006. */
#define LIBRARY "libcurl.so.4"

static struct {
  CURLcode (*global_init)(long);
  CURL *(*easy_init)(void);
  void (*easy_cleanup)(CURL *);
  CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
  CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
  const char *(*easy_strerror)(CURLcode);
  CURLM *(*multi_init)(void);
  CURLMcode (*multi_cleanup)(CURLM *);
  CURLMcode (*multi_setopt)(CURLM *, CURLMoption, ...);
  CURLMcode (*multi_add_handle)(CURLM *, CURL *);
  CURLMcode (*multi_remove_handle)(CURLM *, CURL *);
  CURLMsg *(*multi_info_read)(CURLM *, int *);
  CURLMcode (*multi_socket_action)(CURLM *, curl_socket_t, int, int *);
  CURLMcode (*multi_timeout)(CURLM *, long *);
  struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
  void (*slist_free_all)(struct curl_slist *);
  bool is_loaded;
} curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* POSIX has dlsym give the address of a function as that of an object. */
static bool find(void *library, const char *name, void *function) {
  *(void **)function = dlsym(library, name);
  return *(void **)function != NULL;
}

static void load(void) {
  void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
  curl.is_loaded = library != NULL && find(library, "curl_global_init", &curl.global_init) &&
                   find(library, "curl_easy_init", &curl.easy_init) &&
                   find(library, "curl_easy_cleanup", &curl.easy_cleanup) &&
                   find(library, "curl_easy_setopt", &curl.easy_setopt) &&
                   find(library, "curl_easy_getinfo", &curl.easy_getinfo) &&
                   find(library, "curl_easy_strerror", &curl.easy_strerror) &&
                   find(library, "curl_multi_init", &curl.multi_init) &&
                   find(library, "curl_multi_cleanup", &curl.multi_cleanup) &&
                   find(library, "curl_multi_setopt", &curl.multi_setopt) &&
                   find(library, "curl_multi_add_handle", &curl.multi_add_handle) &&
                   find(library, "curl_multi_remove_handle", &curl.multi_remove_handle) &&
                   find(library, "curl_multi_info_read", &curl.multi_info_read) &&
                   find(library, "curl_multi_socket_action", &curl.multi_socket_action) &&
                   find(library, "curl_multi_timeout", &curl.multi_timeout) &&
                   find(library, "curl_slist_append", &curl.slist_append) &&
                   find(library, "curl_slist_free_all", &curl.slist_free_all);
}

/* These two come first; where they fail, no handle comes into being for the others. */

CURLcode curl_global_init(long flags) {
  (void)pthread_once(&once, load);
  return curl.is_loaded ? curl.global_init(flags) : CURLE_FAILED_INIT;
}

CURLM *curl_multi_init(void) {
  (void)pthread_once(&once, load);
  return curl.is_loaded ? curl.multi_init() : NULL;
}

/* The type of an option's value is in its number; addresses of functions are handed on as those of
 * objects. */
#define HAND_ON(call, handle, option)                                                              \
  va_list value;                                                                                   \
  va_start(value, option);                                                                         \
  int type = (int)(option) / 10000 * 10000;                                                        \
  int code = type == CURLOPTTYPE_LONG    ? (int)(call)(handle, option, va_arg(value, long))        \
             : type == CURLOPTTYPE_OFF_T ? (int)(call)(handle, option, va_arg(value, curl_off_t))  \
                                         : (int)(call)(handle, option, va_arg(value, void *));     \
  va_end(value)

CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...) {
  HAND_ON(curl.easy_setopt, easy, option);
  return (CURLcode)code;
}

CURLMcode curl_multi_setopt(CURLM *multi, CURLMoption option, ...) {
  HAND_ON(curl.multi_setopt, multi, option);
  return (CURLMcode)code;
}

CURLcode curl_easy_getinfo(CURL *easy, CURLINFO info, ...) {
  va_list value;
  va_start(value, info);
  CURLcode code = curl.easy_getinfo(easy, info, va_arg(value, void *));
  va_end(value);
  return code;
}

CURL *curl_easy_init(void) {
  return curl.easy_init();
}

void curl_easy_cleanup(CURL *easy) {
  curl.easy_cleanup(easy);
}

const char *curl_easy_strerror(CURLcode code) {
  return curl.easy_strerror(code);
}

CURLMcode curl_multi_cleanup(CURLM *multi) {
  return curl.multi_cleanup(multi);
}

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *easy) {
  return curl.multi_add_handle(multi, easy);
}

CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *easy) {
  return curl.multi_remove_handle(multi, easy);
}

CURLMsg *curl_multi_info_read(CURLM *multi, int *left) {
  return curl.multi_info_read(multi, left);
}

CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t socket, int mask, int *running) {
  return curl.multi_socket_action(multi, socket, mask, running);
}

CURLMcode curl_multi_timeout(CURLM *multi, long *milliseconds) {
  return curl.multi_timeout(multi, milliseconds);
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text) {
  return curl.slist_append(list, text);
}

void curl_slist_free_all(struct curl_slist *list) {
  curl.slist_free_all(list);
}
