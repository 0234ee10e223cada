/* Checks and builds the parts of a URL, so that nothing a user passes in can change its meaning. */
#include "error.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_alnum(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Four decimal numbers of at most 255, without leading zeros: what resolvers
 * take for an address beyond that (127.1, 0x7f000001, 0177.0.0.1) hides which
 * host is meant. */
static bool is_ipv4(const char *host, size_t size) {
  size_t at = 0;
  for (int part = 0; part < 4; part++) {
    size_t start = at;
    int value = 0;
    while (at < size && is_digit(host[at]) && at - start < 3) {
      value = value * 10 + (host[at++] - '0');
    }
    if (at == start || value > 255 || (host[start] == '0' && at - start > 1)) {
      return false;
    }
    if (part < 3 && (at >= size || host[at++] != '.')) {
      return false;
    }
  }
  return at == size;
}

/* What some resolvers read as a number, and so the name that ends in it as an address. */
static bool is_number(const char *label, size_t size) {
  size_t at = 0;
  if (size >= 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X')) {
    for (at = 2; at < size && is_hex(label[at]);) {
      at++;
    }
    return at == size;
  }
  while (at < size && is_digit(label[at])) {
    at++;
  }
  return at == size;
}

/* Labels may begin with a digit, as the names of containers do, and hold underscores, as those of
 * services do. */
static bool is_host_name(const char *host, size_t size) {
  size_t label = 0;
  if (size == 0 || size > 253) {
    return false;
  }
  for (size_t i = 0; i <= size; i++) {
    if (i < size && host[i] != '.') {
      if (!is_alnum(host[i]) && host[i] != '-' && host[i] != '_') {
        return false;
      }
      continue;
    }
    size_t length = i - label;
    if (length == 0 || length > 63 || host[label] == '-' || host[i - 1] == '-') {
      return false;
    }
    if (i < size) {
      label = i + 1;
    }
  }
  return !is_number(host + label, size - label);
}

static bool read_ipv6(const char *host, size_t size, struct in6_addr *address) {
  char text[INET6_ADDRSTRLEN];
  if (size >= sizeof text) {
    return false;
  }
  memcpy(text, host, size);
  text[size] = '\0';
  return inet_pton(AF_INET6, text, address) == 1;
}

static bool is_loopback(const char *host, size_t size) {
  static const char local[] = "localhost";
  struct in6_addr address;
  if (size == sizeof local - 1 && strncasecmp(host, local, size) == 0) {
    return true;
  }
  if (read_ipv6(host, size, &address)) {
    return IN6_IS_ADDR_LOOPBACK(&address);
  }
  return is_ipv4(host, size) && strncmp(host, "127.", 4) == 0;
}

static bool port_ok(const char *port, size_t size) {
  int value = 0;
  if (size == 0 || size > 5) {
    return false;
  }
  for (size_t i = 0; i < size; i++) {
    if (!is_digit(port[i])) {
      return false;
    }
    value = value * 10 + (port[i] - '0');
  }
  return value > 0 && value < 65536;
}

typedef struct {
  const char *host;
  size_t host_size;
  const char *port;
  size_t port_size; /* with port NULL: none */
} authority;

static bool split_authority(const char *text, size_t size, authority *out) {
  memset(out, 0, sizeof *out);
  const char *end = text + size;
  const char *after;
  struct in6_addr address;
  if (size > 0 && text[0] == '[') {
    const char *close = memchr(text, ']', size);
    if (close == NULL) {
      return false;
    }
    out->host = text + 1;
    out->host_size = (size_t)(close - text - 1);
    if (!read_ipv6(out->host, out->host_size, &address)) {
      return false;
    }
    after = close + 1;
  } else {
    const char *colon = memchr(text, ':', size);
    after = colon != NULL ? colon : end;
    out->host = text;
    out->host_size = (size_t)(after - text);
    if (!is_ipv4(out->host, out->host_size) && !is_host_name(out->host, out->host_size)) {
      return false;
    }
  }
  if (after == end) {
    return true;
  }
  if (*after != ':') {
    return false;
  }
  out->port = after + 1;
  out->port_size = (size_t)(end - out->port);
  return port_ok(out->port, out->port_size);
}

/* "user:password", with nothing in it that could end it for another reader. */
static bool is_userinfo(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    bool is_escape = size - i > 2 && text[i] == '%' && is_hex(text[i + 1]) && is_hex(text[i + 2]);
    if (is_escape && (text[i + 1] < '2' || strncasecmp(text + i + 1, "7f", 2) == 0)) {
      return false; /* a control character */
    }
    if (!is_escape && !is_alnum(text[i]) && strchr("-._~!$&'()*+,;=:", text[i]) == NULL) {
      return false;
    }
  }
  return true;
}

/* NULL if it is neither http nor https, or there is none. */
static const char *after_scheme(const char *url) {
  if (url == NULL) {
    return NULL;
  }
  if (strncmp(url, "https://", 8) == 0) {
    return url + 8;
  }
  return strncmp(url, "http://", 7) == 0 ? url + 7 : NULL;
}

static bool read_url(const char *url, authority *parts, palenca_error *error) {
  const char *start = after_scheme(url);
  if (start == NULL) {
    return palenca_error_set(error, PALENCA_USAGE, "url must start with http:// or https://");
  }
  for (const unsigned char *c = (const unsigned char *)start; *c != '\0'; c++) {
    if (*c <= ' ' || *c == 127 || *c == '\\') {
      return palenca_error_set(error, PALENCA_USAGE,
                               "url must not hold spaces, control characters or '\\'");
    }
  }
  size_t size = strcspn(start, "/?#");
  const char *at = memchr(start, '@', size);
  if (at != NULL && (at == start || !is_userinfo(start, (size_t)(at - start)))) {
    return palenca_error_set(error, PALENCA_USAGE,
                             "url has a user name or password that is not percent-encoded");
  }
  const char *host = at != NULL ? at + 1 : start;
  if (!split_authority(host, (size_t)(start + size - host), parts)) {
    return palenca_error_set(error, PALENCA_USAGE, "url has no valid host and port");
  }
  return true;
}

bool palenca_url_check(const char *url, palenca_error *error) {
  authority parts;
  return read_url(url, &parts, error);
}

bool palenca_url_is_local(const char *url) {
  authority parts;
  return read_url(url, &parts, NULL) && is_loopback(parts.host, parts.host_size);
}

bool palenca_base_url_check(const char *url, bool allow_http, palenca_error *error) {
  const char *start = after_scheme(url);
  if (start == NULL) {
    return palenca_error_set(error, PALENCA_USAGE,
                             "base URL must start with https:// (or http:// on this machine)");
  }
  bool secure = url[4] == 's';
  size_t size = strcspn(start, "/?#\\");
  authority parts;
  if (memchr(start, '@', size) != NULL) {
    return palenca_error_set(error, PALENCA_USAGE, "base URL must not hold a user name");
  }
  if (!split_authority(start, size, &parts)) {
    return palenca_error_set(error, PALENCA_USAGE, "base URL has no valid host and port");
  }
  if (!secure && !allow_http && !is_loopback(parts.host, parts.host_size)) {
    return palenca_error_set(error, PALENCA_USAGE,
                             "base URL must be https: the key would travel in the clear");
  }
  const char *path = start + size;
  if (*path == '\0') {
    return true;
  }
  if (strpbrk(path, "?#") != NULL) {
    return palenca_error_set(error, PALENCA_USAGE, "base URL must not hold a query or fragment");
  }
  return palenca_path_check(path, strlen(path), error);
}

static bool is_unreserved(char c) {
  return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* HTTP clients collapse these before sending, which would change the operation. */
static bool is_dot_segment(const char *segment, size_t size) {
  return (size == 1 && segment[0] == '.') || (size == 2 && segment[0] == '.' && segment[1] == '.');
}

bool palenca_segment_escape(const char *segment, size_t size, palenca_buffer *out,
                            palenca_error *error) {
  static const char hex[] = "0123456789ABCDEF";
  if (segment == NULL || size == 0) {
    return palenca_error_set(error, PALENCA_USAGE, "a path segment is empty");
  }
  if (is_dot_segment(segment, size)) {
    return palenca_error_set(error, PALENCA_USAGE, "a path segment must not be '.' or '..'");
  }
  for (size_t i = 0; i < size; i++) {
    unsigned char byte = (unsigned char)segment[i];
    char encoded[3] = {'%', hex[byte >> 4], hex[byte & 15]};
    bool ok = is_unreserved(segment[i]) ? palenca_buffer_append(out, segment + i, 1)
                                        : palenca_buffer_append(out, encoded, 3);
    if (!ok) {
      return palenca_error_set(error, PALENCA_NO_MEMORY, "out of memory");
    }
  }
  return true;
}

/* "%2e" is a dot to those that collapse dot segments. */
static size_t decode_dots(const char *segment, size_t size, char decoded[3]) {
  size_t length = 0;
  for (size_t i = 0; i < size && length < 3; length++) {
    bool escaped = size - i >= 3 && strncasecmp(segment + i, "%2e", 3) == 0;
    decoded[length] = escaped ? '.' : segment[i];
    i += escaped ? 3 : 1;
  }
  return length;
}

bool palenca_path_check(const char *path, size_t size, palenca_error *error) {
  if (path == NULL || size == 0 || path[0] != '/' || (size > 1 && path[1] == '/')) {
    return palenca_error_set(error, PALENCA_USAGE, "a path must start with one '/'");
  }
  const char *query = memchr(path, '?', size);
  size_t path_size = query != NULL ? (size_t)(query - path) : size;
  for (size_t i = 0; i < size; i++) {
    unsigned char byte = (unsigned char)path[i];
    if (byte <= ' ' || byte >= 127 || byte == '#' || byte == '\\') {
      return palenca_error_set(error, PALENCA_USAGE,
                               "a path must not hold spaces, control characters, '#' or '\\'");
    }
  }
  for (size_t start = 1, i = 1; i <= path_size; i++) {
    if (i < path_size && path[i] != '/') {
      continue;
    }
    char decoded[3] = {0};
    if (is_dot_segment(decoded, decode_dots(path + start, i - start, decoded))) {
      return palenca_error_set(error, PALENCA_USAGE, "a path must not hold '.' or '..'");
    }
    start = i + 1;
  }
  return true;
}
