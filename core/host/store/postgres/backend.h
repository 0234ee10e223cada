/* PostgreSQL as the event store's database: a server that several processes serve from. */
#ifndef PALENCA_HOST_STORE_POSTGRES_BACKEND_H
#define PALENCA_HOST_STORE_POSTGRES_BACKEND_H

#include "common/host_error.h"
#include "store/backend/backend.h"
#include "store/event_store.h"

/* Connects, and makes the tables if need be; `*unfinished` gets the number of events that have not
 * ended. NULL on failure, with the reason in `error`. Blocks meanwhile: before the loop is started.
 */
event_backend *postgres_backend_open(const event_store_options *options, int64_t *unfinished,
                                     host_error *error);

#endif
