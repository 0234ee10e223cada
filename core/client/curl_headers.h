/* A request's headers as curl takes them. */
#ifndef PALENCA_CURL_HEADERS_H
#define PALENCA_CURL_HEADERS_H

#include "transport.h"

#if !__has_include(<curl/curl.h>)
#error "curl/curl.h is missing: install libcurl4-openssl-dev (Debian) or libcurl-devel (Fedora)"
#endif
#include <curl/curl.h>

/* Gives a handle the headers of a request, and `lines` the list of them, which is kept if it is the
 * same as before and else replaced; the caller frees the last one. False without memory. */
bool curl_headers_set(CURL *easy, struct curl_slist **lines, const transport_request *request);

#endif
