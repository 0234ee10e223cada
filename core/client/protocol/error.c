/* Sets an error's kind and message; the names of kinds, and the kind of an HTTP status. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const kind_names[] = {
    [PALENCA_NETWORK] = "network",           [PALENCA_TIMEOUT] = "timeout",
    [PALENCA_RATE_LIMITED] = "rate_limited", [PALENCA_AUTH] = "auth",
    [PALENCA_INVALID] = "invalid",           [PALENCA_NOT_FOUND] = "not_found",
    [PALENCA_PLATFORM] = "platform",         [PALENCA_SERVER] = "server",
    [PALENCA_PROTOCOL] = "protocol",         [PALENCA_USAGE] = "usage",
    [PALENCA_NO_MEMORY] = "no_memory",
};

const char *palenca_kind_name(palenca_kind kind) {
  size_t index = (size_t)kind;
  return index < sizeof kind_names / sizeof kind_names[0] ? kind_names[index] : NULL;
}

bool palenca_error_set(palenca_error *error, palenca_kind kind, const char *format, ...) {
  if (error != NULL) {
    va_list arguments;
    error->kind = kind;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
  }
  return false;
}

palenca_kind palenca_status_kind(int status) {
  switch (status) {
  case 401:
  case 403:
    return PALENCA_AUTH;
  case 404:
    return PALENCA_NOT_FOUND;
  case 408:
  case 504:
    return PALENCA_TIMEOUT;
  case 429:
    return PALENCA_RATE_LIMITED;
  default:
    break;
  }
  if (status >= 200 && status < 300) {
    return PALENCA_OK;
  }
  if (status >= 400 && status < 500) {
    return PALENCA_INVALID;
  }
  if (status >= 500 && status < 600) {
    return PALENCA_SERVER;
  }
  return PALENCA_PROTOCOL;
}
