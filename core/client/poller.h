/* Waits for many sockets behind one descriptor, which another loop can wait for in turn. */
#ifndef PALENCA_POLLER_H
#define PALENCA_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  int fd;
  bool in, out, error;
} poller_event;

/* A descriptor that is readable while something can be done with a socket; closed on exec, to be
 * closed by the caller. -1 on failure. */
int poller_new(void);

/* From now on a socket is watched for this, and for nothing else. False without memory. */
bool poller_watch(int poller, int fd, bool in, bool out);
/* A socket that is not watched is passed over. */
void poller_forget(int poller, int fd);

/* What can be done now with at most `capacity` sockets; does not wait. */
size_t poller_take(int poller, poller_event *events, size_t capacity);

/* Waits for at most `max_wait` ms until something can be done, or one of `fds` is readable. */
void poller_wait(int poller, int64_t max_wait, const int *fds, size_t count);

#endif
