/* How connections of the HTTP server come and go: within limits, and not without an answer. */
#include "http_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In one go, so that those that are there already are not kept waiting. */
#define ACCEPTS_AT_ONCE 64
/* Of what a client sends behind its last request. */
#define READS_AT_END 16
/* What the system is short of is not there again at once. */
#define ACCEPT_REST_MS 100

static void refused(const http_server *server, const http_exchange *exchange,
                    const net_address *peer, int status, const char *reason) {
  if (server->options.on_refused != NULL)
    server->options.on_refused(server->options.context, exchange, peer, status, reason);
}

static void write_refusal(int fd, const char *status, const char *reason) {
  char text[512];
  int size = snprintf(text, sizeof text,
                      "HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: application/json\r\n"
                      "Content-Length: %zu\r\n\r\n{\"error\":\"%s\"}\n",
                      status, strlen(reason) + strlen("{\"error\":\"\"}\n"), reason);
  ssize_t sent = send(fd, text, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)sent; /* a client that does not take it is told by the end of the connection */
}

static void refuse(http_server *server, int fd, const net_address *peer, const char *reason) {
  write_refusal(fd, "503 Service Unavailable", reason);
  shutdown(fd, SHUT_WR);
  http_linger_add(&server->linger, fd, server->now);
  refused(server, NULL, peer, 503, reason);
}

static void add(http_server *server, int fd, const struct sockaddr *address, socklen_t size,
                const net_address *peer) {
  http_connection *c = calloc(1, sizeof *c);
  if (c == NULL) {
    refuse(server, fd, peer, "out of memory");
    return;
  }
  c->fd = fd;
  c->entry.peer = *peer;
  c->exchange.server = server;
  server->accepted = c;
  /* closes the socket if it fails */
  if (MHD_add_connection(server->daemon, fd, address, size) != MHD_YES)
    refused(server, NULL, peer, 503, "out of memory");
  free(server->accepted); /* not taken by http_accept_notify */
  server->accepted = NULL;
}

static void take(http_server *server, int fd, const struct sockaddr *address, socklen_t size) {
  net_address peer = net_address_of(address);
  size_t of_address = server->options.max_connections_per_address;
  if (server->connections.count >= server->options.max_connections)
    refuse(server, fd, &peer, "there are too many connections");
  else if (of_address > 0 && peer.kind != NET_UNIX &&
           http_connections_of(&server->connections, &peer) >= of_address)
    refuse(server, fd, &peer, "there are too many connections of this address");
  else
    add(server, fd, address, size, &peer);
}

/* The process has no descriptor left: one is kept to say so with. */
static bool refuse_with_spare(http_server *server) {
  if (server->spare_fd < 0)
    return false;
  close(server->spare_fd);
  int fd = accept4(server->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) {
    net_address unknown = {.kind = NET_UNKNOWN};
    write_refusal(fd, "503 Service Unavailable", "there are too many connections");
    close(fd);
    refused(server, NULL, &unknown, 503, "there are too many open files");
  }
  server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return fd >= 0;
}

void http_accept_waiting(http_server *server) {
  for (int i = 0; i < ACCEPTS_AT_ONCE && server->listener.fd >= 0; i++) {
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof address;
    int fd = accept4(server->listener.fd, (struct sockaddr *)&address, &size,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
      take(server, fd, (struct sockaddr *)&address, size);
    else if (errno == EAGAIN)
      return;
    else if (errno != ECONNABORTED && errno != EINTR &&
             !((errno == EMFILE || errno == ENFILE) && refuse_with_spare(server))) {
      server->accept_at = server->now + ACCEPT_REST_MS;
      return;
    }
  }
}

static http_connection *state_of(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info->socket_context;
}

/* Whether the other side may still be sending: what it has sent and nobody reads would reset the
 * connection. */
static bool may_send(int fd) {
  char dropped[4096];
  ssize_t got = 1;
  for (int i = 0; i < READS_AT_END && got > 0; i++)
    got = recv(fd, dropped, sizeof dropped, MSG_DONTWAIT);
  return got > 0 || (got < 0 && errno == EAGAIN);
}

void http_accept_free(http_connection *c) {
  free(c->exchange.body);
  free(c->exchange.uri);
  free(c);
}

static void closed(http_server *server, http_connection *c) {
  if (!c->is_read && server->listener.fd >= 0 && may_send(c->fd)) {
    int fd = dup(c->fd); /* libmicrohttpd closes its own */
    shutdown(c->fd, SHUT_WR);
    if (fd >= 0)
      http_linger_add(&server->linger, fd, server->now);
  }
  http_connections_remove(&server->connections, &c->entry);
  if (!c->exchange.is_gone)
    http_accept_free(c);
}

void http_accept_notify(void *context, struct MHD_Connection *connection, void **slot,
                        enum MHD_ConnectionNotificationCode code) {
  http_server *server = context;
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    http_connection *c = server->accepted;
    server->accepted = NULL;
    *slot = c;
    c->exchange.connection = connection;
    http_connections_add(&server->connections, &c->entry);
    http_connections_wait(&server->connections, &c->entry, HTTP_WAIT_REQUEST, server->now);
  } else {
    closed(server, state_of(connection));
    *slot = NULL;
  }
}

/* libmicrohttpd cannot be asked to close a connection, but it does when the socket is shut. */
static void cut(http_server *server, http_connection *c) {
  http_connections_wait(&server->connections, &c->entry, HTTP_WAIT_NOTHING, server->now);
  if (c->exchange.begun) {
    static const char reason[] = "the request did not arrive in time";
    write_refusal(c->fd, "408 Request Timeout", reason);
    refused(server, c->exchange.head_seen ? &c->exchange : NULL, &c->entry.peer, 408, reason);
  }
  shutdown(c->fd, SHUT_RDWR);
}

static int64_t patience(const http_server *server, http_wait wait) {
  return wait == HTTP_WAIT_REQUEST ? server->options.request_ms : server->options.idle_ms;
}

void http_accept_cut_overdue(http_server *server) {
  for (http_wait wait = HTTP_WAIT_REQUEST; wait < HTTP_WAIT_NOTHING; wait++) {
    int64_t before = server->now - patience(server, wait);
    http_entry *entry;
    while ((entry = http_connections_overdue(&server->connections, wait, before)) != NULL)
      cut(server, (http_connection *)(void *)entry);
  }
}

int64_t http_accept_timeout(const http_server *server, int64_t now) {
  int64_t least = http_linger_timeout(&server->linger, now);
  for (http_wait wait = HTTP_WAIT_REQUEST; wait < HTTP_WAIT_NOTHING; wait++) {
    const http_entry *oldest = server->connections.waits[wait].oldest;
    if (oldest == NULL)
      continue;
    int64_t left = oldest->since + patience(server, wait) - now;
    if (least < 0 || left < least)
      least = left > 0 ? left : 0;
  }
  return least;
}
