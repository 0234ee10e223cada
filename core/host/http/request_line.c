/* Parses the first line of a request: method, target and version, with single blanks between
 * them. */
#include "char_classes.h"
#include "parser_parts.h"

#include <string.h>

static int reject_line(http_parser *parser) {
  return http_reject(parser, 400, "the head is malformed");
}

/* A recipient reads a higher minor version as the highest one that it knows: RFC 9110, 2.5. */
static int read_version(http_parser *parser, const char *text, size_t size) {
  bool is_version = size == 8 && memcmp(text, "HTTP/", 5) == 0 && text[5] >= '0' &&
                    text[5] <= '9' && text[6] == '.' && text[7] >= '0' && text[7] <= '9';
  if (!is_version) {
    return reject_line(parser);
  }
  if (text[5] != '1') {
    return http_reject(parser, 505, "the version of HTTP is not supported");
  }
  parser->minor = text[7] > '0';
  return HTTP_GO_ON;
}

/* The first byte that is not of the class or part of an escape; NULL: an escape is malformed, or is
 * that of NUL, which ends a text for some readers. */
static char *skip_escaped(char *text, uint8_t class) {
  for (;;) {
    while (http_is(*text, class)) {
      text++;
    }
    if (*text != '%') {
      return text;
    }
    if (http_hex_value(text[1]) < 0 || http_hex_value(text[2]) < 0 ||
        (text[1] == '0' && text[2] == '0')) {
      return NULL;
    }
    text += 3;
  }
}

static bool read_path(http_parser *parser, char *text) {
  if (*text == '/') {
    parser->path = text;
    text = skip_escaped(text, HTTP_PATH);
  }
  if (text != NULL && *text == '?') {
    *text++ = '\0';
    parser->query = text;
    text = skip_escaped(text, HTTP_QUERY);
  }
  return text != NULL && *text == '\0';
}

/* The authority is moved by a byte to make room for the NUL after it. */
static bool read_absolute(http_parser *parser, char *target, size_t size) {
  size_t scheme = size >= 7 && http_is_text(target, 7, "http://")    ? 7
                  : size >= 8 && http_is_text(target, 8, "https://") ? 8
                                                                     : 0;
  if (scheme == 0) {
    return false;
  }
  char *authority = target + scheme;
  size_t authority_size = strcspn(authority, "/?");
  if (!http_is_authority(authority, authority_size)) {
    return false;
  }
  char *rest = authority + authority_size;
  memmove(authority - 1, authority, authority_size);
  authority[authority_size - 1] = '\0';
  parser->host = authority - 1;
  parser->is_absolute = true;
  parser->path = *rest == '\0' && strcmp(parser->method, "OPTIONS") == 0 ? "*" : "/";
  return read_path(parser, rest);
}

static bool read_target(http_parser *parser, char *target, size_t size) {
  if (target[0] == '/') {
    return read_path(parser, target);
  }
  if (strcmp(target, "*") == 0) {
    parser->path = target;
    return strcmp(parser->method, "OPTIONS") == 0;
  }
  return read_absolute(parser, target, size);
}

int http_read_request_line(http_parser *parser, char *line, size_t size) {
  line[size] = '\0';
  size_t method_size = http_span_of(line, size, HTTP_TOKEN);
  if (method_size == 0 || line[method_size] != ' ') {
    return reject_line(parser);
  }
  line[method_size] = '\0';
  parser->method = line;
  char *target = line + method_size + 1;
  char *target_end = strchr(target, ' ');
  if (target_end == NULL) {
    return reject_line(parser);
  }
  *target_end = '\0';
  int event = read_version(parser, target_end + 1, (size_t)(line + size - target_end - 1));
  if (event != HTTP_GO_ON) {
    return event;
  }
  /* No resource here supports it, whatever its target is. */
  if (strcmp(parser->method, "CONNECT") == 0) {
    return http_reject(parser, 501, "CONNECT is not supported");
  }
  size_t target_size = (size_t)(target_end - target);
  parser->is_target_too_long = size + 2 > parser->limits->max_head && target_size > method_size;
  return read_target(parser, target, target_size)
             ? HTTP_GO_ON
             : http_reject(parser, 400, "the target of the request is malformed");
}
