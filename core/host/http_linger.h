/* Sockets that are kept open for a moment after their last answer.
 *
 * A socket that is closed while the client still sends resets the connection, and a reset can
 * overtake the answer.
 */
#ifndef PALENCA_HOST_HTTP_LINGER_H
#define PALENCA_HOST_HTTP_LINGER_H

#include <stddef.h>
#include <stdint.h>

#define HTTP_LINGER_MAX 256

/* Begins as zeros. */
typedef struct {
  struct {
    int fd;
    int64_t until;
  } sockets[HTTP_LINGER_MAX]; /* a ring, the oldest first */
  size_t first, count;
} http_linger;

/* Takes a socket over; when it holds too many, the oldest is closed early. */
void http_linger_add(http_linger *linger, int fd, int64_t now);
/* Closes those whose time has come. */
void http_linger_expire(http_linger *linger, int64_t now);
/* Ms until then; -1: never. */
int64_t http_linger_timeout(const http_linger *linger, int64_t now);
void http_linger_close_all(http_linger *linger);

#endif
