/* Takes the socket that a service manager has passed, and notifies it. The protocols are few lines;
 * libsystemd would bring the libraries that it uses into every process. */
#include "service_manager.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* Passed descriptors are numbered from here on. */
#define FIRST_PASSED 3

/* The variable's whole number from 1; 0: it is not set, or something else. */
static int64_t number_of(const char *variable) {
  const char *text = getenv(variable);
  char *end;
  if (text == NULL || text[0] < '0' || text[0] > '9') {
    return 0;
  }
  errno = 0;
  long long number = strtoll(text, &end, 10);
  return errno == 0 && *end == '\0' ? number : 0;
}

/* ---- the socket --------------------------------------------------------------------------- */

static bool is_listening(int fd) {
  int type = 0, accepts = 0;
  socklen_t size = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) {
    return false;
  }
  size = sizeof accepts;
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0 && accepts != 0;
}

bool service_manager_socket(int *fd, host_error *error) {
  *fd = -1;
  int64_t count = number_of("LISTEN_FDS");
  /* inherited variables are those of another process */
  if (number_of("LISTEN_PID") != getpid() || count == 0) {
    return true;
  }
  if (count != 1) {
    return host_error_set(error, HOST_FAILED,
                          "the service manager has passed %lld sockets, and one is used",
                          (long long)count);
  }
  int flags = fcntl(FIRST_PASSED, F_GETFL);
  if (flags < 0 || !is_listening(FIRST_PASSED) ||
      fcntl(FIRST_PASSED, F_SETFL, flags | O_NONBLOCK) != 0 ||
      fcntl(FIRST_PASSED, F_SETFD, FD_CLOEXEC) != 0) {
    return host_error_set(error, HOST_FAILED,
                          "the service manager has passed something else than a listening socket");
  }
  *fd = FIRST_PASSED;
  return true;
}

/* ---- notifications ------------------------------------------------------------------------ */

/* The size of the address; 0: it is none that is supported. A name that begins with @ is not one of
 * the file system. */
static socklen_t address_of(const char *text, struct sockaddr_un *address) {
  size_t size = strlen(text);
  if ((text[0] != '/' && text[0] != '@') || size < 2 || size >= sizeof address->sun_path) {
    return 0;
  }
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, text, size);
  if (text[0] == '@') {
    address->sun_path[0] = '\0';
  }
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

bool service_manager_notify(const char *lines) {
  struct sockaddr_un address = {0};
  const struct timeval timeout = {.tv_sec = 1};
  const char *where = getenv("NOTIFY_SOCKET");
  socklen_t size = where != NULL ? address_of(where, &address) : 0;
  int fd = size > 0 ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
  if (fd < 0) {
    return false;
  }
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  ssize_t sent = sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
  (void)close(fd);
  return sent >= 0;
}

int64_t service_manager_watchdog_us(void) {
  int64_t pid = number_of("WATCHDOG_PID");
  return pid == 0 || pid == getpid() ? number_of("WATCHDOG_USEC") : 0;
}
