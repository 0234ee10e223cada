/* Makes a private socket by which one thread wakes an event loop that can only read sockets it has
 * connected itself. */
#include "wakeup_socket.h"

#include "protocol/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 8

void wakeup_socket_init(wakeup_socket *wake) {
  memset(wake, 0, sizeof *wake);
  pthread_mutex_init(&wake->mutex, NULL);
  wake->listener = wake->peer = -1;
}

static void set_peer(wakeup_socket *wake, int peer) {
  pthread_mutex_lock(&wake->mutex);
  if (wake->peer >= 0) {
    close(wake->peer);
  }
  wake->peer = peer;
  pthread_mutex_unlock(&wake->mutex);
}

static void remove_path(wakeup_socket *wake) {
  if (wake->listener >= 0) {
    close(wake->listener);
  }
  wake->listener = -1;
  if (wake->address.sun_path[0] != '\0') {
    unlink(wake->address.sun_path);
  }
  if (wake->directory[0] != '\0') {
    rmdir(wake->directory);
  }
  wake->address.sun_path[0] = wake->directory[0] = '\0';
}

void wakeup_socket_free(wakeup_socket *wake) {
  remove_path(wake);
  set_peer(wake, -1);
  pthread_mutex_destroy(&wake->mutex);
}

static bool fail(wakeup_socket *wake, palenca_error *error, const char *what) {
  palenca_error_set(error, PALENCA_USAGE, "%s: %s", what, strerror(errno));
  remove_path(wake);
  return false;
}

bool wakeup_socket_open(wakeup_socket *wake, const char *parent, palenca_error *error) {
  set_peer(wake, -1);
  remove_path(wake);
  size_t room = sizeof wake->address.sun_path;
  wake->address.sun_family = AF_UNIX;
  int size = snprintf(wake->directory, room, "%s/palenca-XXXXXX", parent);
  if (size < 0 || (size_t)size + sizeof "/wake" > room) {
    wake->directory[0] = '\0';
    return palenca_error_set(error, PALENCA_USAGE, "the directory's path is too long");
  }
  if (mkdtemp(wake->directory) == NULL) {
    wake->directory[0] = '\0';
    return fail(wake, error, "a directory cannot be made");
  }
  snprintf(wake->address.sun_path, room, "%.*s/wake", size, wake->directory);
  wake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (wake->listener < 0 ||
      bind(wake->listener, (struct sockaddr *)&wake->address, sizeof wake->address) != 0 ||
      listen(wake->listener, BACKLOG) != 0) {
    return fail(wake, error, "a socket cannot be made");
  }
  return true;
}

#ifdef SO_PEERCRED
static bool is_own(int connection) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         peer.pid == getpid() && peer.uid == geteuid();
}
#else
static bool is_own(int connection) {
  uid_t user;
  gid_t group;
  return getpeereid(connection, &user, &group) == 0 && user == geteuid();
}
#endif

bool wakeup_socket_accept(wakeup_socket *wake, palenca_error *error) {
  int found = -1;
  while (found < 0 && wake->listener >= 0) {
    int connection = accept4(wake->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection < 0 && (errno == EINTR || errno == ECONNABORTED)) {
      continue;
    }
    if (connection < 0) {
      break;
    }
    if (is_own(connection)) {
      found = connection;
    } else {
      close(connection);
    }
  }
  remove_path(wake);
  if (found < 0) {
    return palenca_error_set(error, PALENCA_USAGE, "nobody of this process has connected");
  }
  set_peer(wake, found);
  return true;
}

void wakeup_socket_send(wakeup_socket *wake) {
  pthread_mutex_lock(&wake->mutex);
  if (wake->peer >= 0) {
    ssize_t sent = send(wake->peer, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* full: it is readable already */
  }
  pthread_mutex_unlock(&wake->mutex);
}
