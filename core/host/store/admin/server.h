/* The socket beside the database by which commands ask the process that serves. All of it is on the
 * loop of the store. */
#ifndef PALENCA_HOST_STORE_ADMIN_SERVER_H
#define PALENCA_HOST_STORE_ADMIN_SERVER_H

#include "store/event_store.h"

#include <uv.h>

typedef struct event_admin_server event_admin_server;

/* Listens beside the database at `path`, which the store has open. NULL on failure, with the
 * reason in `error`: the store works without it, and commands say that there is no response. */
event_admin_server *event_admin_server_open(uv_loop_t *loop, event_store *store, const char *path,
                                            host_error *error);

/* Removes the socket and ends the works under way, between two slices. What is left is freed in
 * later turns of the loop, or by the store as it closes. NULL is allowed. */
void event_admin_server_close(event_admin_server *server);

#endif
