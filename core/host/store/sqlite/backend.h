/* SQLite as the event store's database: a file that one process at a time serves from. */
#ifndef PALENCA_HOST_STORE_SQLITE_BACKEND_H
#define PALENCA_HOST_STORE_SQLITE_BACKEND_H

#include "common/host_error.h"
#include "store/backend/backend.h"
#include "store/event_store.h"

/* Opens (and creates) the database, reading back the dedup window; `*unfinished` gets the number of
 * its events that have not ended. NULL on failure, with the reason in `error`. */
event_backend *sqlite_backend_open(const event_store_options *options, int64_t *unfinished,
                                   host_error *error);

#endif
