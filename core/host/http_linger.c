/* Sockets that are kept open for a moment after their last answer. */
#include "http_linger.h"

#include <unistd.h>

#define LINGER_MS 1000

static void close_first(http_linger *linger) {
  close(linger->sockets[linger->first].fd);
  linger->first = (linger->first + 1) % HTTP_LINGER_MAX;
  linger->count--;
}

void http_linger_add(http_linger *linger, int fd, int64_t now) {
  if (linger->count == HTTP_LINGER_MAX)
    close_first(linger);
  size_t at = (linger->first + linger->count++) % HTTP_LINGER_MAX;
  linger->sockets[at].fd = fd;
  linger->sockets[at].until = now + LINGER_MS;
}

void http_linger_expire(http_linger *linger, int64_t now) {
  while (linger->count > 0 && linger->sockets[linger->first].until <= now)
    close_first(linger);
}

int64_t http_linger_timeout(const http_linger *linger, int64_t now) {
  if (linger->count == 0)
    return -1;
  int64_t until = linger->sockets[linger->first].until;
  return until > now ? until - now : 0;
}

void http_linger_close_all(http_linger *linger) {
  while (linger->count > 0)
    close_first(linger);
}
