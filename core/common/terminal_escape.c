/* Escapes in a text what a terminal would interpret instead of showing. */
#include "terminal_escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ESCAPE_SIZE 16

/* The bytes of the character that begins here, and its code point; 0: this is no UTF-8. */
static size_t decode(const unsigned char *at, size_t left, uint32_t *code) {
  static const uint32_t min_code[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
  if (size == 0 || size > left || at[0] > 0xf4) {
    return 0;
  }
  *code = size == 1 ? at[0] : at[0] & (0x7fU >> size);
  for (size_t i = 1; i < size; i++) {
    if ((at[i] & 0xc0) != 0x80) {
      return 0;
    }
    *code = *code << 6 | (at[i] & 0x3f);
  }
  bool is_surrogate = *code >= 0xd800 && *code < 0xe000;
  return *code < min_code[size] || *code > 0x10ffff || is_surrogate ? 0 : size;
}

/* Controls, marks of direction, and line ends other than '\n'. */
static bool is_steering(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x61c || code == 0x200e ||
         code == 0x200f || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static void escape_byte(unsigned char byte, terminal_form form, char to[ESCAPE_SIZE]) {
  if (form == TERMINAL_JSON) {
    (void)snprintf(to, ESCAPE_SIZE, "?");
  } else {
    (void)snprintf(to, ESCAPE_SIZE, "\\x%02x", byte);
  }
}

static void escape_code(uint32_t code, terminal_form form, char to[ESCAPE_SIZE]) {
  static const char letters[] = {['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r'};
  if (form == TERMINAL_JSON) {
    (void)snprintf(to, ESCAPE_SIZE, code == 0 ? "?" : "\\u%04x", (unsigned)code);
  } else if (code < sizeof letters && letters[code] != '\0') {
    (void)snprintf(to, ESCAPE_SIZE, "\\%c", letters[code]);
  } else {
    (void)snprintf(to, ESCAPE_SIZE, code < 0x80 ? "\\x%02x" : "\\u{%x}", (unsigned)code);
  }
}

/* Blanks between the values of a JSON text are none of its strings'. */
static bool is_kept(uint32_t code, terminal_form form) {
  bool is_layout = code == '\n' || code == '\t' || (code == '\r' && form == TERMINAL_JSON);
  return !is_steering(code) || (is_layout && form != TERMINAL_LINE);
}

size_t terminal_escape(const char *text, size_t size, terminal_form form, char *out) {
  size_t total = 0;
  for (size_t at = 0; at < size;) {
    char escaped[ESCAPE_SIZE];
    const char *from = escaped;
    uint32_t code = 0;
    size_t length = decode((const unsigned char *)text + at, size - at, &code);
    size_t put = length;
    if (length > 0 && is_kept(code, form)) {
      from = text + at;
    } else {
      if (length > 0) {
        escape_code(code, form, escaped);
      } else {
        escape_byte((unsigned char)text[at], form, escaped);
      }
      put = strlen(escaped);
    }
    if (out != NULL) {
      memcpy(out + total, from, put);
    }
    total += put;
    at += length > 0 ? length : 1;
  }
  return total;
}
