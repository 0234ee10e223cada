/* Decodes a body's content coding, and knows whether all of it has come: libcurl takes half of a
 * gzip stream for a complete body. */
#include "content_decoder.h"

#include <stdlib.h>
#if !__has_include(<zlib.h>)
#error "zlib.h is missing: install zlib1g-dev (Debian) or zlib-devel (Fedora)"
#endif
#define ZLIB_CONST
#include <zlib.h>

/* The format that zlib reads, as its window bits. */
#define WINDOW_GZIP (MAX_WBITS + 16)
#define WINDOW_ZLIB MAX_WBITS
#define WINDOW_BARE (-MAX_WBITS)

#define ZLIB_HEADER_SIZE 2

struct content_decoder {
  z_stream stream;
  content_coding coding;
  unsigned char header[ZLIB_HEADER_SIZE]; /* of deflate, until its format is known */
  size_t header_size;
  bool has_format; /* the stream is initialized */
  bool has_ended;  /* a complete stream has arrived, and nothing after it */
};

content_decoder *content_decoder_new(content_coding coding) {
  content_decoder *decoder = calloc(1, sizeof *decoder);
  if (decoder == NULL) {
    return NULL;
  }
  decoder->coding = coding;
  if (coding == CODING_GZIP) {
    decoder->has_format = inflateInit2(&decoder->stream, WINDOW_GZIP) == Z_OK;
    if (!decoder->has_format) {
      free(decoder);
      return NULL;
    }
  }
  return decoder;
}

void content_decoder_free(content_decoder *decoder) {
  if (decoder == NULL) {
    return;
  }
  if (decoder->has_format) {
    inflateEnd(&decoder->stream);
  }
  free(decoder);
}

bool content_decoder_is_complete(const content_decoder *decoder) {
  if (!decoder->has_format) {
    return decoder->header_size == 0;
  }
  return decoder->has_ended || decoder->stream.total_in == 0;
}

/* A gzip body may be several streams in a row. */
static decoder_verdict start_next_stream(content_decoder *decoder) {
  if (decoder->coding != CODING_GZIP || inflateReset(&decoder->stream) != Z_OK) {
    return DECODER_MALFORMED;
  }
  decoder->has_ended = false;
  return DECODER_OK;
}

static decoder_verdict inflate_all(content_decoder *decoder, const unsigned char *data, size_t size,
                                   palenca_buffer *out) {
  char chunk[16 * 1024];
  z_stream *stream = &decoder->stream;
  stream->next_in = data;
  stream->avail_in = (uInt)size;
  do {
    if (decoder->has_ended) {
      if (stream->avail_in == 0) {
        return DECODER_OK;
      }
      if (start_next_stream(decoder) != DECODER_OK) {
        return DECODER_MALFORMED;
      }
    }
    stream->next_out = (unsigned char *)chunk;
    stream->avail_out = sizeof chunk;
    int code = inflate(stream, Z_NO_FLUSH);
    size_t decoded = sizeof chunk - stream->avail_out;
    if (!palenca_buffer_append(out, chunk, decoded)) {
      return palenca_buffer_is_full(out, decoded) ? DECODER_FULL : DECODER_NO_MEMORY;
    }
    if (code == Z_BUF_ERROR) { /* it needs more bytes */
      return DECODER_OK;
    }
    if (code == Z_MEM_ERROR) {
      return DECODER_NO_MEMORY;
    }
    if (code != Z_OK && code != Z_STREAM_END) {
      return DECODER_MALFORMED;
    }
    decoder->has_ended = code == Z_STREAM_END;
  } while (stream->avail_in > 0 || stream->avail_out == 0);
  return DECODER_OK;
}

/* The first two bytes of the zlib format are a multiple of 31, and name the method 8. A bare stream
 * that begins so would begin with an uncompressed block of a size that nothing sends. */
static bool is_zlib_header(const unsigned char *header) {
  return (header[0] & 15) == 8 && (header[0] * 256 + header[1]) % 31 == 0;
}

decoder_verdict content_decoder_feed(content_decoder *decoder, const char *data, size_t size,
                                     palenca_buffer *out) {
  const unsigned char *bytes = (const unsigned char *)data;
  if (!decoder->has_format) {
    while (size > 0 && decoder->header_size < ZLIB_HEADER_SIZE) {
      decoder->header[decoder->header_size++] = *bytes++;
      size--;
    }
    if (decoder->header_size < ZLIB_HEADER_SIZE) {
      return DECODER_OK;
    }
    int window = is_zlib_header(decoder->header) ? WINDOW_ZLIB : WINDOW_BARE;
    if (inflateInit2(&decoder->stream, window) != Z_OK) {
      return DECODER_NO_MEMORY;
    }
    decoder->has_format = true;
    decoder_verdict verdict = inflate_all(decoder, decoder->header, ZLIB_HEADER_SIZE, out);
    if (verdict != DECODER_OK) {
      return verdict;
    }
  }
  return size > 0 ? inflate_all(decoder, bytes, size, out) : DECODER_OK;
}
