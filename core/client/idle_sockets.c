/* Ends idle HTTP/1 connections that receive unrequested data: libcurl before 8.0 reuses an idle
 * connection as long as it is not closed, and reads what is left on it as the response to its next
 * request. */
#include "idle_sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

void idle_sockets_init(idle_sockets *idle, poller *with) {
  idle->poller = with;
  idle->checked_at = -1;
  idle->ended[0] = idle->ended[1] = -1;
}

void idle_sockets_free(idle_sockets *idle) {
  for (int i = 0; i < 2; i++) {
    if (idle->ended[i] >= 0) {
      close(idle->ended[i]);
    }
    idle->ended[i] = -1;
  }
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
  if (!make_ended(idle) || dup2(idle->ended[0], fd) < 0) {
    (void)shutdown(fd, SHUT_RDWR);
  } else {
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  poller_replaced(idle->poller, fd);
}

void idle_sockets_add(idle_sockets *idle, int fd) {
  idle->checked_at = -1;
  if (!poller_set_idle(idle->poller, fd)) {
    idle_sockets_end(idle, fd);
  }
}

void idle_sockets_remove(idle_sockets *idle, int fd) {
  poller_drop(idle->poller, fd);
}

int idle_sockets_next_readable(idle_sockets *idle, int64_t now) {
  if (idle->checked_at == now && idle->poller->idle_found == 0) {
    return -1;
  }
  int fd = poller_next_readable_idle(idle->poller);
  idle->checked_at = fd < 0 ? now : -1;
  return fd;
}
