/* The sockets of idle HTTP/1 connections: one that receives unrequested data is closed, so that
 * it is not taken for the next response. */
#ifndef PALENCA_IDLE_SOCKETS_H
#define PALENCA_IDLE_SOCKETS_H

#include "poller.h"

#pragma GCC visibility push(hidden)

typedef struct {
  poller *poller; /* knows which they are, and watches them */
  int ended[2];   /* a pair of sockets, of which the first is at its end; -1 until it is needed */
  int64_t checked_at; /* all of them, in ms; -1: not since one was added */
} idle_sockets;

void idle_sockets_init(idle_sockets *idle, poller *with);
void idle_sockets_free(idle_sockets *idle);

/* A connection that is idle from now on, until the poller watches it. */
void idle_sockets_add(idle_sockets *idle, int fd);
/* Ends the connection of a socket at once: its descriptor stays open, and is at its end. */
void idle_sockets_end(idle_sockets *idle, int fd);
/* To be called before a socket is closed, idle or not. */
void idle_sockets_remove(idle_sockets *idle, int fd);

/* One that is readable, which is to be ended; -1: there is none. It asks the system once in a
 * millisecond, `now`: a burst of requests starts within a few, and what comes on a connection after
 * it has been asked for may as well come after the request. */
int idle_sockets_next_readable(idle_sockets *idle, int64_t now);

#pragma GCC visibility pop

#endif
