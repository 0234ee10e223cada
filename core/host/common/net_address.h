/* Addresses of clients and blocks of addresses, as settings and X-Forwarded-For write them. */
#ifndef PALENCA_HOST_COMMON_NET_ADDRESS_H
#define PALENCA_HOST_COMMON_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

typedef enum {
  NET_UNKNOWN,
  NET_UNIX, /* the other end of a Unix socket; it has no address */
  NET_IPV4,
  NET_IPV6,
} net_kind;

typedef struct {
  net_kind kind;
  unsigned char bytes[16]; /* of an IPv4 address the first four; the rest is zero */
} net_address;

typedef struct {
  net_address first;
  unsigned bits;
} net_block;

/* Room for the longest text, with its NUL. */
#define NET_ADDRESS_TEXT 48

/* An IPv4 address that is written or arrives as an IPv6 one (::ffff:192.0.2.1) is an IPv4 address.
 */
net_address net_address_of(const struct sockaddr *address);

/* "192.0.2.1", "2001:db8::1", either with a port as proxies write it: "192.0.2.1:4711",
 * "[2001:db8::1]:4711", or in brackets without one. */
bool net_address_parse(const char *text, size_t size, net_address *out);

/* "unix" and "unknown" for those kinds. */
void net_address_text(const net_address *address, char out[NET_ADDRESS_TEXT]);

bool net_address_equal(const net_address *a, const net_address *b);

/* "192.0.2.0/24", "2001:db8::/32", an address alone, or "unix". Bits after the prefix are
 * ignored. */
bool net_block_parse(const char *text, net_block *out);

bool net_block_holds(const net_block *block, const net_address *address);
bool net_blocks_hold(const net_block *blocks, size_t count, const net_address *address);

/* Who sent a request that came from `peer` with these values of X-Forwarded-For, in the order of
 * arrival. Each proxy appends the address it has seen, so they are read from the end, up to the
 * first one that was not written by a trusted proxy. NET_UNKNOWN if a trusted proxy has passed
 * on an invalid address. */
net_address net_address_forwarded(const net_address *peer, const net_block *trusted, size_t count,
                                  const char *const *values, size_t value_count);

#endif
