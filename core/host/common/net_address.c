/* Parses addresses of clients and blocks of addresses, as settings and X-Forwarded-For write them,
 * and matches them. */
#include "net_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static net_address from_ipv4(const void *bytes) {
  net_address address = {.kind = NET_IPV4};
  memcpy(address.bytes, bytes, 4);
  return address;
}

static net_address from_ipv6(const void *bytes) {
  net_address address = {.kind = NET_IPV6};
  if (memcmp(bytes, mapped, sizeof mapped) == 0) {
    return from_ipv4((const unsigned char *)bytes + sizeof mapped);
  }
  memcpy(address.bytes, bytes, 16);
  return address;
}

net_address net_address_of(const struct sockaddr *address) {
  net_address none = {.kind = NET_UNKNOWN};
  switch (address->sa_family) {
  case AF_INET:
    return from_ipv4(&((const struct sockaddr_in *)(const void *)address)->sin_addr);
  case AF_INET6:
    return from_ipv6(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
  case AF_UNIX:
    none.kind = NET_UNIX;
    return none;
  default:
    return none;
  }
}

static bool parse_plain(const char *text, size_t size, net_address *out) {
  char copy[INET6_ADDRSTRLEN];
  unsigned char bytes[16];
  if (size == 0 || size >= sizeof copy || memchr(text, '\0', size) != NULL) {
    return false;
  }
  memcpy(copy, text, size);
  copy[size] = '\0';
  if (inet_pton(AF_INET, copy, bytes) == 1) {
    *out = from_ipv4(bytes);
  } else if (inet_pton(AF_INET6, copy, bytes) == 1) {
    *out = from_ipv6(bytes);
  } else {
    return false;
  }
  return true;
}

static bool is_number(const char *text, size_t size, unsigned long max, unsigned long *out) {
  unsigned long value = 0;
  if (size == 0 || size > 5) {
    return false;
  }
  for (size_t i = 0; i < size; i++) {
    if (text[i] < '0' || text[i] > '9') {
      return false;
    }
    value = value * 10 + (unsigned long)(text[i] - '0');
  }
  *out = value;
  return value <= max;
}

static bool is_port(const char *text, size_t size) {
  unsigned long port;
  return size > 1 && text[0] == ':' && is_number(text + 1, size - 1, 65535, &port);
}

bool net_address_parse(const char *text, size_t size, net_address *out) {
  if (size > 0 && text[0] == '[') {
    const char *end = memchr(text, ']', size);
    if (end == NULL) {
      return false;
    }
    size_t behind = size - (size_t)(end + 1 - text);
    return memchr(text, ':', (size_t)(end - text)) != NULL &&
           (behind == 0 || is_port(end + 1, behind)) &&
           parse_plain(text + 1, (size_t)(end - text) - 1, out);
  }
  const char *colon = memchr(text, ':', size);
  size_t behind = colon != NULL ? size - (size_t)(colon - text) : 0;
  if (behind > 0 && is_port(colon, behind) && memchr(text, '.', size - behind) != NULL) {
    size -= behind;
  }
  return parse_plain(text, size, out);
}

void net_address_text(const net_address *address, char out[NET_ADDRESS_TEXT]) {
  if (address->kind == NET_IPV4) {
    inet_ntop(AF_INET, address->bytes, out, NET_ADDRESS_TEXT);
  } else if (address->kind == NET_IPV6) {
    inet_ntop(AF_INET6, address->bytes, out, NET_ADDRESS_TEXT);
  } else {
    snprintf(out, NET_ADDRESS_TEXT, "%s", address->kind == NET_UNIX ? "unix" : "unknown");
  }
}

bool net_address_equal(const net_address *a, const net_address *b) {
  return a->kind == b->kind && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool net_block_parse(const char *text, net_block *out) {
  unsigned long bits;
  if (strcmp(text, "unix") == 0) {
    *out = (net_block){.first = {.kind = NET_UNIX}};
    return true;
  }
  const char *slash = strchr(text, '/');
  size_t size = slash != NULL ? (size_t)(slash - text) : strlen(text);
  if (!parse_plain(text, size, &out->first)) {
    return false;
  }
  /* a block of addresses that are IPv4's counts its bits as IPv6 does */
  bool is_mapped = out->first.kind == NET_IPV4 && memchr(text, ':', size) != NULL;
  unsigned long all = out->first.kind == NET_IPV4 && !is_mapped ? 32 : 128;
  if (slash == NULL) {
    bits = all;
  } else if (!is_number(slash + 1, strlen(slash + 1), all, &bits) || (is_mapped && bits < 96)) {
    return false;
  }
  out->bits = (unsigned)(is_mapped ? bits - 96 : bits);
  return true;
}

bool net_block_holds(const net_block *block, const net_address *address) {
  if (address->kind != block->first.kind || address->kind == NET_UNKNOWN) {
    return false;
  }
  unsigned full_bytes = block->bits / 8;
  unsigned rest = block->bits % 8;
  if (memcmp(block->first.bytes, address->bytes, full_bytes) != 0) {
    return false;
  }
  return rest == 0 ||
         (block->first.bytes[full_bytes] ^ address->bytes[full_bytes]) >> (8 - rest) == 0;
}

bool net_blocks_hold(const net_block *blocks, size_t count, const net_address *address) {
  for (size_t i = 0; i < count; i++) {
    if (net_block_holds(&blocks[i], address)) {
      return true;
    }
  }
  return false;
}

static bool is_space(char c) {
  return c == ' ' || c == '\t';
}

/* Cuts the last entry off a list; false if it holds none. Empty ones are skipped, as in any list
 * of HTTP's. */
static bool take_last(const char *list, size_t *size, const char **entry, size_t *entry_size) {
  while (*size > 0) {
    size_t end = *size;
    size_t start = end;
    while (start > 0 && list[start - 1] != ',') {
      start--;
    }
    *size = start > 0 ? start - 1 : 0;
    while (start < end && is_space(list[start])) {
      start++;
    }
    while (end > start && is_space(list[end - 1])) {
      end--;
    }
    *entry = list + start;
    *entry_size = end - start;
    if (end > start) {
      return true;
    }
  }
  return false;
}

net_address net_address_forwarded(const net_address *peer, const net_block *trusted, size_t count,
                                  const char *const *values, size_t value_count) {
  net_address client = *peer;
  while (value_count > 0) {
    const char *list = values[--value_count];
    size_t size = strlen(list);
    const char *entry;
    size_t entry_size;
    while (take_last(list, &size, &entry, &entry_size)) {
      if (!net_blocks_hold(trusted, count, &client)) {
        return client;
      }
      if (!net_address_parse(entry, entry_size, &client)) {
        return (net_address){.kind = NET_UNKNOWN};
      }
    }
  }
  return client;
}
