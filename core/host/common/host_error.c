/* Sets the error of a function of the host: its kind and message. */
#include "host_error.h"

#include <stdarg.h>
#include <stdio.h>

bool host_error_set(host_error *error, host_error_kind kind, const char *format, ...) {
  va_list arguments;
  error->kind = kind;
  va_start(arguments, format);
  (void)vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  return false;
}
