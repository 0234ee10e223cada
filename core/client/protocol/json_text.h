/* The smallest parts of JSON texts, for all who read them without decoding. */
#ifndef PALENCA_PROTOCOL_JSON_TEXT_H
#define PALENCA_PROTOCOL_JSON_TEXT_H

#include <stdbool.h>

static inline bool json_is_digit(char c) {
  return c >= '0' && c <= '9';
}

static inline const char *json_skip_digits(const char *at, const char *end) {
  while (at < end && json_is_digit(*at)) {
    at++;
  }
  return at;
}

static inline const char *json_skip_space(const char *at, const char *end) {
  while (at < end && (unsigned char)*at <= ' ' &&
         (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
    at++;
  }
  return at;
}

/* The UTF-16 unit of the escape \uXXXX that begins here; -1 if none does. */
static inline int json_escaped_unit(const char *at, const char *end) {
  int value = 0;
  if (end - at < 6 || at[0] != '\\' || at[1] != 'u') {
    return -1;
  }
  for (int i = 2; i < 6; i++) {
    int c = (unsigned char)at[i], letter = c | 0x20;
    if (json_is_digit(at[i])) {
      value = value << 4 | (c - '0');
    } else if (letter >= 'a' && letter <= 'f') {
      value = value << 4 | (letter - 'a' + 10);
    } else {
      return -1;
    }
  }
  return value;
}

/* Of a unit, or -1 for none. */
static inline bool json_is_surrogate(int unit) {
  return (unit & ~0x7ff) == 0xd800;
}

static inline bool json_is_high_surrogate(int unit) {
  return (unit & ~0x3ff) == 0xd800;
}

static inline bool json_is_low_surrogate(int unit) {
  return (unit & ~0x3ff) == 0xdc00;
}

#endif
