/* The parameters of a statement, in PostgreSQL's binary form, and the fields of a row. */
#ifndef PALENCA_HOST_STORE_POSTGRES_VALUES_H
#define PALENCA_HOST_STORE_POSTGRES_VALUES_H

#include "buffer.h"
#include "libpq.h"

#include <stdbool.h>
#include <stdint.h>

#define VALUES_MAX 12

/* Types of elements, by their ids in every PostgreSQL. */
typedef enum {
  VALUES_BYTES = 17,
  VALUES_INTEGER = 20,
  VALUES_TEXT = 25,
} values_type;

/* To be zero-initialized. Once memory was lacking, or the server would not take more, nothing more
 * is added. */
typedef struct {
  palenca_buffer bytes;
  size_t starts[VALUES_MAX], ends[VALUES_MAX];
  int count;
  size_t elements; /* where the array that is being made says how many it has */
  bool has_failed;
} values;

void values_add_integer(values *to, int64_t integer);
void values_add_text(values *to, const char *text);
void values_add_bytes(values *to, const void *bytes, size_t size);

/* An array: its elements follow, until the next value is added. */
void values_begin_array(values *to, values_type type);
void values_add_element(values *to, const void *data, size_t size); /* NULL: of that */
void values_add_integer_element(values *to, int64_t integer);
void values_add_text_element(values *to, const char *text); /* or NULL */

/* Where they are, for libpq; valid until one is added. */
void values_point(const values *of, const char *data[VALUES_MAX], int sizes[VALUES_MAX],
                  int formats[VALUES_MAX]);
/* Empties it for another statement. */
void values_reset(values *of);
void values_free(values *of);

/* The fields of a row of a result in binary form. */
int64_t values_integer(const libpq *pq, const PGresult *rows, int row, int column);
/* NULL for NULL. */
const char *values_text(const libpq *pq, const PGresult *rows, int row, int column);

#endif
