/* Reads what a request is known by elsewhere. Anybody may have written it: it is stored and logged,
 * so that only plain characters, and few of them, are accepted. */
#include "trace.h"

#include <string.h>

#define REQUEST_ID_MAX 128

/* Lower-case hexadecimal digits; not all of them 0 unless that is allowed. */
static bool is_hex(const char *text, size_t size, bool may_be_zero) {
  bool is_zero = true;
  for (size_t i = 0; i < size; i++) {
    if (text[i] == '\0' || strchr("0123456789abcdef", text[i]) == NULL) {
      return false;
    }
    is_zero = is_zero && text[i] == '0';
  }
  return may_be_zero || !is_zero;
}

/* version "-" trace "-" parent "-" flags; a later version may have more behind that. */
static bool is_traceparent(const char *text) {
  size_t size = strlen(text);
  bool is_first = size >= 2 && strncmp(text, "00", 2) == 0;
  return (size == 55 || (size > 55 && size <= 128 && text[55] == '-' && !is_first)) &&
         is_hex(text, 2, true) && strncmp(text, "ff", 2) != 0 && text[2] == '-' &&
         is_hex(text + 3, 32, false) && text[35] == '-' && is_hex(text + 36, 16, false) &&
         text[52] == '-' && is_hex(text + 53, 2, true);
}

static bool is_plain(const char *text) {
  size_t size = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "-_.:/+=@,;~#|");
  return size > 0 && size <= REQUEST_ID_MAX && text[size] == '\0';
}

static const char *value_of(const http_exchange *exchange, const char *name,
                            bool (*is_valid)(const char *text)) {
  const char *value;
  return http_exchange_values(exchange, name, &value, 1) == 1 && is_valid(value) ? value : NULL;
}

event_trace webhook_trace(const http_exchange *exchange) {
  return (event_trace){.traceparent = value_of(exchange, "traceparent", is_traceparent),
                       .request_id = value_of(exchange, "X-Request-Id", is_plain)};
}
