/* Ends idle HTTP/1 connections that receive unrequested data: libcurl before 8.0 reuses an idle
 * connection as long as it is not closed, and reads what is left on it as the response to its next
 * request. */
#include "idle_sockets.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool idle_sockets_init(idle_sockets *idle, size_t limit) {
  memset(idle, 0, sizeof *idle);
  idle->ended[0] = idle->ended[1] = -1;
  idle->limit = limit;
  idle->sockets = calloc(limit, sizeof *idle->sockets);
  return idle->sockets != NULL;
}

void idle_sockets_free(idle_sockets *idle) {
  free(idle->sockets);
  for (int i = 0; i < 2; i++) {
    if (idle->ended[i] >= 0) {
      close(idle->ended[i]);
    }
  }
  memset(idle, 0, sizeof *idle);
  idle->ended[0] = idle->ended[1] = -1;
}

static bool make_ended(idle_sockets *idle) {
  if (idle->ended[0] >= 0) {
    return true;
  }
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, idle->ended) != 0) {
    idle->ended[0] = idle->ended[1] = -1;
    return false;
  }
  for (int i = 0; i < 2; i++) {
    (void)fcntl(idle->ended[i], F_SETFD, FD_CLOEXEC);
    (void)fcntl(idle->ended[i], F_SETFL, O_NONBLOCK);
  }
  (void)shutdown(idle->ended[1], SHUT_WR);
  return true;
}

/* What has come must not be read any more, nor what is still to come. The descriptor is the
 * library's to close, so another socket takes its place, from which nothing comes, and to which the
 * library can still write a last record without a SIGPIPE. */
void idle_sockets_end(idle_sockets *idle, int fd) {
  idle_sockets_remove(idle, fd);
  if (!make_ended(idle) || dup2(idle->ended[0], fd) < 0) {
    (void)shutdown(fd, SHUT_RDWR);
  } else {
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
}

void idle_sockets_add(idle_sockets *idle, int fd) {
  idle_sockets_remove(idle, fd);
  if (idle->count < idle->limit) {
    idle->sockets[idle->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
  } else {
    idle_sockets_end(idle, fd);
  }
}

void idle_sockets_remove(idle_sockets *idle, int fd) {
  for (size_t i = 0; i < idle->count; i++) {
    if (idle->sockets[i].fd == fd) {
      idle->sockets[i] = idle->sockets[--idle->count];
      return;
    }
  }
}

void idle_sockets_end_readable(idle_sockets *idle, const poller *busy) {
  if (idle->count == 0 || poll(idle->sockets, (nfds_t)idle->count, 0) <= 0) {
    return;
  }
  for (size_t i = idle->count; i-- > 0;) {
    int fd = idle->sockets[i].fd;
    if (idle->sockets[i].revents != 0 && !poller_watches(busy, fd)) {
      idle_sockets_end(idle, fd);
    }
  }
}
