/* A growable byte string with an upper bound. */
#ifndef PALENCA_COMMON_BUFFER_H
#define PALENCA_COMMON_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

#ifdef __cplusplus
extern "C" {
#endif

/* To be zero-initialized, all but `limit`. */
typedef struct {
  char *data; /* NUL-terminated once something was appended */
  size_t size;
  size_t capacity;
  size_t limit; /* 0: no bound */
} palenca_buffer;

/* False when the bound or the memory is exhausted; the buffer is unchanged then. No more than the
 * bound and one byte is allocated. */
bool palenca_buffer_append(palenca_buffer *buffer, const void *data, size_t size);
/* Whether it is the limit that keeps so much from being appended; else it was the memory. */
bool palenca_buffer_is_full(const palenca_buffer *buffer, size_t size);
/* Frees what it holds; it can be used again. */
void palenca_buffer_free(palenca_buffer *buffer);

#ifdef __cplusplus
}
#endif

#pragma GCC visibility pop

#endif
