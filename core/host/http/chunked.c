/* Parses what stands around the bytes of a chunk, its size, extensions and end: RFC 9112, 7.1. */
#include "char_classes.h"
#include "parser_parts.h"

/* Of all chunks of a request; extensions are unused in practice. */
#define EXTENSIONS_MAX 1024
#define DIGITS_MAX 16

static const char malformed_body[] = "the body is malformed";
static const char too_large_body[] = "the body is too large";

/* ---- extensions ------------------------------------------------------------------------------ */

/* What may come next in the line of a chunk's size. */
enum {
  EXTENSION_NONE, /* the digits have ended */
  EXTENSION_SEMICOLON,
  EXTENSION_NAME_START,
  EXTENSION_NAME,
  EXTENSION_NAME_END,
  EXTENSION_VALUE_START,
  EXTENSION_TOKEN,
  EXTENSION_QUOTED,
  EXTENSION_ESCAPED,
  EXTENSION_VALUE_END,
  EXTENSION_LF,
  EXTENSION_COMPLETE,
  EXTENSION_BAD,
};

enum {
  BYTE_TOKEN,
  BYTE_BLANK,
  BYTE_SEMICOLON,
  BYTE_EQUALS,
  BYTE_QUOTE,
  BYTE_BACKSLASH,
  BYTE_OTHER, /* only in quotes */
  BYTE_CR,
  BYTE_LF,
  BYTE_CONTROL,
  BYTE_CLASSES,
};

static int class_of(char byte) {
  switch (byte) {
  case ' ':
  case '\t':
    return BYTE_BLANK;
  case ';':
    return BYTE_SEMICOLON;
  case '=':
    return BYTE_EQUALS;
  case '"':
    return BYTE_QUOTE;
  case '\\':
    return BYTE_BACKSLASH;
  case '\r':
    return BYTE_CR;
  case '\n':
    return BYTE_LF;
  default:
    if (http_is(byte, HTTP_TOKEN)) {
      return BYTE_TOKEN;
    }
    return http_is(byte, HTTP_PLAIN) ? BYTE_OTHER : BYTE_CONTROL;
  }
}

#define BAD EXTENSION_BAD
#define SEMICOLON EXTENSION_SEMICOLON
#define NAME EXTENSION_NAME
#define NAME_START EXTENSION_NAME_START
#define NAME_END EXTENSION_NAME_END
#define VALUE EXTENSION_VALUE_START
#define TOKEN EXTENSION_TOKEN
#define QUOTED EXTENSION_QUOTED
#define ESCAPED EXTENSION_ESCAPED
#define VALUE_END EXTENSION_VALUE_END
#define LF EXTENSION_LF
#define COMPLETE EXTENSION_COMPLETE

/* Blanks around ';' and '=' are no part of an extension, and none may stand before the line's end.
 */
/* clang-format off */
static const uint8_t next[][BYTE_CLASSES] = {
    /*                         token   blank      ;           =       "          \        other   CR   LF        control */
    [EXTENSION_NONE]        = {BAD,    SEMICOLON, NAME_START, BAD,    BAD,       BAD,     BAD,    LF,  BAD,      BAD},
    [EXTENSION_SEMICOLON]   = {BAD,    SEMICOLON, NAME_START, BAD,    BAD,       BAD,     BAD,    BAD, BAD,      BAD},
    [EXTENSION_NAME_START]  = {NAME,   NAME_START,BAD,        BAD,    BAD,       BAD,     BAD,    BAD, BAD,      BAD},
    [EXTENSION_NAME]        = {NAME,   NAME_END,  NAME_START, VALUE,  BAD,       BAD,     BAD,    LF,  BAD,      BAD},
    [EXTENSION_NAME_END]    = {BAD,    NAME_END,  NAME_START, VALUE,  BAD,       BAD,     BAD,    BAD, BAD,      BAD},
    [EXTENSION_VALUE_START] = {TOKEN,  VALUE,     BAD,        BAD,    QUOTED,    BAD,     BAD,    BAD, BAD,      BAD},
    [EXTENSION_TOKEN]       = {TOKEN,  SEMICOLON, NAME_START, BAD,    BAD,       BAD,     BAD,    LF,  BAD,      BAD},
    [EXTENSION_QUOTED]      = {QUOTED, QUOTED,    QUOTED,     QUOTED, VALUE_END, ESCAPED, QUOTED, BAD, BAD,      BAD},
    [EXTENSION_ESCAPED]     = {QUOTED, QUOTED,    QUOTED,     QUOTED, QUOTED,    QUOTED,  QUOTED, BAD, BAD,      BAD},
    [EXTENSION_VALUE_END]   = {BAD,    SEMICOLON, NAME_START, BAD,    BAD,       BAD,     BAD,    LF,  BAD,      BAD},
    [EXTENSION_LF]          = {BAD,    BAD,       BAD,        BAD,    BAD,       BAD,     BAD,    BAD, COMPLETE, BAD},
};
/* clang-format on */

static int end_size_line(http_parser *parser) {
  if (parser->left == 0) {
    parser->line = parser->used = parser->head_size;
    parser->state = STATE_TRAILER;
    return HTTP_GO_ON;
  }
  if (parser->left > parser->limits->max_body - parser->body_size) {
    return http_reject(parser, 413, too_large_body);
  }
  parser->body_size += parser->left;
  parser->state = STATE_BODY;
  return HTTP_GO_ON;
}

int http_read_chunk_extension(http_parser *parser, http_input *input) {
  while (input->at < input->end) {
    int class = class_of(*input->at);
    parser->extension = next[parser->extension][class];
    if (parser->extension == EXTENSION_BAD) {
      return http_reject(parser, 400, malformed_body);
    }
    input->at++;
    if (parser->extension == EXTENSION_COMPLETE) {
      return end_size_line(parser);
    }
    if (class != BYTE_CR && ++parser->extension_size > EXTENSIONS_MAX) {
      return http_reject(parser, 413, "the extensions of the chunks are too large");
    }
  }
  return HTTP_EVENT_NEED_MORE;
}

/* ---- sizes and ends -------------------------------------------------------------------------- */

void http_start_chunk(http_parser *parser) {
  parser->left = 0;
  parser->digits = 0;
  parser->extension = EXTENSION_NONE;
  parser->state = STATE_CHUNK_SIZE;
}

int http_read_chunk_size(http_parser *parser, http_input *input) {
  for (; input->at < input->end; input->at++) {
    int value = http_hex_value(*input->at);
    if (value < 0 && parser->digits == 0) {
      return http_reject(parser, 400, malformed_body);
    }
    if (value < 0) {
      parser->state = STATE_CHUNK_EXTENSION;
      return HTTP_GO_ON;
    }
    if (parser->digits == DIGITS_MAX) {
      return parser->left > parser->limits->max_body ? http_reject(parser, 413, too_large_body)
                                                     : http_reject(parser, 400, malformed_body);
    }
    parser->digits++;
    parser->left = (parser->left << 4) | (uint64_t)value;
  }
  return HTTP_EVENT_NEED_MORE;
}

int http_read_chunk_end(http_parser *parser, http_input *input) {
  if (input->at == input->end) {
    return HTTP_EVENT_NEED_MORE;
  }
  if (*input->at != (parser->state == STATE_CHUNK_CR ? '\r' : '\n')) {
    return http_reject(parser, 400, malformed_body);
  }
  input->at++;
  if (parser->state == STATE_CHUNK_CR) {
    parser->state = STATE_CHUNK_LF;
  } else {
    http_start_chunk(parser);
  }
  return HTTP_GO_ON;
}
