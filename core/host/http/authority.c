/* Checks the authority of a request: what Host and an absolute target say. */
#include "char_classes.h"
#include "parser_parts.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_address(int family, const char *text, size_t size) {
  char copy[INET6_ADDRSTRLEN];
  unsigned char address[sizeof(struct in6_addr)];
  if (size >= sizeof copy) {
    return false;
  }
  memcpy(copy, text, size);
  copy[size] = '\0';
  return inet_pton(family, copy, address) == 1;
}

/* Some readers take any number at the end for a part of an IPv4 address ("127.1", "0x7f.1",
 * "127.0.0.01", "127.0.0.1."), each in its own way: such a name has to be an address as RFC 3986
 * writes it. */
static bool ends_in_number(const char *name, size_t size) {
  if (size > 0 && name[size - 1] == '.') {
    size--;
  }
  size_t start = size;
  while (start > 0 && name[start - 1] != '.') {
    start--;
  }
  const char *label = name + start;
  size_t label_size = size - start, digits = 0;
  while (digits < label_size && label[digits] >= '0' && label[digits] <= '9') {
    digits++;
  }
  if (digits == label_size) {
    return digits > 0;
  }
  bool is_hex = label_size >= 2 && http_is_text(label, 2, "0x");
  for (size_t i = 2; is_hex && i < label_size; i++) {
    is_hex = http_hex_value(label[i]) >= 0;
  }
  return is_hex;
}

static bool is_port(const char *text, size_t size) {
  unsigned port = 0;
  if (size > 5) {
    return false;
  }
  for (size_t i = 0; i < size; i++) {
    if (text[i] < '0' || text[i] > '9') {
      return false;
    }
    port = port * 10 + (unsigned)(text[i] - '0');
  }
  return size == 0 || (port > 0 && port <= 65535);
}

bool http_is_authority(const char *text, size_t size) {
  size_t host_size;
  if (size > 0 && text[0] == '[') {
    const char *end = memchr(text, ']', size);
    if (end == NULL || !is_address(AF_INET6, text + 1, (size_t)(end - text - 1))) {
      return false;
    }
    host_size = (size_t)(end - text) + 1;
  } else {
    host_size = http_span_of(text, size, HTTP_HOST);
    if (host_size == 0 ||
        (ends_in_number(text, host_size) && !is_address(AF_INET, text, host_size))) {
      return false;
    }
  }
  if (host_size == size) {
    return true;
  }
  return text[host_size] == ':' && is_port(text + host_size + 1, size - host_size - 1);
}
