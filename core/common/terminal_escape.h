/* Makes text from outside safe to print on a terminal: control characters are escaped. */
#ifndef PALENCA_COMMON_TERMINAL_ESCAPE_H
#define PALENCA_COMMON_TERMINAL_ESCAPE_H

#include <stddef.h>

#pragma GCC visibility push(hidden)

typedef enum {
  TERMINAL_LINE,  /* one line: line ends and tabs are escaped as well */
  TERMINAL_LINES, /* several lines */
  TERMINAL_JSON,  /* a JSON text, which stays one of the same meaning */
} terminal_form;

/* Escapes what steers a terminal, turns the direction of writing, or is no UTF-8: as \x1b or
 * \u{202e}; in JSON as \u001b or \u202e, where a zero and what is no UTF-8 become a '?'. Returns
 * the size of the result, of which nothing is written if `out` is NULL. */
size_t terminal_escape(const char *text, size_t size, terminal_form form, char *out);

#pragma GCC visibility pop

#endif
