/* The sockets of an engine's connections, by the server they lead to: whether one is open. */
#ifndef PALENCA_OPEN_SOCKETS_H
#define PALENCA_OPEN_SOCKETS_H

#include "poller.h"
#include "transport.h"

#pragma GCC visibility push(hidden)

typedef struct {
  int fd;
  int version;     /* of HTTP: 1 or 2; 0: not known yet */
  uint64_t origin; /* a hash of the server, and of how it is connected to */
  int64_t used_at;
  const void *tls; /* its session, as of tls_session.h; NULL: not known */
} open_socket;

#define SEEN_ORIGINS 8

typedef struct {
  open_socket *sockets;
  size_t count, capacity;
  struct {
    uint64_t origin;
    int version;
  } seen[SEEN_ORIGINS]; /* the last ones that a response came from */
  size_t next_seen;
} open_sockets;

void open_sockets_free(open_sockets *all);

/* Requests with the same origin can share connections. */
uint64_t open_sockets_origin(const transport_request *request);

/* Without memory it is not counted. */
void open_sockets_add(open_sockets *all, int fd, uint64_t origin, int64_t now);
/* One that is closed; others are passed over. */
void open_sockets_remove(open_sockets *all, int fd);
/* Records that a connection was used, its version of HTTP, and its session of TLS. */
void open_sockets_use(open_sockets *all, int fd, int version, const void *tls, int64_t now);
/* Its session; NULL: it has none, or that is not known. */
const void *open_sockets_tls(const open_sockets *all, int fd);

/* The version of HTTP that a server was last seen to have; 0: not known. */
int open_sockets_version(const open_sockets *all, uint64_t origin);
/* How many connections are to be opened so that there are `wanted` with HTTP/1.1, or one with
 * HTTP/2; not those that the server has closed, or that libcurl would close for their age. One at
 * first if it is not known which. */
size_t open_sockets_missing(const open_sockets *all, uint64_t origin, size_t wanted, int64_t now);

/* The next one of these, but for those that `busy` watches, which the server has closed; -1: none.
 * It is not returned again. */
int open_sockets_closed(open_sockets *all, uint64_t origin, const poller *busy);

#pragma GCC visibility pop

#endif
