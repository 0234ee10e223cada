/* Where the socket is by which `palenca events` asks the process that serves: beside the database.
 */
#ifndef PALENCA_HOST_STORE_ADMIN_SOCKET_ADDRESS_H
#define PALENCA_HOST_STORE_ADMIN_SOCKET_ADDRESS_H

#include "common/host_error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define EVENT_ADMIN_SOCKET_SUFFIX "-socket"

typedef struct {
  struct sockaddr_un address;
  int directory; /* the address may be in terms of it; -1: none */
} event_admin_address;

/* Of a database, by its absolute path. An address has about a hundred bytes; a longer path is
 * named by its directory's descriptor where the system can. False, with the reason in `error`. */
bool event_admin_address_open(event_admin_address *address, const char *path, host_error *error);
void event_admin_address_close(event_admin_address *address);

/* Removes the socket of a process that has ended; for the holder of the lock. */
void event_admin_socket_remove(const char *path);

/* Whether the process at the other end is one of this user, or of root. */
bool event_admin_peer_is_allowed(int fd);

#endif
