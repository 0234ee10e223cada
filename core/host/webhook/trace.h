/* What a request is known by elsewhere: its traceparent, as the W3C has it, and its X-Request-Id.
 */
#ifndef PALENCA_HOST_WEBHOOK_TRACE_H
#define PALENCA_HOST_WEBHOOK_TRACE_H

#include "http/server.h"
#include "store/event.h"

/* Only what is well formed, and came once; its texts are the exchange's. */
event_trace webhook_trace(const http_exchange *exchange);

#endif
