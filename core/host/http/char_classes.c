/* Classifies the bytes of HTTP and of URIs, and counts how many of a class follow each other. */
#include "char_classes.h"

#include <string.h>

/* Sums of the classes in char_classes.h, 16 bytes a row; a test compares it with their definitions.
 */
/* clang-format off */
const uint8_t http_chars[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    16, 31, 16, 17, 31, 17, 31, 31, 30, 30, 31, 31, 22, 31, 31, 22,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 22, 30, 16, 30, 16, 20,
    22, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 22, 20, 22, 23, 31,
    23, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 22, 23, 22, 31, 0,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
};
/* clang-format on */

size_t http_span_of(const char *text, size_t size, uint8_t class) {
  size_t n = 0;
  while (n < size && http_is(text[n], class)) {
    n++;
  }
  return n;
}

/* Of eight bytes at a time it is asked whether one is below 0x20 or is 0x7f. */
size_t http_span_of_plain(const char *text, size_t size) {
  const uint64_t ones = UINT64_C(0x0101010101010101);
  size_t n = 0;
  for (; size - n >= 8; n += 8) {
    uint64_t word;
    memcpy(&word, text + n, sizeof word);
    uint64_t del = word ^ (ones * 0x7f);
    if ((((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & (ones * 0x80)) {
      break;
    }
  }
  return n + http_span_of(text + n, size - n, HTTP_PLAIN);
}

bool http_is_text(const char *text, size_t size, const char *lower) {
  for (size_t i = 0; i < size; i++) {
    char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + ('a' - 'A')) : text[i];
    if (c != lower[i]) {
      return false; /* at the end of `lower` at the latest */
    }
  }
  return lower[size] == '\0';
}

int http_hex_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
