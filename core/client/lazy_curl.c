/* Loads libcurl when it is first needed. */
#include "lazy_curl.h"

#include "pin_code.h"
#include "protocol/error.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Of all versions of libcurl since 2006. */
#ifdef __APPLE__
#define LIBRARY "libcurl.4.dylib"
#else
#define LIBRARY "libcurl.so.4"
#endif

static const struct {
  const char *name;
  size_t offset; /* in lazy_curl */
} functions[] = {
    {"curl_global_init", offsetof(lazy_curl, global_init)},
    {"curl_version_info", offsetof(lazy_curl, version_info)},
    {"curl_easy_init", offsetof(lazy_curl, easy_init)},
    {"curl_easy_cleanup", offsetof(lazy_curl, easy_cleanup)},
    {"curl_easy_setopt", offsetof(lazy_curl, easy_setopt)},
    {"curl_easy_getinfo", offsetof(lazy_curl, easy_getinfo)},
    {"curl_easy_strerror", offsetof(lazy_curl, easy_strerror)},
    {"curl_easy_recv", offsetof(lazy_curl, easy_recv)},
    {"curl_multi_init", offsetof(lazy_curl, multi_init)},
    {"curl_multi_cleanup", offsetof(lazy_curl, multi_cleanup)},
    {"curl_multi_setopt", offsetof(lazy_curl, multi_setopt)},
    {"curl_multi_add_handle", offsetof(lazy_curl, multi_add_handle)},
    {"curl_multi_remove_handle", offsetof(lazy_curl, multi_remove_handle)},
    {"curl_multi_info_read", offsetof(lazy_curl, multi_info_read)},
    {"curl_multi_socket_action", offsetof(lazy_curl, multi_socket_action)},
    {"curl_multi_timeout", offsetof(lazy_curl, multi_timeout)},
    {"curl_share_init", offsetof(lazy_curl, share_init)},
    {"curl_share_setopt", offsetof(lazy_curl, share_setopt)},
    {"curl_share_cleanup", offsetof(lazy_curl, share_cleanup)},
    {"curl_url", offsetof(lazy_curl, url)},
    {"curl_url_set", offsetof(lazy_curl, url_set)},
    {"curl_url_cleanup", offsetof(lazy_curl, url_cleanup)},
    {"curl_slist_append", offsetof(lazy_curl, slist_append)},
    {"curl_slist_free_all", offsetof(lazy_curl, slist_free_all)},
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static lazy_curl loaded;
static char failure[200]; /* why it could not be loaded; "": it could */

/* POSIX has dlsym return the address of a function as that of an object. */
static bool find(void *library, const char *name, size_t offset) {
  void *address = dlsym(library, name);
  memcpy((char *)&loaded + offset, &address, sizeof address);
  return address != NULL;
}

static bool find_all(void *library) {
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    if (!find(library, functions[i].name, functions[i].offset)) {
      snprintf(failure, sizeof failure, LIBRARY " has no function %s", functions[i].name);
      return false;
    }
  }
  (void)find(library, "SSL_pending", offsetof(lazy_curl, ssl_pending));
  (void)find(library, "SSL_set_shutdown", offsetof(lazy_curl, ssl_set_shutdown));
  (void)find(library, "SSL_get0_alpn_selected", offsetof(lazy_curl, ssl_get0_alpn_selected));
  return true;
}

/* Never closed: its thread that resolves a name may take minutes, and outlive every Lua state. */
static void load(void) {
  pin_code();
  void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    const char *reason = dlerror();
    snprintf(failure, sizeof failure, "%s", reason != NULL ? reason : LIBRARY);
    return;
  }
  if (!find_all(library)) {
    return;
  }
  const curl_version_info_data *version = loaded.version_info(CURLVERSION_NOW);
  CURLcode code;
  if (version->version_num < CURL_VERSION_MIN) {
    snprintf(failure, sizeof failure, LIBRARY " is version %s, and 7.87 or later is needed",
             version->version);
  } else if ((code = loaded.global_init(CURL_GLOBAL_DEFAULT)) != CURLE_OK) {
    snprintf(failure, sizeof failure, "%s", loaded.easy_strerror(code));
  }
}

const lazy_curl *lazy_curl_load(palenca_error *error) {
  (void)pthread_once(&once, load);
  if (failure[0] == '\0') {
    return &loaded;
  }
  palenca_error_set(error, PALENCA_NETWORK, "libcurl could not be loaded: %s", failure);
  return NULL;
}

bool palenca_curl_version(char *text, size_t size, palenca_error *error) {
  const lazy_curl *curl = lazy_curl_load(error);
  if (curl == NULL) {
    return false;
  }
  const curl_version_info_data *info = curl->version_info(CURLVERSION_NOW);
  snprintf(text, size, "%s (%s)", info->version,
           info->ssl_version != NULL ? info->ssl_version : "no TLS");
  return true;
}
