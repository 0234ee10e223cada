/* The socket a server accepts from: at an address and port, or at a path of the file system. */
#ifndef PALENCA_HOST_HTTP_LISTENER_H
#define PALENCA_HOST_HTTP_LISTENER_H

#include "common/host_error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct {
  int fd;            /* -1: closed */
  char address[128]; /* as bound: "127.0.0.1:41234", "unix:/run/palenca.sock" */
  bool is_unix;
  dev_t device; /* of the Unix socket's file, and the next one */
  ino_t inode;
} http_listener;

/* `where` is "127.0.0.1:8080", "[::1]:8080", "localhost:8080" (port 0: any free one) or
 * "unix:/path". A Unix socket without a listener is replaced; whatever else is at its path is
 * left alone, and an error. Its owner and its group may connect. */
bool http_listener_open(http_listener *listener, const char *where, host_error *error);

/* Uses a listening socket that somebody else has made, and may still have: only the descriptor,
 * which is the listener's from now on, is closed with it. */
bool http_listener_adopt(http_listener *listener, int fd, host_error *error);

/* Removes a Unix socket's file, if it is still this one's. May be called again. */
void http_listener_close(http_listener *listener);

#endif
