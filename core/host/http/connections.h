/* The connections of a server: how many there are in all and of an address, and which of them has
 * waited for longest. */
#ifndef PALENCA_HOST_HTTP_CONNECTIONS_H
#define PALENCA_HOST_HTTP_CONNECTIONS_H

#include "common/net_address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_ADDRESS_BUCKETS 512

/* What is waited for. */
typedef enum {
  HTTP_WAIT_REQUEST, /* a request that should be here by now, or the rest of it */
  HTTP_WAIT_NEXT,    /* another request, which need not come */
  HTTP_WAIT_SENT,    /* the peer's reading of what is sent to it */
  HTTP_WAIT_LINGER,  /* the peer's closing, after the last response */
  HTTP_WAIT_NOTHING,
} http_wait;

/* The head of what the owner keeps for each connection. */
typedef struct http_entry http_entry;
struct http_entry {
  net_address peer;
  http_wait wait;
  bool is_counted;
  int64_t since;
  http_entry *older, *newer;
  http_entry *next_of_bucket, **link_of_bucket; /* the latter points at this one */
};

typedef struct {
  http_entry *oldest, *newest;
  size_t count;
} http_wait_list;

/* Starts as zeros. */
typedef struct {
  size_t count;
  http_wait_list waits[HTTP_WAIT_NOTHING];
  http_entry *buckets[HTTP_ADDRESS_BUCKETS];
} http_connections;

/* `entry->peer` is set; it waits for nothing yet. */
void http_connections_init(http_entry *entry);
void http_connections_add(http_connections *all, http_entry *entry);
/* It is counted no more, but may still wait. */
void http_connections_remove(http_connections *all, http_entry *entry);
/* Those of the same IPv4 address, or of the same /64 of IPv6, which is what one client has. */
size_t http_connections_of(const http_connections *all, const net_address *peer);
/* From `now` on, which is never before that of an earlier call. */
void http_connections_wait(http_connections *all, http_entry *entry, http_wait wait, int64_t now);

#endif
