/* A request's headers as curl takes them. */
#ifndef PALENCA_CURL_HEADERS_H
#define PALENCA_CURL_HEADERS_H

#include "curl_version.h"
#include "transport.h"

#pragma GCC visibility push(hidden)

/* Gives a handle the headers of a request, and `lines` the list of them, which is kept if it is the
 * same as before and else replaced; the caller frees the last one. False without memory. */
bool curl_headers_set(CURL *easy, struct curl_slist **lines, const transport_request *request);

#pragma GCC visibility pop

#endif
