/* Makes a private socket by which one thread wakes an event loop that can only read sockets it has
 * connected itself. */
#ifndef PALENCA_CLIENT_WAKEUP_SOCKET_H
#define PALENCA_CLIENT_WAKEUP_SOCKET_H

#include "palenca.h"

#include <pthread.h>
#include <sys/un.h>

#pragma GCC visibility push(hidden)

typedef struct {
  pthread_mutex_t mutex; /* no byte may go to a descriptor that is another's by now */
  int listener, peer;    /* -1: none */
  struct sockaddr_un address;
  char directory[sizeof((struct sockaddr_un *)NULL)->sun_path];
} wakeup_socket;

void wakeup_socket_init(wakeup_socket *wake);
/* Removes what is left of it, in the process that has opened it. */
void wakeup_socket_free(wakeup_socket *wake);

/* Listens in a new directory, of mode 0700, below `parent`; the path to connect to is
 * `address.sun_path`. An earlier connection is closed. */
bool wakeup_socket_open(wakeup_socket *wake, const char *parent, palenca_error *error);
/* Takes the connection that this process has made, and no other's; the path is gone then, whether
 * it worked or not. */
bool wakeup_socket_accept(wakeup_socket *wake, palenca_error *error);
/* Makes the connection readable, if there is one. On any thread; never waits. */
void wakeup_socket_send(wakeup_socket *wake);

#pragma GCC visibility pop

#endif
