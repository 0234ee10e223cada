/* Opens and closes the socket a server accepts from: at an address and port, or at a path of the
 * file system. */
#include "listener.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024
#define SOCKET_MODE 0660

static int new_socket(int family) {
  return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* ---- address and port --------------------------------------------------------------- */

static bool split(const char *text, char *host, size_t host_size, char *port, size_t port_size) {
  const char *colon = strrchr(text, ':');
  if (colon == NULL || colon == text || colon[1] == '\0') {
    return false;
  }
  const char *start = text;
  size_t size = (size_t)(colon - text);
  if (start[0] == '[' && start[size - 1] == ']') {
    start++;
    size -= 2;
  }
  if (size == 0 || size >= host_size || strlen(colon + 1) >= port_size) {
    return false;
  }
  char *end;
  long number = strtol(colon + 1, &end, 10);
  if (*end != '\0' || number < 0 || number > 65535 || colon[1] == '-' || colon[1] == '+') {
    return false;
  }
  memcpy(host, start, size);
  host[size] = '\0';
  snprintf(port, port_size, "%ld", number);
  return true;
}

static int bind_address(const struct addrinfo *where) {
  int on = 1;
  int fd = new_socket(where->ai_family);
  if (fd < 0) {
    return -1;
  }
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, where->ai_addr, where->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) {
    return fd;
  }
  int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

static bool name_address(int fd, char *out, size_t size) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  char host[64];
  char port[8];
  if (getsockname(fd, (struct sockaddr *)&address, &length) != 0 ||
      getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return false;
  }
  snprintf(out, size, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
  return true;
}

static bool open_address(http_listener *listener, const char *where, host_error *error) {
  char host[64];
  char port[8];
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST};
  struct addrinfo *found = NULL;
  if (!split(where, host, sizeof host, port, sizeof port)) {
    return host_error_set(error, HOST_FAILED, "%s: %s", where,
                          "not an address and port, such as 127.0.0.1:8080");
  }
  if (strcmp(host, "localhost") == 0) {
    strcpy(host, "127.0.0.1");
  }
  if (getaddrinfo(host, port, &hints, &found) != 0) {
    return host_error_set(error, HOST_FAILED, "%s: %s", where,
                          "the host must be a numeric address");
  }
  listener->fd = bind_address(found);
  int saved = errno;
  freeaddrinfo(found);
  if (listener->fd < 0) {
    return host_error_set(error, HOST_FAILED, "%s: %s", where, strerror(saved));
  }
  return name_address(listener->fd, listener->address, sizeof listener->address) ||
         host_error_set(error, HOST_FAILED, "%s: %s", where, "the bound address cannot be read");
}

/* ---- a path of the file system ------------------------------------------------------- */

/* Removes the socket of a process that has ended. */
static bool clear_path(const struct sockaddr_un *address, host_error *error) {
  struct stat found;
  if (lstat(address->sun_path, &found) != 0) {
    return errno == ENOENT ||
           host_error_set(error, HOST_FAILED, "%s: %s", address->sun_path, strerror(errno));
  }
  if (!S_ISSOCK(found.st_mode)) {
    return host_error_set(error, HOST_FAILED, "%s: %s", address->sun_path,
                          "is there already, and is not a socket");
  }
  int fd = new_socket(AF_UNIX);
  bool in_use = fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
                            errno == EAGAIN /* the other one's queue is full */);
  bool is_stale = !in_use && fd >= 0 && errno == ECONNREFUSED;
  int saved = errno;
  if (fd >= 0) {
    close(fd);
  }
  if (in_use) {
    return host_error_set(error, HOST_FAILED, "%s: %s", address->sun_path, strerror(EADDRINUSE));
  }
  if (!is_stale) {
    return host_error_set(error, HOST_FAILED, "%s: %s", address->sun_path, strerror(saved));
  }
  return unlink(address->sun_path) == 0 || errno == ENOENT ||
         host_error_set(error, HOST_FAILED, "%s: %s", address->sun_path, strerror(errno));
}

/* The mode is set before the file is there, so that it is never open to more; after it, for
 * what the umask has taken away. */
static bool bind_path(http_listener *listener, const struct sockaddr_un *address) {
  struct stat found;
  listener->fd = new_socket(AF_UNIX);
  if (listener->fd < 0 || fchmod(listener->fd, SOCKET_MODE) != 0 ||
      bind(listener->fd, (const struct sockaddr *)address, sizeof *address) != 0) {
    return false;
  }
  if (lstat(address->sun_path, &found) != 0) {
    return false;
  }
  listener->is_unix = true;
  listener->device = found.st_dev;
  listener->inode = found.st_ino;
  return chmod(address->sun_path, SOCKET_MODE) == 0 && listen(listener->fd, BACKLOG) == 0;
}

static bool open_path(http_listener *listener, const char *path, host_error *error) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (path[0] != '/' || strlen(path) >= sizeof address.sun_path) {
    return host_error_set(
        error, HOST_FAILED,
        "%s: not the path of a socket: unix:/run/palenca.sock, at most 107 characters", path);
  }
  strcpy(address.sun_path, path);
  snprintf(listener->address, sizeof listener->address, "unix:%s", path);
  if (!clear_path(&address, error)) {
    return false;
  }
  return bind_path(listener, &address) ||
         host_error_set(error, HOST_FAILED, "%s: %s", path, strerror(errno));
}

static void name_path(const struct sockaddr_un *address, socklen_t length, char *out, size_t size) {
  size_t max = length - offsetof(struct sockaddr_un, sun_path);
  bool is_abstract = max > 0 && address->sun_path[0] == '\0';
  int count = (int)(is_abstract ? max - 1 : strnlen(address->sun_path, max));
  snprintf(out, size, "unix:%s%.*s", is_abstract ? "@" : "", count,
           address->sun_path + is_abstract);
}

bool http_listener_adopt(http_listener *listener, int fd, host_error *error) {
  struct sockaddr_un address;
  socklen_t length = sizeof address;
  *listener = (http_listener){.fd = fd};
  if (getsockname(fd, (struct sockaddr *)&address, &length) == 0 && address.sun_family == AF_UNIX) {
    name_path(&address, length, listener->address, sizeof listener->address);
    return true;
  }
  if (name_address(fd, listener->address, sizeof listener->address)) {
    return true;
  }
  http_listener_close(listener);
  return host_error_set(error, HOST_FAILED, "the address of the passed socket cannot be read");
}

bool http_listener_open(http_listener *listener, const char *where, host_error *error) {
  *listener = (http_listener){.fd = -1};
  bool opened = strncmp(where, "unix:", 5) == 0 ? open_path(listener, where + 5, error)
                                                : open_address(listener, where, error);
  if (!opened) {
    http_listener_close(listener);
  }
  return opened;
}

void http_listener_close(http_listener *listener) {
  const char *path = listener->address + strlen("unix:");
  struct stat found;
  if (listener->is_unix && lstat(path, &found) == 0 && found.st_dev == listener->device &&
      found.st_ino == listener->inode) {
    unlink(path);
  }
  listener->is_unix = false;
  if (listener->fd >= 0) {
    close(listener->fd);
  }
  listener->fd = -1;
}
