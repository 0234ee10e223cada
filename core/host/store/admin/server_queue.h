/* Events that are missing, at PostgreSQL: as the functions of event_admin.h. */
#ifndef PALENCA_HOST_STORE_ADMIN_SERVER_QUEUE_H
#define PALENCA_HOST_STORE_ADMIN_SERVER_QUEUE_H

#include "store/event_admin.h"

bool server_queue_last_purged(const char *url, int64_t *received_at, host_error *error);
bool server_queue_put(const char *url, const event_queue_request *what, bool *is_queued,
                      host_error *error);

#endif
