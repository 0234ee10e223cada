/* Rewrites a JSON text, without decoding it, so that a decoder of doubles loses nothing. */
#include "json_text.h"
#include "palenca.h"

#include <string.h>

/* Up to here a double holds every integer. */
#define EXACT_MAX "9007199254740992"
#define EXACT_DIGITS (sizeof EXACT_MAX - 1)

/* A little above the largest double, which is 1.7976931348623157e308. */
#define INFINITE_DIGITS "17976931348623158"
#define INFINITE_EXPONENT 308
#define EXPONENT_MAX 1000000000

typedef struct {
  const char *end;
  const char *copied;  /* `out` has the text up to here */
  palenca_buffer *out; /* NULL: what there is to change is only looked for */
  unsigned changes;
  bool is_changed, no_memory;
} scan;

/* Puts `text` where the bytes between `from` and `to` are. */
static void replace(scan *s, const char *from, const char *to, const char *text, size_t size) {
  s->is_changed = true;
  if (s->out == NULL) {
    return;
  }
  s->no_memory = s->no_memory ||
                 !palenca_buffer_append(s->out, s->copied, (size_t)(from - s->copied)) ||
                 !palenca_buffer_append(s->out, text, size);
  s->copied = to;
}

/* ---- strings ---------------------------------------------------------------------- */

/* Returns what follows the escape at a backslash. */
static const char *scan_escape(scan *s, const char *at) {
  int unit = json_escaped_unit(at, s->end);
  if (!json_is_surrogate(unit)) {
    return s->end - at < 2 ? s->end : at + 2;
  }
  if (json_is_high_surrogate(unit) && json_is_low_surrogate(json_escaped_unit(at + 6, s->end))) {
    return at + 12;
  }
  if (s->changes & PALENCA_JSON_LONE_SURROGATES) {
    replace(s, at, at + 6, "\\ufffd", 6);
  }
  return at + 6;
}

/* Returns what follows the closing quote. That quote is not searched for again after each escape:
 * a long string of nothing else must not take the square of its length. */
static const char *scan_string(scan *s, const char *at) {
  const char *quote = NULL;
  while (at < s->end) {
    if (quote == NULL || quote < at) {
      quote = memchr(at, '"', (size_t)(s->end - at));
    }
    if (quote == NULL) {
      return s->end;
    }
    const char *escape = memchr(at, '\\', (size_t)(quote - at));
    if (escape == NULL) {
      return quote + 1;
    }
    at = scan_escape(s, escape);
  }
  return s->end;
}

/* ---- numbers ---------------------------------------------------------------------- */

typedef struct {
  const char *integer, *integer_end; /* digits before the point */
  const char *rest, *rest_end;       /* digits after it; NULL: there is no point */
  int64_t exponent;
  bool has_exponent;
} literal;

/* False for what no decoder takes for a number. */
static bool read_literal(const char *at, const char *end, literal *number) {
  at += *at == '-';
  *number = (literal){.integer = at, .integer_end = json_skip_digits(at, end)};
  at = number->integer_end;
  if (at == number->integer || (*number->integer == '0' && at > number->integer + 1)) {
    return false;
  }
  if (at < end && *at == '.') {
    number->rest = at + 1;
    at = number->rest_end = json_skip_digits(at + 1, end);
  }
  if (at < end && (*at | 0x20) == 'e') {
    bool negative = end - at > 1 && at[1] == '-';
    at += end - at > 1 && (at[1] == '-' || at[1] == '+') ? 2 : 1;
    if (at == end || !json_is_digit(*at)) {
      return false;
    }
    number->has_exponent = true;
    for (; at < end && json_is_digit(*at); at++) {
      if (number->exponent < EXPONENT_MAX) {
        number->exponent = number->exponent * 10 + (*at - '0');
      }
    }
    number->exponent = negative ? -number->exponent : number->exponent;
  }
  return at == end;
}

/* The digit at a place, counted from the first that is not 0; 0 after the last one. */
static char digit_at(const literal *number, const char *first, size_t place) {
  if (first < number->integer_end) {
    if (place < (size_t)(number->integer_end - first)) {
      return first[place];
    }
    place -= (size_t)(number->integer_end - first);
    first = number->rest;
  }
  return first != NULL && place < (size_t)(number->rest_end - first) ? first[place] : '0';
}

/* Whether a double would be infinite. */
static bool is_infinite(const literal *number) {
  const char *first = number->integer;
  int64_t exponent = number->integer_end - number->integer - 1 + number->exponent;
  if (*first == '0') {
    for (first = number->rest; first != NULL && first < number->rest_end && *first == '0';) {
      first++;
    }
    if (first == NULL || first == number->rest_end) {
      return false;
    }
    exponent = number->rest - first - 1 + number->exponent;
  }
  if (exponent != INFINITE_EXPONENT) {
    return exponent > INFINITE_EXPONENT;
  }
  for (size_t i = 0; i < sizeof INFINITE_DIGITS - 1; i++) {
    char digit = digit_at(number, first, i);
    if (digit != INFINITE_DIGITS[i]) {
      return digit > INFINITE_DIGITS[i];
    }
  }
  return true;
}

/* Whether a decoder of doubles makes another number of it. That a fraction is rounded is no matter,
 * nor that of a number with an exponent. */
static bool is_lost(const char *at, const char *end) {
  literal number;
  if (!read_literal(at, end, &number)) {
    return false;
  }
  if (number.rest != NULL || number.has_exponent) {
    return is_infinite(&number);
  }
  size_t digits = (size_t)(number.integer_end - number.integer);
  return digits > EXACT_DIGITS ||
         (digits == EXACT_DIGITS && memcmp(number.integer, EXACT_MAX, EXACT_DIGITS) > 0);
}

/* A name without quotes must not get any: what is no JSON stays none. (A zero byte ends a text for
 * lua-cjson.) */
static bool is_value_end(const char *at, const char *end) {
  at = json_skip_space(at, end);
  return at == end || *at == '\0' || *at == ',' || *at == ']' || *at == '}';
}

static bool is_number_byte(char c) {
  return json_is_digit(c) || c == '.' || c == '-' || c == '+' || (c | 0x20) == 'e';
}

static const char *scan_number(scan *s, const char *at) {
  const char *end = at;
  bool may_be_lost = false;
  for (; end < s->end && is_number_byte(*end); end++) {
    may_be_lost = may_be_lost || (*end | 0x20) == 'e';
  }
  may_be_lost = may_be_lost || (size_t)(end - at) >= EXACT_DIGITS;
  if (may_be_lost && is_lost(at, end) && is_value_end(end, s->end)) {
    replace(s, at, at, "\"", 1);
    replace(s, end, end, "\"", 1);
  }
  return end;
}

/* ---- texts ------------------------------------------------------------------------ */

/* Nothing distinguishes an empty list from an empty object once it is decoded; a list of nothing
 * but null has a number as its key. */
static const char *scan_list(scan *s, const char *at) {
  const char *inner = json_skip_space(at + 1, s->end);
  if ((s->changes & PALENCA_JSON_EMPTY_LISTS) && inner < s->end && *inner == ']') {
    replace(s, inner, inner, "null", 4);
  }
  return inner;
}

palenca_json_outcome palenca_json_rewrite(const char *text, size_t size, unsigned changes,
                                          palenca_buffer *out) {
  scan s = {.end = text + size, .copied = text, .out = out, .changes = changes};
  const char *at = text;
  while (at < s.end && !(s.is_changed && out == NULL)) {
    if (*at == '"') {
      at = scan_string(&s, at + 1);
    } else if (*at == '[') {
      at = scan_list(&s, at);
    } else if (json_is_digit(*at) || *at == '-') {
      at = scan_number(&s, at);
    } else {
      at++;
    }
  }
  if (!s.is_changed) {
    return PALENCA_JSON_SAME;
  }
  replace(&s, s.end, s.end, "", 0);
  return s.no_memory ? PALENCA_JSON_NO_MEMORY : PALENCA_JSON_REWRITTEN;
}
