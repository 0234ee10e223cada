/* Reads and writes the socket of a connection, with TLS or without. */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* What one record of TLS holds. */
#define RECORD_SIZE ((size_t)16 * 1024)

/* A full socket buffer is no fault, nor is a machine that is briefly short of memory. */
static bool is_transient(int problem) {
  return problem == EAGAIN || problem == EWOULDBLOCK || problem == EINTR || problem == ENOBUFS;
}

static ptrdiff_t read_tls(http_connection *c, char *out, size_t size) {
  size_t done = 0;
  c->tls_wants_write = false;
  switch (http_tls_read(c->tls, out, size, &done)) {
  case HTTP_TLS_DONE:
    return (ptrdiff_t)done;
  case HTTP_TLS_WANTS_WRITE:
    c->tls_wants_write = true;
    return HTTP_AGAIN;
  case HTTP_TLS_WANTS_READ:
    return HTTP_AGAIN;
  case HTTP_TLS_ENDED:
    return 0;
  default:
    return HTTP_FAILED;
  }
}

/* What is only discarded need not be decrypted. */
ptrdiff_t http_transport_read(http_connection *c, char *out, size_t size) {
  if (c->tls != NULL && c->state != HTTP_STATE_LINGERING) {
    return read_tls(c, out, size);
  }
  ssize_t got = recv(c->fd, out, size, MSG_DONTWAIT);
  if (got >= 0) {
    return got;
  }
  return is_transient(errno) ? HTTP_AGAIN : HTTP_FAILED;
}

/* In one record if that is possible. The same bytes are passed again if they could not be
 * written. */
static ptrdiff_t write_tls(http_connection *c, const struct iovec *parts, size_t count) {
  char record[RECORD_SIZE];
  const char *data = record;
  size_t size = 0, done = 0;
  if (count == 1) {
    data = parts[0].iov_base;
    size = parts[0].iov_len < RECORD_SIZE ? parts[0].iov_len : RECORD_SIZE;
  } else {
    for (size_t i = 0; i < count && size < RECORD_SIZE; i++) {
      size_t room = RECORD_SIZE - size;
      size_t taken = parts[i].iov_len < room ? parts[i].iov_len : room;
      if (taken > 0) {
        memcpy(record + size, parts[i].iov_base, taken);
      }
      size += taken;
    }
  }
  switch (http_tls_write(c->tls, data, size, &done)) {
  case HTTP_TLS_DONE:
    return (ptrdiff_t)done;
  case HTTP_TLS_WANTS_READ:
  case HTTP_TLS_WANTS_WRITE:
    return HTTP_AGAIN;
  default:
    return HTTP_FAILED;
  }
}

ptrdiff_t http_transport_write(http_connection *c, const struct iovec *parts, size_t count) {
  if (c->tls != NULL) {
    return write_tls(c, parts, count);
  }
  /* the field is a size_t in one C library and an int in the other */
  struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts,
                           .msg_iovlen = (unsigned short)count};
  ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) {
    return sent;
  }
  return is_transient(errno) ? HTTP_AGAIN : HTTP_FAILED;
}

void http_transport_shutdown(http_connection *c) {
  if (c->tls != NULL && c->state != HTTP_STATE_HANDSHAKE) {
    http_tls_shutdown(c->tls);
  }
  shutdown(c->fd, SHUT_WR);
}
