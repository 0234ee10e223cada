/* Sets the options of a curl handle as a request asks for. */
#ifndef PALENCA_CURL_REQUEST_H
#define PALENCA_CURL_REQUEST_H

#include "lazy_curl.h"
#include "transport.h"

#pragma GCC visibility push(hidden)

/* Sets a handle's options to those of a request, and `lines` to the list of its headers, which is
 * reused if it is the same as before and else replaced; the caller frees the last one. False
 * without memory. */
bool request_options_set(const lazy_curl *curl, CURL *easy, struct curl_slist **lines,
                         const transport_request *request);

#pragma GCC visibility pop

#endif
