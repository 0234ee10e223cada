/* Writes parameters in PostgreSQL's binary form, whose integers are big-endian, and reads fields.
 */
#include "values.h"

#include <string.h>

/* As much as PostgreSQL takes. */
#define MESSAGE_MAX ((size_t)1 << 30)

static void put(char *to, uint64_t integer, size_t size) {
  for (size_t i = 0; i < size; i++) {
    to[i] = (char)(integer >> (8 * (size - 1 - i)) & 0xff);
  }
}

static void append(values *to, const void *data, size_t size) {
  to->bytes.limit = MESSAGE_MAX;
  to->has_failed = to->has_failed || (size > 0 && !palenca_buffer_append(&to->bytes, data, size));
  if (!to->has_failed && to->count > 0) {
    to->ends[to->count - 1] = to->bytes.size;
  }
}

static void append_integer(values *to, uint64_t integer, size_t size) {
  char bytes[8];
  put(bytes, integer, size);
  append(to, bytes, size);
}

static void begin(values *to) {
  if (to->count == VALUES_MAX) {
    to->has_failed = true;
    return;
  }
  to->starts[to->count] = to->ends[to->count] = to->bytes.size;
  to->count++;
}

void values_add_integer(values *to, int64_t integer) {
  begin(to);
  append_integer(to, (uint64_t)integer, 8);
}

void values_add_bytes(values *to, const void *bytes, size_t size) {
  begin(to);
  append(to, bytes, size);
}

void values_add_text(values *to, const char *text) {
  values_add_bytes(to, text, strlen(text));
}

/* One dimension, whose first index is 1; NULLs may be in it. */
void values_begin_array(values *to, values_type type) {
  begin(to);
  append_integer(to, 1, 4);
  append_integer(to, 1, 4);
  append_integer(to, (uint64_t)type, 4);
  to->elements = to->bytes.size;
  append_integer(to, 0, 4);
  append_integer(to, 1, 4);
}

static void count_element(values *to) {
  if (!to->has_failed) {
    char *count = to->bytes.data + to->elements;
    uint32_t elements = 0;
    for (int i = 0; i < 4; i++) {
      elements = elements << 8 | (unsigned char)count[i];
    }
    put(count, elements + 1, 4);
  }
}

void values_add_element(values *to, const void *data, size_t size) {
  bool is_null = data == NULL && size == 0;
  append_integer(to, is_null ? UINT32_MAX : size, 4);
  append(to, data, size);
  count_element(to);
}

void values_add_integer_element(values *to, int64_t integer) {
  append_integer(to, 8, 4);
  append_integer(to, (uint64_t)integer, 8);
  count_element(to);
}

void values_add_text_element(values *to, const char *text) {
  values_add_element(to, text, text != NULL ? strlen(text) : 0);
}

void values_point(const values *of, const char *data[VALUES_MAX], int sizes[VALUES_MAX],
                  int formats[VALUES_MAX]) {
  for (int i = 0; i < of->count; i++) {
    data[i] = of->bytes.data + of->starts[i];
    sizes[i] = (int)(of->ends[i] - of->starts[i]);
    formats[i] = 1;
  }
}

void values_reset(values *of) {
  of->bytes.size = 0;
  of->count = 0;
  of->has_failed = false;
}

void values_free(values *of) {
  palenca_buffer_free(&of->bytes);
}

int64_t values_integer(const libpq *pq, const PGresult *rows, int row, int column) {
  const char *bytes = pq->getvalue(rows, row, column);
  int size = pq->getlength(rows, row, column);
  uint64_t integer = size > 0 && (bytes[0] & 0x80) != 0 ? UINT64_MAX : 0;
  for (int i = 0; i < size; i++) {
    integer = integer << 8 | (unsigned char)bytes[i];
  }
  return (int64_t)integer;
}

const char *values_text(const libpq *pq, const PGresult *rows, int row, int column) {
  return pq->getisnull(rows, row, column) ? NULL : pq->getvalue(rows, row, column);
}
