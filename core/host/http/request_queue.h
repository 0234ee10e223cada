/* Requests that wait in a queue until another thread takes them: of an HTTP server on a thread of
 * its own, or those that whoever runs a server puts there. */
#ifndef PALENCA_HOST_HTTP_REQUEST_QUEUE_H
#define PALENCA_HOST_HTTP_REQUEST_QUEUE_H

#include "server.h"

typedef struct http_queue http_queue;

/* The callbacks and the context of the options are its own. NULL: the reason is in `error`. */
http_queue *http_queue_start(const http_server_options *options, host_error *error);

/* One without a server. NULL: out of memory, or of descriptors. */
http_queue *http_queue_new(void);

/* On the thread of its server, in on_request: defers a request and queues it. False: there are
 * `max` already; it is not deferred. */
bool http_queue_put(http_queue *queue, http_exchange *exchange, size_t max);

const char *http_queue_address(const http_queue *queue);

/* A descriptor that is readable while requests wait. */
int http_queue_fd(const http_queue *queue);

/* The oldest request that waits, which is deferred: its taker responds to it. NULL: none does. */
http_exchange *http_queue_take(http_queue *queue);

/* Aborts what has not been taken. */
void http_queue_abort_all(http_queue *queue);

/* The same; closes all connections and ends the thread, if there is a
 * server. All that was taken
 * must have been responded to. */
void http_queue_stop(http_queue *queue);

#endif
