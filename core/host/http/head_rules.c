/* Applies the rules for headers that say where a request ends, whom it is for and what it needs. */
#include "char_classes.h"
#include "parser_parts.h"

#include <string.h>

/* The next member of a list, without blanks around it; false: there is none. Empty ones are
 * skipped. */
static bool next_member(const char **at, http_span *member) {
  const char *start = *at + strspn(*at, ", \t");
  size_t size = strcspn(start, ",");
  *at = start + size;
  while (size > 0 && (start[size - 1] == ' ' || start[size - 1] == '\t')) {
    size--;
  }
  *member = (http_span){start, size};
  return size > 0;
}

static void read_length(http_parser *parser, const char *value) {
  uint64_t length = 0;
  const char *c = value;
  for (; *c >= '0' && *c <= '9'; c++) {
    unsigned digit = (unsigned)(*c - '0');
    length = length > (UINT64_MAX - digit) / 10 ? UINT64_MAX : length * 10 + digit;
  }
  parser->lengths++;
  parser->length = length;
  parser->bad_length = c == value || *c != '\0';
}

static void read_expectation(http_parser *parser, const char *value) {
  http_span member;
  bool is_any = false;
  while (next_member(&value, &member)) {
    is_any = true;
    parser->other_expectation =
        parser->other_expectation || !http_is_text(member.data, member.size, "100-continue");
  }
  parser->other_expectation = parser->other_expectation || !is_any;
  parser->expects = true;
}

static void read_connection(http_parser *parser, const char *value) {
  http_span member;
  while (next_member(&value, &member)) {
    if (http_is_text(member.data, member.size, "close")) {
      parser->says_close = true;
    } else if (http_is_text(member.data, member.size, "keep-alive")) {
      parser->says_keep_alive = true;
    }
  }
}

static const char *encoding_reason(http_span name) {
  static const char *const reasons[][2] = {
      {"gzip", "the Content-Encoding gzip is not supported"},
      {"x-gzip", "the Content-Encoding x-gzip is not supported"},
      {"deflate", "the Content-Encoding deflate is not supported"},
      {"br", "the Content-Encoding br is not supported"},
      {"zstd", "the Content-Encoding zstd is not supported"},
      {"compress", "the Content-Encoding compress is not supported"},
      {"x-compress", "the Content-Encoding x-compress is not supported"},
  };
  for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
    if (http_is_text(name.data, name.size, reasons[i][0])) {
      return reasons[i][1];
    }
  }
  return "no Content-Encoding but identity is supported";
}

static void read_encoding(http_parser *parser, const char *value) {
  http_span member;
  while (parser->foreign_encoding == NULL && next_member(&value, &member)) {
    if (!http_is_text(member.data, member.size, "identity")) {
      parser->foreign_encoding = encoding_reason(member);
    }
  }
}

static void read_host(http_parser *parser, const char *value, size_t size) {
  parser->host_field = parser->field_count - 1;
  parser->hosts++;
  parser->bad_host = parser->bad_host || !http_is_authority(value, size);
}

/* Nearly all other names have another length. */
void http_read_known_header(http_parser *parser, const char *name, size_t name_size,
                            const char *value, size_t value_size) {
  switch (name_size) {
  case sizeof "host" - 1:
    if (http_is_text(name, name_size, "host")) {
      read_host(parser, value, value_size);
    }
    break;
  case sizeof "expect" - 1:
    if (http_is_text(name, name_size, "expect")) {
      read_expectation(parser, value);
    }
    break;
  case sizeof "connection" - 1:
    if (http_is_text(name, name_size, "connection")) {
      read_connection(parser, value);
    }
    break;
  case sizeof "content-length" - 1:
    if (http_is_text(name, name_size, "content-length")) {
      read_length(parser, value);
    }
    break;
  case sizeof "content-encoding" - 1:
    if (http_is_text(name, name_size, "content-encoding")) {
      read_encoding(parser, value);
    }
    break;
  case sizeof "transfer-encoding" - 1:
    if (http_is_text(name, name_size, "transfer-encoding")) {
      parser->codings++;
      parser->other_coding = parser->other_coding || !http_is_text(value, value_size, "chunked");
    }
    break;
  }
}

/* An absolute target's authority takes the place of Host, for every reader: RFC 9112, 3.2.2. */
static void find_host(http_parser *parser) {
  if (!parser->is_absolute) {
    parser->host = parser->hosts > 0 ? parser->fields[parser->host_field].value : NULL;
    return;
  }
  if (parser->hosts == 0) {
    parser->host_field = parser->field_count++;
    parser->fields[parser->host_field].name = "Host";
  }
  parser->fields[parser->host_field].value = parser->host;
}

int http_judge_head(http_parser *parser) {
  bool is_old = parser->minor == 0;
  find_host(parser);
  if (parser->hosts > 1 || (parser->hosts == 0 && !is_old) ||
      (parser->host != NULL && parser->host[0] == '\0')) {
    return http_reject(parser, 400, "the request must have one Host header");
  }
  if (parser->bad_host) {
    return http_reject(parser, 400, "the Host header is malformed");
  }
  if (parser->lengths + parser->codings > 1) {
    return http_reject(parser, 400, "the request says in two ways how long it is");
  }
  if (parser->bad_length) {
    return http_reject(parser, 400, "the Content-Length is malformed");
  }
  if (parser->codings > 0 && is_old) {
    return http_reject(parser, 400, "HTTP/1.0 has no Transfer-Encoding");
  }
  if (parser->other_coding) {
    return http_reject(parser, 501, "no Transfer-Encoding but chunked is known here");
  }
  if (parser->other_expectation && !is_old) {
    return http_reject(parser, 417, "no expectation but 100-continue is known here");
  }
  if (parser->foreign_encoding != NULL) {
    return http_reject(parser, 415, parser->foreign_encoding);
  }
  return HTTP_GO_ON;
}
