/* The parser's states: lines are collected in the buffer, the body's bytes stay in the input. */
#include "parser_parts.h"

#include "char_classes.h"

#include <string.h>

/* RFC 9112, 2.2: a server ignores one or more. */
#define EMPTY_LINES_MAX 2

static const char too_large_head[] = "the head of the request is too large";
static const char malformed_trailer[] = "a trailer is malformed";

int http_reject(http_parser *parser, int status, const char *reason) {
  parser->rejection =
      (http_rejection){.status = status, .reason = reason, .has_head = parser->has_head};
  parser->state = STATE_REJECTED;
  return HTTP_EVENT_REJECTED;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static int reject_byte(http_parser *parser, char byte) {
  if (parser->state == STATE_TRAILER) {
    return http_reject(parser, 400, malformed_trailer);
  }
  if (parser->has_cr || byte == '\n') {
    return http_reject(parser, 400, "a line of the head does not end with CRLF");
  }
  return http_reject(parser, 400, "the head holds a control byte");
}

static int reject_too_large(http_parser *parser) {
  if (parser->state == STATE_TRAILER) {
    return http_reject(parser, 431, "the trailers are too large");
  }
  bool is_in_target = parser->state == STATE_REQUEST_LINE && parser->used > 0 &&
                      memchr(parser->text, ' ', parser->used) != NULL;
  if (parser->is_target_too_long || is_in_target) {
    return http_reject(parser, 414, "the target of the request is too long");
  }
  return http_reject(parser, 431, too_large_head);
}

/* Takes bytes into the text, which may be filled up to `max`, until a line is complete. */
static int collect_line(http_parser *parser, http_input *input, uint32_t max) {
  while (input->at < input->end) {
    if (parser->used == max) {
      return reject_too_large(parser);
    }
    char *out = parser->text + parser->used;
    if (parser->has_cr) {
      if (*input->at != '\n') {
        return reject_byte(parser, *input->at);
      }
      *out = *input->at++;
      parser->used++;
      parser->has_cr = false;
      return HTTP_GO_ON;
    }
    size_t size = (size_t)(input->end - input->at);
    if (size > max - parser->used) {
      size = max - parser->used;
    }
    size_t plain = http_span_of_plain(input->at, size);
    memcpy(out, input->at, plain);
    input->at += plain;
    parser->used += (uint32_t)plain;
    if (plain == size) {
      continue; /* there is no more input, or no more room */
    }
    if (*input->at != '\r') {
      return reject_byte(parser, *input->at);
    }
    out[plain] = *input->at++;
    parser->used++;
    parser->has_cr = true;
  }
  return HTTP_EVENT_NEED_MORE;
}

/* Returns the size of the collected line, without CRLF, and starts another one after it. */
static size_t take_line(http_parser *parser, char **line) {
  size_t size = parser->used - parser->line - 2;
  *line = parser->text + parser->line;
  parser->line = parser->used;
  return size;
}

/* ---- states ---------------------------------------------------------------------------------- */

static int read_start(http_parser *parser, http_input *input) {
  for (; input->at < input->end; input->at++) {
    if (parser->has_cr) {
      if (*input->at != '\n') {
        return reject_byte(parser, *input->at);
      }
      parser->has_cr = false;
      if (++parser->empty_lines > EMPTY_LINES_MAX) {
        return http_reject(parser, 400, "there are empty lines before the request");
      }
    } else if (*input->at == '\r') {
      parser->has_cr = true;
    } else {
      parser->state = STATE_REQUEST_LINE;
      return HTTP_GO_ON;
    }
  }
  return HTTP_EVENT_NEED_MORE;
}

static int read_request_line(http_parser *parser, http_input *input) {
  char *line;
  int event = collect_line(parser, input, parser->capacity);
  if (event != HTTP_GO_ON) {
    return event;
  }
  size_t size = take_line(parser, &line);
  event = http_read_request_line(parser, line, size);
  if (event == HTTP_GO_ON) {
    parser->state = STATE_HEADER;
  }
  return event;
}

static int end_head(http_parser *parser) {
  parser->has_head = true;
  parser->head_size = parser->used;
  int event = http_judge_head(parser);
  if (event != HTTP_GO_ON) {
    return event;
  }
  if (parser->head_size > parser->limits->max_head) {
    return reject_too_large(parser);
  }
  parser->state = STATE_HEAD_READ;
  return HTTP_EVENT_HEAD;
}

static int read_header(http_parser *parser, http_input *input) {
  char *line;
  int event = collect_line(parser, input, parser->capacity);
  if (event != HTTP_GO_ON) {
    return event;
  }
  size_t size = take_line(parser, &line);
  return size == 0 ? end_head(parser) : http_read_header(parser, line, size);
}

static int start_body(http_parser *parser) {
  if (parser->codings > 0) {
    http_start_chunk(parser);
    return HTTP_GO_ON;
  }
  if (parser->length > parser->limits->max_body) {
    return http_reject(parser, 413, "the body is too large");
  }
  parser->left = parser->length;
  parser->state = parser->left > 0 ? STATE_BODY : STATE_COMPLETE;
  return HTTP_GO_ON;
}

static int read_body(http_parser *parser, http_input *input) {
  size_t size = (size_t)(input->end - input->at);
  if (size == 0) {
    return HTTP_EVENT_NEED_MORE;
  }
  if (size > parser->left) {
    size = (size_t)parser->left;
  }
  parser->body = (http_span){input->at, size};
  input->at += size;
  parser->left -= size;
  if (parser->left == 0) {
    parser->state = parser->codings > 0 ? STATE_CHUNK_CR : STATE_COMPLETE;
  }
  return HTTP_EVENT_BODY;
}

static int read_trailer(http_parser *parser, http_input *input) {
  char *line;
  uint32_t max = parser->head_size + (uint32_t)parser->limits->max_head;
  int event = collect_line(parser, input, max);
  if (event != HTTP_GO_ON) {
    return event;
  }
  size_t size = take_line(parser, &line);
  if (size > 0) {
    return http_read_trailer(parser, line, size);
  }
  parser->state = STATE_COMPLETE;
  return HTTP_GO_ON;
}

static int read_state(http_parser *parser, http_input *input) {
  switch (parser->state) {
  case STATE_START:
    return read_start(parser, input);
  case STATE_REQUEST_LINE:
    return read_request_line(parser, input);
  case STATE_HEADER:
    return read_header(parser, input);
  case STATE_HEAD_READ:
    return start_body(parser);
  case STATE_BODY:
    return read_body(parser, input);
  case STATE_CHUNK_SIZE:
    return http_read_chunk_size(parser, input);
  case STATE_CHUNK_EXTENSION:
    return http_read_chunk_extension(parser, input);
  case STATE_CHUNK_CR:
  case STATE_CHUNK_LF:
    return http_read_chunk_end(parser, input);
  case STATE_TRAILER:
    return read_trailer(parser, input);
  case STATE_COMPLETE:
    return HTTP_EVENT_COMPLETE;
  default:
    return HTTP_EVENT_REJECTED;
  }
}

http_event http_parser_feed(http_parser *parser, const char *data, size_t size, size_t *consumed) {
  static const char nothing[] = "";
  http_input input = {.at = nothing, .end = nothing};
  if (size > 0) {
    input = (http_input){.at = data, .end = data + size};
  }
  int event;
  do {
    event = read_state(parser, &input);
  } while (event == HTTP_GO_ON);
  *consumed = size - (size_t)(input.end - input.at);
  return (http_event)event;
}

/* ---- life ------------------------------------------------------------------------------------ */

void http_parser_init(http_parser *parser, const http_parser_limits *limits) {
  *parser = (http_parser){.limits = limits};
}

/* An absolute target adds a Host. The text takes a head of twice the limit, to name the client that
 * sent it; or one and its trailers. */
static size_t fields_size(const http_parser_limits *limits) {
  return (limits->max_headers + 1) * sizeof(http_field);
}

static size_t text_size(const http_parser_limits *limits) {
  return 2 * limits->max_head;
}

size_t http_parser_buffer_size(const http_parser_limits *limits) {
  return fields_size(limits) + text_size(limits);
}

void http_parser_set_buffer(http_parser *parser, void *buffer) {
  parser->fields = buffer;
  parser->text = buffer != NULL ? (char *)buffer + fields_size(parser->limits) : NULL;
  parser->capacity = buffer != NULL ? (uint32_t)text_size(parser->limits) : 0;
}

void http_parser_next(http_parser *parser) {
  *parser = (http_parser){.limits = parser->limits,
                          .fields = parser->fields,
                          .text = parser->text,
                          .capacity = parser->capacity};
}

http_phase http_parser_phase(const http_parser *parser) {
  switch (parser->state) {
  case STATE_START:
    return HTTP_PHASE_IDLE;
  case STATE_REQUEST_LINE:
    return HTTP_PHASE_REQUEST_LINE;
  case STATE_HEADER:
    return HTTP_PHASE_HEADERS;
  case STATE_COMPLETE:
    return HTTP_PHASE_COMPLETE;
  case STATE_REJECTED:
    return HTTP_PHASE_REJECTED;
  default:
    return HTTP_PHASE_BODY;
  }
}

const http_rejection *http_parser_rejection(const http_parser *parser) {
  return &parser->rejection;
}

http_span http_parser_body(const http_parser *parser) {
  return parser->body;
}

/* ---- the request ----------------------------------------------------------------------------- */

const char *http_parser_method(const http_parser *parser) {
  return parser->method;
}

const char *http_parser_path(const http_parser *parser) {
  return parser->path;
}

const char *http_parser_query(const http_parser *parser) {
  return parser->query;
}

const char *http_parser_host(const http_parser *parser) {
  return parser->host;
}

int http_parser_minor_version(const http_parser *parser) {
  return parser->minor;
}

int64_t http_parser_content_length(const http_parser *parser) {
  if (parser->codings > 0) {
    return -1;
  }
  return parser->length > INT64_MAX ? INT64_MAX : (int64_t)parser->length;
}

bool http_parser_keep_alive(const http_parser *parser) {
  return !parser->says_close && (parser->minor > 0 || parser->says_keep_alive);
}

bool http_parser_expects_continue(const http_parser *parser) {
  return parser->expects && parser->minor > 0 && (parser->codings > 0 || parser->length > 0);
}

size_t http_parser_header_count(const http_parser *parser) {
  return parser->field_count;
}

const char *http_parser_header_name(const http_parser *parser, size_t index) {
  return parser->fields[index].name;
}

const char *http_parser_header_value(const http_parser *parser, size_t index) {
  return parser->fields[index].value;
}
