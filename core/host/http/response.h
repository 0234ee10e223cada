/* What is sent as a response: headers and body in one piece, and the lines before them that differ
 * each time. */
#ifndef PALENCA_HOST_HTTP_RESPONSE_H
#define PALENCA_HOST_HTTP_RESPONSE_H

#include "server.h"

#include <stdatomic.h>

struct http_response {
  atomic_size_t uses; /* by whoever made it, and by each exchange and output it is sent by */
  int status;
  bool is_truncated; /* `size` bytes are announced, and fewer are there */
  uint64_t size;     /* of the body, as announced */
  size_t head_size;  /* of the headers, with the empty line after them */
  size_t data_size;  /* of both */
  char data[];
};

/* With the first `sent` bytes of the body only. */
http_response *http_response_make(int status, const http_header *headers, size_t header_count,
                                  const char *body, size_t body_size, size_t sent);

/* Whether a response of this status has a body, and a length. */
bool http_status_has_body(int status);

typedef enum {
  HTTP_FRAMING_LENGTH,
  HTTP_FRAMING_CHUNKED,
  HTTP_FRAMING_CLOSE, /* the body ends with the connection */
  HTTP_FRAMING_NONE,  /* no body, whatever the request was */
} http_framing;

typedef struct {
  int status;
  http_framing framing;
  uint64_t size;
  bool closes;      /* the connection, after the response */
  bool keeps_alive; /* says so to a client of HTTP/1.0 */
} http_response_start;

#define HTTP_START_SIZE 256
#define HTTP_DATE_SIZE 30

/* Writes the status line and the server's own headers; returns their size. */
size_t http_response_write_start(const http_response_start *start, const char *date,
                                 char out[HTTP_START_SIZE]);

/* "Sun, 06 Nov 1994 08:49:37 GMT", whatever the locale. */
void http_date_write(int64_t unix_seconds, char out[HTTP_DATE_SIZE]);

#endif
