/* Keeps a list of the sockets that libcurl has open, which it does not tell itself. */
#include "open_sockets.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#ifndef POLLRDHUP
#define POLLRDHUP 0 /* there the next request finds out */
#endif

/* libcurl reuses no connection that was idle for 118 s (CURLOPT_MAXAGE_CONN). */
#define MAX_AGE_MS 100000

void open_sockets_free(open_sockets *all) {
  free(all->sockets);
  memset(all, 0, sizeof *all);
}

/* FNV-1a; the terminating NUL is a part of it, so that texts do not run into each other. */
static uint64_t hash_more(uint64_t hash, const char *text, size_t size) {
  for (size_t i = 0; i <= size; i++) {
    hash ^= i < size ? (unsigned char)text[i] : 0;
    hash *= UINT64_C(1099511628211);
  }
  return hash;
}

static uint64_t hash_optional(uint64_t hash, const char *text) {
  return text != NULL ? hash_more(hash, text, strlen(text)) : hash * 31;
}

uint64_t open_sockets_origin(const transport_request *request) {
  const char *host = strstr(request->url, "://");
  size_t size = host != NULL ? (size_t)(host + 3 - request->url) : 0;
  size += strcspn(request->url + size, "/?#");
  uint64_t hash = hash_more(UINT64_C(14695981039346656037), request->url, size);
  hash = hash_optional(hash_optional(hash, request->ca_file), request->proxy);
  return hash * 31 + (request->allow_tls_1_2 ? 1 : 0);
}

static open_socket *find(const open_sockets *all, int fd) {
  for (size_t i = 0; i < all->count; i++) {
    if (all->sockets[i].fd == fd) {
      return &all->sockets[i];
    }
  }
  return NULL;
}

void open_sockets_add(open_sockets *all, int fd, uint64_t origin, int64_t now) {
  open_sockets_remove(all, fd);
  if (all->count == all->capacity) {
    size_t capacity = all->capacity > 0 ? all->capacity * 2 : 8;
    open_socket *larger = realloc(all->sockets, capacity * sizeof *larger);
    if (larger == NULL) {
      return;
    }
    all->sockets = larger;
    all->capacity = capacity;
  }
  all->sockets[all->count++] = (open_socket){.fd = fd, .origin = origin, .used_at = now};
}

void open_sockets_remove(open_sockets *all, int fd) {
  open_socket *one = find(all, fd);
  if (one != NULL) {
    *one = all->sockets[--all->count];
  }
}

static void remember(open_sockets *all, uint64_t origin, int version) {
  for (size_t i = 0; i < SEEN_ORIGINS; i++) {
    if (all->seen[i].origin == origin) {
      all->seen[i].version = version;
      return;
    }
  }
  all->seen[all->next_seen].origin = origin;
  all->seen[all->next_seen].version = version;
  all->next_seen = (all->next_seen + 1) % SEEN_ORIGINS;
}

void open_sockets_use(open_sockets *all, int fd, int version, const void *tls, int64_t now) {
  open_socket *one = find(all, fd);
  if (one == NULL) {
    return;
  }
  one->used_at = now;
  one->tls = tls;
  if (one->version != version) {
    one->version = version;
    remember(all, one->origin, version);
  }
}

int open_sockets_version(const open_sockets *all, uint64_t origin) {
  for (size_t i = 0; i < SEEN_ORIGINS; i++) {
    if (all->seen[i].origin == origin) {
      return all->seen[i].version;
    }
  }
  return 0;
}

const void *open_sockets_tls(const open_sockets *all, int fd) {
  const open_socket *one = find(all, fd);
  return one != NULL ? one->tls : NULL;
}

static bool is_closed(const open_socket *one) {
  struct pollfd socket = {.fd = one->fd, .events = POLLRDHUP};
  return poll(&socket, 1, 0) > 0 &&
         (socket.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

int open_sockets_closed(open_sockets *all, uint64_t origin, const poller *busy) {
  for (size_t i = 0; i < all->count; i++) {
    open_socket *one = &all->sockets[i];
    bool is_idle = one->version > 0 && !poller_watches(busy, one->fd);
    if (one->origin == origin && is_idle && is_closed(one)) {
      one->origin = 0;
      return one->fd;
    }
  }
  return -1;
}

size_t open_sockets_missing(const open_sockets *all, uint64_t origin, size_t wanted, int64_t now) {
  size_t count = 0;
  wanted = open_sockets_version(all, origin) == 1 ? wanted : 1;
  for (size_t i = 0; i < all->count && count < wanted; i++) {
    const open_socket *one = &all->sockets[i];
    if (one->origin == origin && now - one->used_at <= MAX_AGE_MS && !is_closed(one)) {
      count = one->version == 2 ? wanted : count + 1;
    }
  }
  return wanted - count;
}
