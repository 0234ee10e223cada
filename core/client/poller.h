/* Waits for many sockets; on Linux also by one descriptor that another loop can poll. */
#ifndef PALENCA_POLLER_H
#define PALENCA_POLLER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

typedef struct {
  struct pollfd *sockets; /* with room for PALENCA_WAKE_FDS_MAX more after them */
  size_t count, capacity;
  int mirror; /* an epoll of the same sockets, once it was requested; else -1 */
} poller;

void poller_init(poller *p);
void poller_free(poller *p);

/* From now on a socket is watched for this, and for nothing else. False without memory. */
bool poller_watch(poller *p, int fd, bool in, bool out);
/* A socket that is not watched is passed over. */
void poller_forget(poller *p, int fd);
bool poller_watches(const poller *p, int fd);

/* Waits for at most `max_wait` ms until something can be done with a socket, or one of `fds`
 * (PALENCA_WAKE_FDS_MAX at most) is readable, or a signal comes. */
void poller_wait(poller *p, int64_t max_wait, const int *fds, size_t count);

/* The next socket with which, at the end of the last wait, something could be done, and what: of
 * POLLIN, POLLOUT and POLLERR. False if there is none left. */
bool poller_take(poller *p, int *fd, short *what);

/* A descriptor that is readable while something can be done with a socket; the poller's to close.
 * -1 on failure, and on systems without epoll. */
int poller_fd(poller *p);

#pragma GCC visibility pop

#endif
