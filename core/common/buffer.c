/* Grows a string of bytes, up to a limit. */
#include "buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool palenca_buffer_is_full(const palenca_buffer *buffer, size_t size) {
  size_t bound = buffer->limit != 0 ? buffer->limit : SIZE_MAX / 4;
  return size > bound || buffer->size > bound - size;
}

bool palenca_buffer_append(palenca_buffer *buffer, const void *data, size_t size) {
  if (palenca_buffer_is_full(buffer, size)) {
    return false;
  }
  size_t needed = buffer->size + size + 1;
  if (needed > buffer->capacity) {
    size_t capacity = buffer->capacity != 0 ? buffer->capacity : 1024;
    while (capacity < needed) {
      capacity *= 2;
    }
    if (buffer->limit != 0 && capacity - 1 > buffer->limit) {
      capacity = buffer->limit + 1; /* enough for ever */
    }
    char *grown = realloc(buffer->data, capacity);
    if (grown == NULL) {
      return false;
    }
    buffer->data = grown;
    buffer->capacity = capacity;
  }
  if (size > 0) {
    memcpy(buffer->data + buffer->size, data, size);
  }
  buffer->size += size;
  buffer->data[buffer->size] = '\0';
  return true;
}

void palenca_buffer_free(palenca_buffer *buffer) {
  free(buffer->data);
  buffer->data = NULL;
  buffer->size = 0;
  buffer->capacity = 0;
}
