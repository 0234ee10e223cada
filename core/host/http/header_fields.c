/* Parses the lines of headers and trailers: "name: value". */
#include "char_classes.h"
#include "parser_parts.h"

#include <string.h>

typedef struct {
  char *name, *value;
  size_t name_size, value_size;
} field_line;

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/* Blanks around the value are no part of it. */
static bool split(field_line *field, char *line, size_t size) {
  size_t name_size = http_span_of(line, size, HTTP_TOKEN);
  if (name_size == 0 || name_size == size || line[name_size] != ':') {
    return false;
  }
  char *value = line + name_size + 1, *end = line + size;
  while (value < end && is_blank(*value)) {
    value++;
  }
  while (end > value && is_blank(end[-1])) {
    end--;
  }
  line[name_size] = *end = '\0';
  *field = (field_line){line, value, name_size, (size_t)(end - value)};
  return true;
}

static int count_field(http_parser *parser) {
  if (parser->seen >= parser->limits->max_headers) {
    return http_reject(parser, 431, "the request has too many headers");
  }
  parser->seen++;
  return HTTP_GO_ON;
}

int http_read_header(http_parser *parser, char *line, size_t size) {
  field_line field;
  if (is_blank(line[0])) {
    return http_reject(parser, 400, "a header is folded onto a second line");
  }
  if (!split(&field, line, size)) {
    return http_reject(parser, 400, "the head is malformed");
  }
  if (count_field(parser) != HTTP_GO_ON) {
    return HTTP_EVENT_REJECTED;
  }
  parser->fields[parser->field_count++] = (http_field){field.name, field.value};
  http_read_known_header(parser, field.name, field.name_size, field.value, field.value_size);
  return HTTP_GO_ON;
}

/* What would be read differently by who adds trailers to the headers: RFC 9110, 6.5.1. */
static bool is_header_only(const field_line *field) {
  static const char *const names[] = {
      "connection",        "content-encoding", "content-length", "content-range",
      "content-type",      "expect",           "host",           "te",
      "transfer-encoding", "trailer",          "authorization",  "forwarded",
      "upgrade",
  };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (http_is_text(field->name, field->name_size, names[i])) {
      return true;
    }
  }
  return false;
}

int http_read_trailer(http_parser *parser, char *line, size_t size) {
  field_line field;
  if (!split(&field, line, size)) {
    return http_reject(parser, 400, "a trailer is malformed");
  }
  if (is_header_only(&field)) {
    return http_reject(parser, 400, "a trailer holds what only a header may hold");
  }
  return count_field(parser);
}
