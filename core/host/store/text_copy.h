/* Copies texts that may be absent into one block of memory, one behind the other. */
#ifndef PALENCA_HOST_STORE_TEXT_COPY_H
#define PALENCA_HOST_STORE_TEXT_COPY_H

#include <stddef.h>
#include <string.h>

/* The bytes that a text takes, with its end; NULL takes none. */
static inline size_t text_size(const char *text) {
  return text != NULL ? strlen(text) + 1 : 0;
}

/* Copies a text to `*to`, which is moved behind it, and returns the copy; NULL for NULL. */
static inline const char *text_copy(const char *text, char **to) {
  char *copy = *to;
  if (text == NULL) {
    return NULL;
  }
  *to += text_size(text);
  return memcpy(copy, text, text_size(text));
}

#endif
