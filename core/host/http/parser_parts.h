/* What the files of the parser share. */
#ifndef PALENCA_HOST_HTTP_PARSER_PARTS_H
#define PALENCA_HOST_HTTP_PARSER_PARTS_H

#include "parser.h"

/* What reads a part of a request returns an event for the owner, or this: there was none, the next
 * state follows. */
#define HTTP_GO_ON (-1)

enum {
  STATE_START, /* before a request, where empty lines may stand */
  STATE_REQUEST_LINE,
  STATE_HEADER,
  STATE_HEAD_READ, /* the owner has the head */
  STATE_BODY,      /* of known length, or a chunk's */
  STATE_CHUNK_SIZE,
  STATE_CHUNK_EXTENSION, /* and the end of the line */
  STATE_CHUNK_CR,        /* after a chunk's bytes */
  STATE_CHUNK_LF,
  STATE_TRAILER,
  STATE_COMPLETE,
  STATE_REJECTED,
};

typedef struct {
  const char *at, *end;
} http_input;

/* Returns HTTP_EVENT_REJECTED. */
int http_reject(http_parser *parser, int status, const char *reason);

/* ---- request_line.c -------------------------------------------------------------------------- */

/* Reads the text's first line, of `size` bytes without its CRLF. */
int http_read_request_line(http_parser *parser, char *line, size_t size);

/* ---- header_fields.c ------------------------------------------------------------------------- */

/* Reads the line of a header, or of a trailer, of which nothing is stored. */
int http_read_header(http_parser *parser, char *line, size_t size);
int http_read_trailer(http_parser *parser, char *line, size_t size);

/* ---- head_rules.c: what would let two readers see two different requests is rejected --------- */

void http_read_known_header(http_parser *parser, const char *name, size_t name_size,
                            const char *value, size_t value_size);
/* Judges the head once it is complete. */
int http_judge_head(http_parser *parser);

/* ---- authority.c ----------------------------------------------------------------------------- */

/* Returns whether the text is a name, an IPv4 address or an IPv6 address in brackets, and perhaps a
 * port. */
bool http_is_authority(const char *text, size_t size);

/* ---- chunked.c ------------------------------------------------------------------------------- */

void http_start_chunk(http_parser *parser);
int http_read_chunk_size(http_parser *parser, http_input *input);
int http_read_chunk_extension(http_parser *parser, http_input *input);
int http_read_chunk_end(http_parser *parser, http_input *input);

#endif
