/* Accepts connections, within limits; those beyond them are not turned away without a response. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* In one turn of the loop, so that those that are there already need not wait. */
#define ACCEPTS_MAX 16
/* Connections that ended with a rejection in this turn: whoever makes new ones without end costs a
 * fifth of a millisecond with each. */
#define REJECTIONS_MAX 4
/* What the system is short of is not there again at once. */
#define RETRY_MS 100

/* For a connection that cannot stay open. A client that cannot read it notices the end. */
static void write_rejection(const http_server *server, int fd) {
  static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
                             "Content-Type: application/json\r\nContent-Length: 41\r\n\r\n"
                             "{\"error\":\"there are too many connections\"}\n";
  if (!server->has_tls) {
    ssize_t sent = send(fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
  }
}

static void reject_at_once(http_server *server, int fd, const net_address *peer,
                           const char *reason) {
  write_rejection(server, fd);
  /* what is not read would reset the connection, and a reset can overtake the response */
  ssize_t got = recv(fd, server->input, sizeof server->input, MSG_DONTWAIT);
  (void)got;
  close(fd);
  http_server_rejected(server, NULL, peer, 503, reason);
}

/* It is not counted, and lingers until its peer has read why. */
static void reject(http_server *server, http_connection *c, const char *reason) {
  if (c->tls != NULL) { /* a handshake would cost more than a connection does */
    http_server_rejected(server, NULL, &c->entry.peer, 503, reason);
    http_connection_close(c);
    return;
  }
  http_connection_reject(c, 503, reason);
  http_connection_update(c);
}

void http_accept_socket(http_server *server, int fd, const net_address *peer) {
  const http_server_options *options = &server->options;
  size_t of_address = options->max_connections_per_address;
  http_connection *c = http_connection_new(server, fd, peer);
  if (c == NULL) {
    reject_at_once(server, fd, peer, "out of memory");
  } else if (server->connections.count >= options->max_connections) {
    reject(server, c, "there are too many connections");
  } else if (of_address > 0 && peer->kind != NET_UNIX &&
             http_connections_of(&server->connections, peer) >= of_address) {
    reject(server, c, "there are too many connections of this address");
  } else {
    http_connections_add(&server->connections, &c->entry);
    /* most clients send at once */
    (void)http_connection_advance(c);
  }
}

/* The process has no descriptor left: one is reserved for the response. */
static bool reject_with_spare(http_server *server) {
  if (server->spare_fd < 0) { /* another thread has used it, and may have closed another one */
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  if (server->spare_fd < 0) {
    return false;
  }
  close(server->spare_fd);
  int fd = accept4(server->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) {
    net_address unknown = {.kind = NET_UNKNOWN};
    reject_at_once(server, fd, &unknown, "there are too many open files");
  }
  server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return fd >= 0;
}

/* Those who connect wait in the listener's queue. It is logged once, until one is accepted. */
static void pause_accepting(http_server *server, int problem) {
  char reason[128];
  net_address unknown = {.kind = NET_UNKNOWN};
  server->accept_at = http_server_now(server) + RETRY_MS;
  (void)uv_poll_stop(&server->accepting);
  if (!server->is_short) {
    snprintf(reason, sizeof reason, "connections cannot be accepted: %s", strerror(problem));
    http_server_rejected(server, NULL, &unknown, 503, reason);
  }
  server->is_short = true;
}

static void accept_waiting(http_server *server) {
  for (int i = 0; i < ACCEPTS_MAX && server->listener.fd >= 0; i++) {
    if (server->rejections >= REJECTIONS_MAX) {
      return; /* the descriptor stays ready until the next turn */
    }
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof address;
    int fd = accept4(server->listener.fd, (struct sockaddr *)&address, &size,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);
    int problem = errno;
    if (fd >= 0) {
      net_address peer = net_address_of((struct sockaddr *)&address);
      server->is_short = false;
      http_accept_socket(server, fd, &peer);
    } else if (problem == EAGAIN) {
      return;
    } else if (problem != ECONNABORTED && problem != EINTR &&
               !((problem == EMFILE || problem == ENFILE) && reject_with_spare(server))) {
      pause_accepting(server, problem);
      return;
    }
  }
}

void http_accept_ready(uv_poll_t *handle, int status, int events) {
  http_server *server = handle->data;
  (void)status;
  (void)events;
  server->is_in_turn = true;
  accept_waiting(server);
}

void http_accept_retry(http_server *server) {
  if (server->accept_at == 0 || server->accept_at > http_server_now(server)) {
    return;
  }
  server->accept_at = 0;
  if (server->listener.fd < 0) {
    return;
  }
  int problem = uv_poll_start(&server->accepting, UV_READABLE, http_accept_ready);
  if (problem != 0) {
    pause_accepting(server, -problem);
  } else {
    accept_waiting(server);
  }
}
