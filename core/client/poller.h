/* Waits for many sockets; on Linux also by one descriptor that another loop can poll. */
#ifndef PALENCA_POLLER_H
#define PALENCA_POLLER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

typedef struct {
  int fd;
  short wanted;     /* of POLLIN and POLLOUT; 0: it is idle, or forgotten */
  short registered; /* for what it is in the epoll; 0: it is not */
  short found;      /* what could be done with it, and was not taken yet */
  bool is_connection, is_idle;
} poller_socket;

typedef struct {
  poller_socket *sockets;
  size_t count, capacity;
  size_t next;             /* the first that may have something to take */
  size_t watched;          /* how many are */
  size_t idle, idle_found; /* how many are idle, and of those readable */
  int epoll;               /* -1: there is none, and poll(2) is used */
  bool has_tried;          /* whether to make one was tried */
  bool is_polled;          /* whether another loop knows it: what ends no wait must leave it */
} poller;

void poller_init(poller *p);
void poller_free(poller *p);

/* From now on a socket is watched for this, and for nothing else. False without memory. */
bool poller_watch(poller *p, int fd, bool in, bool out);
bool poller_watches(const poller *p, int fd);
/* These pass over a socket that is not known. A connection that is forgotten may be watched again,
 * so it must be dropped before it is closed; or, if its number is another socket's from now on, be
 * said to be replaced. */
void poller_forget(poller *p, int fd);
void poller_drop(poller *p, int fd);
void poller_replaced(poller *p, int fd);

/* From now on a connection is idle, unless it is watched, until it is: nothing is to come on it.
 * False without memory. */
bool poller_set_idle(poller *p, int fd);
/* An idle connection on which something has come, to be dropped or replaced; -1: there is none. */
int poller_next_readable_idle(poller *p);

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
