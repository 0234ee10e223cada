/* Decodes a body's content coding, and knows whether all of it has come. */
#ifndef PALENCA_CONTENT_DECODER_H
#define PALENCA_CONTENT_DECODER_H

#include "palenca.h"

#pragma GCC visibility push(hidden)

typedef enum {
  CODING_NONE,
  CODING_GZIP,
  CODING_DEFLATE, /* in the zlib format, or bare as some servers send it */
  CODING_UNKNOWN,
} content_coding;

typedef enum {
  DECODER_OK,
  DECODER_MALFORMED, /* no data of this coding, or data after its end */
  DECODER_FULL,      /* it is more than the buffer may hold */
  DECODER_NO_MEMORY,
} decoder_verdict;

typedef struct content_decoder content_decoder;

/* For CODING_GZIP or CODING_DEFLATE; NULL without memory. */
content_decoder *content_decoder_new(content_coding coding);
void content_decoder_free(content_decoder *decoder);

/* Appends what the next bytes of the body decode to. */
decoder_verdict content_decoder_feed(content_decoder *decoder, const char *data, size_t size,
                                     palenca_buffer *out);

/* Whether the body may end here: after a complete stream, or before the first byte of one. */
bool content_decoder_is_complete(const content_decoder *decoder);

#pragma GCC visibility pop

#endif
