/* Takes in one response as it arrives: the lines of its head, and its body, decoded. */
#ifndef PALENCA_RESPONSE_SINK_H
#define PALENCA_RESPONSE_SINK_H

#include "content_decoder.h"

#pragma GCC visibility push(hidden)

typedef struct {
  palenca_buffer *head; /* of the final response, a line each; both are bounded by their limits */
  palenca_buffer *body;
  bool in_head;    /* its status line has come, and its empty line has not */
  bool is_interim; /* a response such as 103, which another one follows */
  bool head_ended; /* that of the final response is complete */
  content_coding coding;
  content_decoder *decoder;
  palenca_error failure; /* why the rest was not taken; PALENCA_OK: it was */
} response_sink;

void response_sink_init(response_sink *sink, palenca_buffer *head, palenca_buffer *body);
/* The buffers stay the caller's. */
void response_sink_free(response_sink *sink);

/* Takes one line of a head, its end included. A folded line is joined to the one before with a
 * space, an interim response is dropped, and so are trailers, which are no headers. False, with
 * `failure` set, if the response cannot be taken. */
bool response_sink_add_line(response_sink *sink, const char *line, size_t size);
bool response_sink_add_body(response_sink *sink, const char *data, size_t size);

/* Whether the body may end here; else `failure` is set. */
bool response_sink_end(response_sink *sink);

#pragma GCC visibility pop

#endif
