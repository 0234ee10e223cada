/* Reads from curl what came of a transfer. */
#ifndef PALENCA_TRANSFER_OUTCOME_H
#define PALENCA_TRANSFER_OUTCOME_H

#include "lazy_curl.h"
#include "transport.h"

#pragma GCC visibility push(hidden)

/* The kind of a failure; `sent`: whether the request may have reached the server. */
palenca_kind transfer_outcome_kind(CURLcode code, bool sent);

/* The version of HTTP and the time of the response. */
void transfer_outcome_measure(const lazy_curl *curl, CURL *easy, transport_outcome *outcome);

#pragma GCC visibility pop

#endif
