/* The servers to which connections are to be open before there is a request, and until when. */
#ifndef PALENCA_KEPT_SERVERS_H
#define PALENCA_KEPT_SERVERS_H

#include "transport.h"

#pragma GCC visibility push(hidden)

#define KEPT_SERVERS_MAX 4

typedef struct {
  transport_request request; /* its strings are in `text` */
  char *text;
  uint64_t origin;
  int64_t until;
  int64_t check_at; /* whether connections are open */
  int tokens;       /* connections that may be opened now; */
  int64_t token_at; /* another one comes at this time */
} kept_server;

typedef struct {
  kept_server servers[KEPT_SERVERS_MAX];
  size_t count;
} kept_servers;

void kept_servers_free(kept_servers *kept);

/* Adds the server of a request, or has it kept for longer; the soonest to end makes room. False
 * without memory. */
bool kept_servers_add(kept_servers *kept, const transport_request *request, uint64_t origin,
                      int64_t until, int64_t now);
/* The next one that is to be checked now, and then again in a second; NULL: none is. Drops those
 * whose time has passed. */
kept_server *kept_servers_due(kept_servers *kept, int64_t now);
/* When that is; -1: never. */
int64_t kept_servers_next(const kept_servers *kept);
/* Has a server checked now, if it is one of them. */
void kept_servers_recheck(kept_servers *kept, uint64_t origin, int64_t now);
/* Whether one more connection may be opened, which is counted then: there are a few at once, and
 * one in ten seconds after that, for a server that is away or closes them. */
bool kept_server_may_connect(kept_server *one, int64_t now);

#pragma GCC visibility pop

#endif
