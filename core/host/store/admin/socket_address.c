/* Finds the address of the socket by which `palenca events` asks the process that serves, removes
 * the socket, and checks who has connected. */
#include "socket_address.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool fail(const char *path, const char *reason, host_error *error) {
  return host_error_set(error, HOST_FAILED, "%s%s: %s", path, EVENT_ADMIN_SOCKET_SUFFIX, reason);
}

/* A path that is too long for the address, by way of the directory it is in. */
static bool shorten(event_admin_address *address, const char *path, host_error *error) {
#ifdef __linux__
  char directory[PATH_MAX];
  const char *slash = strrchr(path, '/');
  size_t size = slash != NULL ? (size_t)(slash - path) + 1 : 0;
  if (size == 0 || size >= sizeof directory) {
    return fail(path, strerror(ENAMETOOLONG), error);
  }
  memcpy(directory, path, size);
  directory[size] = '\0';
  address->directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (address->directory < 0) {
    return fail(path, strerror(errno), error);
  }
  char *name = address->address.sun_path;
  if (snprintf(name, sizeof address->address.sun_path, "/proc/self/fd/%d/%s%s", address->directory,
               slash + 1, EVENT_ADMIN_SOCKET_SUFFIX) < (int)sizeof address->address.sun_path) {
    return true;
  }
  event_admin_address_close(address);
#else
  (void)address;
#endif
  return fail(path, "the name is too long for a socket", error);
}

bool event_admin_address_open(event_admin_address *address, const char *path, host_error *error) {
  *address = (event_admin_address){.address = {.sun_family = AF_UNIX}, .directory = -1};
  char *name = address->address.sun_path;
  return snprintf(name, sizeof address->address.sun_path, "%s%s", path, EVENT_ADMIN_SOCKET_SUFFIX) <
             (int)sizeof address->address.sun_path ||
         shorten(address, path, error);
}

void event_admin_address_close(event_admin_address *address) {
  if (address->directory >= 0) {
    (void)close(address->directory);
    address->directory = -1;
  }
}

void event_admin_socket_remove(const char *path) {
  char name[PATH_MAX];
  (void)snprintf(name, sizeof name, "%s%s", path, EVENT_ADMIN_SOCKET_SUFFIX);
  (void)unlink(name);
}

static bool read_peer(int fd, uid_t *user) {
#ifdef SO_PEERCRED
  struct ucred peer;
  socklen_t size = sizeof peer;
  bool ok = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  *user = ok ? peer.uid : (uid_t)-1;
  return ok;
#else
  gid_t group;
  return getpeereid(fd, user, &group) == 0;
#endif
}

bool event_admin_peer_is_allowed(int fd) {
  uid_t user;
  return read_peer(fd, &user) && (user == geteuid() || user == 0);
}
