/* The HTTP/1 parser of the server: bytes in, one request or a rejection out.
 *
 * It does no I/O, reads no clock and allocates nothing: a request's head is collected in a buffer
 * that its owner lends it, and its body is handed on as spans of the input. What RFC 9110 and 9112
 * forbid is rejected, and so is what two readers could read in two ways. The verdict on a sequence
 * of bytes does not depend on the pieces it arrives in.
 *
 *   do {
 *     event = http_parser_feed(&parser, data, size, &consumed);
 *     data += consumed, size -= consumed;
 *     … what the event asks for; http_parser_next after COMPLETE
 *   } while (event != HTTP_EVENT_NEED_MORE && event != HTTP_EVENT_REJECTED);
 *
 * Events of one request: HEAD, then BODY any number of times, then COMPLETE; NEED_MORE between any
 * two; REJECTED instead of any of them, and nothing after it. A parser that calls back, such as
 * llhttp, can implement the same functions by pausing in each of its callbacks.
 */
#ifndef PALENCA_HOST_HTTP_PARSER_H
#define PALENCA_HOST_HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  /* Bytes of the request line, the headers and the empty line after them; more: 431, or 414 if it
   * is the target that is too long. As many again for trailers. At most 2^30. */
  size_t max_head;
  size_t max_headers; /* headers and trailers; more: 431 */
  uint64_t max_body;  /* bytes, without what chunks put around them; more: 413 */
} http_parser_limits;

typedef enum {
  HTTP_EVENT_NEED_MORE, /* all input is consumed; nothing is to be done until there is more */
  HTTP_EVENT_HEAD,      /* the head is complete and acceptable: its fields can be read */
  HTTP_EVENT_BODY,      /* a part of the body: http_parser_body */
  HTTP_EVENT_COMPLETE,  /* the request is complete: http_parser_next has to be called */
  HTTP_EVENT_REJECTED,  /* http_parser_rejection says why; no further input is read */
} http_event;

/* How far a request has arrived. */
typedef enum {
  HTTP_PHASE_IDLE,         /* not a byte of it, but for empty lines before it */
  HTTP_PHASE_REQUEST_LINE, /* some of its first line */
  HTTP_PHASE_HEADERS,      /* its first line is read and acceptable: method and path can be read */
  HTTP_PHASE_BODY,         /* its head was handed on; trailers are part of the body */
  HTTP_PHASE_COMPLETE,
  HTTP_PHASE_REJECTED,
} http_phase;

typedef struct {
  int status;         /* 400, 413, 414, 415, 417, 431, 501 or 505 */
  const char *reason; /* static text without a byte of the request, and nothing to escape in JSON */
  bool has_head;      /* the head arrived completely: all of its fields can be read. A head that is
                       * too large is read up to twice the limit for that. */
} http_rejection;

/* A part of the input. */
typedef struct {
  const char *data;
  size_t size;
} http_span;

typedef struct {
  const char *name, *value;
} http_field;

/* The members are the parser's own. */
typedef struct {
  const http_parser_limits *limits;
  http_field *fields; /* the lent buffer: fields, and the text of the head and of trailers */
  char *text;
  uint32_t capacity, used;    /* of the text, in bytes */
  uint32_t line, head_size;   /* where the unfinished line starts; trailers start there */
  uint32_t field_count, seen; /* those that are stored; trailers are counted, too */
  uint32_t hosts, host_field, lengths, codings;
  uint32_t extension_size; /* of all chunks */
  const char *method, *path, *query, *host;
  const char *foreign_encoding; /* the reason to reject the body's Content-Encoding */
  uint64_t length;              /* the announced one */
  uint64_t left;                /* of the body or of the chunk that is being read */
  uint64_t body_size;           /* of the chunks so far */
  http_span body;
  http_rejection rejection;
  uint8_t state, extension, digits; /* of the line that is being read */
  uint8_t minor, empty_lines;
  bool has_cr, has_head, is_absolute, is_target_too_long;
  bool bad_length, bad_host, other_coding, other_expectation, expects;
  bool says_close, says_keep_alive;
} http_parser;

/* The limits are not copied. The parser is idle, and has no buffer yet. */
void http_parser_init(http_parser *parser, const http_parser_limits *limits);

/* The bytes that a buffer must have for these limits. */
size_t http_parser_buffer_size(const http_parser_limits *limits);

/* Lends the parser a buffer of http_parser_buffer_size bytes, aligned as malloc's are. It stays the
 * owner's, who may take it away (NULL) or exchange it whenever the phase is HTTP_PHASE_IDLE, and
 * has to lend one before bytes are fed: without one, they are rejected with 431. Only what is
 * needed of it is touched. */
void http_parser_set_buffer(http_parser *parser, void *buffer);

/* Reads up to the next event. `consumed` is set to the number of bytes read, which are not to be
 * fed again: after COMPLETE and REJECTED others may be left, which belong to what follows. After
 * every event but NEED_MORE it is to be called again, with the rest of the input even if that is
 * empty: a request without a body is complete without another byte, and a body that is announced
 * as too large is rejected after HEAD, so that the owner can reject the request for another
 * reason first. */
http_event http_parser_feed(http_parser *parser, const char *data, size_t size, size_t *consumed);

/* After COMPLETE: forgets the request and is idle. The limits and the buffer stay. */
void http_parser_next(http_parser *parser);

http_phase http_parser_phase(const http_parser *parser);

/* After REJECTED. */
const http_rejection *http_parser_rejection(const http_parser *parser);

/* After BODY: never empty, freed of what chunks put around it, and part of the input that was fed
 * last: it is gone with that. */
http_span http_parser_body(const http_parser *parser);

/* ---- the request ------------------------------------------------------------------------------
 * From HEAD on, and after a rejection that `has_head`, until http_parser_next; method, path and
 * query from HTTP_PHASE_HEADERS on. All text is NUL-terminated and holds no other NUL. It stays
 * where it is and belongs to the buffer.
 */

const char *http_parser_method(const http_parser *parser);

/* As sent, with its escapes; of an absolute target without its scheme and authority. Starts with
 * '/', or is "*" (OPTIONS only). */
const char *http_parser_path(const http_parser *parser);

/* What follows the path's '?', as sent; NULL: there is none. */
const char *http_parser_query(const http_parser *parser);

/* An absolute target's authority, otherwise the Host header: name or address and, if sent, port.
 * NULL: neither was sent, by HTTP/1.0. */
const char *http_parser_host(const http_parser *parser);

/* 0 or 1: of HTTP/1.0 or HTTP/1.1. What calls itself HTTP/1.2 to HTTP/1.9 is read as HTTP/1.1. */
int http_parser_minor_version(const http_parser *parser);

/* The body's bytes as announced, 0 without a body, -1: chunked. A length that is larger than
 * INT64_MAX is INT64_MAX. */
int64_t http_parser_content_length(const http_parser *parser);

/* True: the client expects to send further requests on the connection. */
bool http_parser_keep_alive(const http_parser *parser);

/* True: the client may be waiting for "100 Continue" before it sends the body: the event after HEAD
 * is then NEED_MORE if it is, and REJECTED if the body is not to be sent at all. Never without a
 * body, and never in HTTP/1.0. */
bool http_parser_expects_continue(const http_parser *parser);

/* Headers in the order of arrival, without blanks around the values. Of a request with an absolute
 * target the value of Host is the target's authority, and Host is there even if it was not sent. */
size_t http_parser_header_count(const http_parser *parser);
const char *http_parser_header_name(const http_parser *parser, size_t index);
const char *http_parser_header_value(const http_parser *parser, size_t index);

#endif
