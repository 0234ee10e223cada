/* Classes of bytes that the grammar of HTTP and of URIs knows. */
#ifndef PALENCA_HOST_HTTP_CHAR_CLASSES_H
#define PALENCA_HOST_HTTP_CHAR_CLASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  HTTP_TOKEN = 1, /* of methods and of names of headers */
  /* Of targets, without '%'. What RFC 3986 does not allow, but browsers send unescaped, is taken
   * ("[", "]", "^", "`", "{", "|", "}", and in a query "\\"); a "\\" in a path is not: some read it
   * as a slash. */
  HTTP_PATH = 2, /* without '?' */
  HTTP_QUERY = 4,
  /* Of names of hosts and of IPv4 addresses: without '%', which has one name written in two ways,
   * and without ',', which makes a list of it. */
  HTTP_HOST = 8,
  HTTP_PLAIN = 16, /* whatever may stand in a line: no control byte but the tab */
};

extern const uint8_t http_chars[256];

static inline bool http_is(char c, uint8_t class) {
  return (http_chars[(unsigned char)c] & class) != 0;
}

/* How many bytes of the class the text starts with. */
size_t http_span_of(const char *text, size_t size, uint8_t class);
/* The same of HTTP_PLAIN, faster. */
size_t http_span_of_plain(const char *text, size_t size);

/* Compares regardless of ASCII case; `lower` is in lower case and NUL-terminated, the text holds no
 * NUL. */
bool http_is_text(const char *text, size_t size, const char *lower);

/* -1: not a hexadecimal digit. */
int http_hex_value(char c);

#endif
