/* Sets the options of a curl handle as a request asks for; it keeps those of the request before. */
#ifndef PALENCA_CURL_REQUEST_H
#define PALENCA_CURL_REQUEST_H

#include "lazy_curl.h"
#include "transport.h"

#pragma GCC visibility push(hidden)

/* The options of a handle that have a number, by which requests differ. */
typedef enum {
  OPTION_TLS_VERSION,
  OPTION_TIMEOUT,
  OPTION_CONNECT_TIMEOUT,
  OPTION_FRESH_CONNECT,
  OPTION_FORBID_REUSE,
  OPTION_PIPEWAIT,
  NUMBER_OPTIONS, /* how many there are */
} number_option;

typedef enum {
  METHOD_NONE, /* no request was set */
  METHOD_HEAD,
  METHOD_WITH_BODY,
  METHOD_WITHOUT_BODY,
} method_class;

/* A curl handle and its options as they are set, so that a request sets those only by which it
 * differs from the one before. */
typedef struct {
  CURL *easy;
  struct curl_slist *lines; /* of the head */
  long numbers[NUMBER_OPTIONS];
  method_class class;
  char *url, *method;
  CURLU *parsed; /* the URL; NULL: curl parses it, and says what is wrong with it */
  char *ca_file; /* NULL: the system's certificates */
  char *proxy;   /* NULL: as the environment says */
  bool is_local; /* the URL's host is this machine */
} easy_handle;

/* Takes over a curl handle on which no option of a request has been set. */
void easy_handle_init(easy_handle *handle, CURL *easy);
void easy_handle_free(const lazy_curl *curl, easy_handle *handle);

/* Whether the last request had the same URL. */
bool easy_handle_has_url(const easy_handle *handle, const char *url);

/* Sets a handle's options to those of a request, which waits for a connection that is being opened
 * if `waits`. False without memory, after which it can only be freed. */
bool easy_handle_set_request(const lazy_curl *curl, easy_handle *handle,
                             const transport_request *request, bool waits);

#pragma GCC visibility pop

#endif
