/* What has failed: a message for people, and as much of a kind as callers distinguish. */
#ifndef PALENCA_HOST_COMMON_HOST_ERROR_H
#define PALENCA_HOST_COMMON_HOST_ERROR_H

#include <stdbool.h>

typedef enum {
  HOST_OK,          /* nothing has failed, where that is possible */
  HOST_FAILED,      /* see the message */
  HOST_HELD,        /* another process has the file open for writing */
  HOST_UNREACHABLE, /* no process listens there, or none that accepts just now */
  HOST_STOPPED      /* its caller wanted it to end */
} host_error_kind;

typedef struct {
  host_error_kind kind;
  char message[1024]; /* what is longer is truncated */
} host_error;

/* Sets both; always false, to be returned. The arguments must not be in the error itself. */
bool host_error_set(host_error *error, host_error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
