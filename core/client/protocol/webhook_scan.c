/* The strict scan of a webhook's body: whether it is JSON, and where the fields of its data are. */
#include "error.h"
#include "json_text.h"

#include <string.h>

static const char not_json[] = "the body is not JSON";
static const char no_object[] = "the body is not a JSON object";
static const char too_deep[] = "the body is nested too deeply";
static const char half_pair[] = "the body has half a surrogate pair";
static const char too_long[] = "data.webhook_action or data.account_id is too long";
static const char has_zero[] = "data.webhook_action or data.account_id holds a zero character";
static const char no_action[] = "the body has no data.webhook_action";

/* Which value the next one is: a field of the outermost "data", or one of these. */
#define EXPECT_DATA PALENCA_WEBHOOK_FIELDS
#define EXPECT_NOTHING (PALENCA_WEBHOOK_FIELDS + 1)

typedef struct {
  const char *end;
  palenca_webhook_text *fields;
  const char *failure; /* why the scan ended before the body did */
  const char *problem; /* what is wrong, but does not end it; NULL: nothing. What keeps the body
                          from being JSON comes before what is wrong with a name. */
  palenca_webhook_text string; /* the last one */
  bool string_has_zero;
  bool is_in_data; /* the outermost "data" is an object, and open */
  int expected;    /* of the next value */
  int depth;
  uint64_t objects; /* a bit for each open level, the innermost is the lowest: it is an object */
} scanner;

/* What follows is from where a function has to go on, or NULL if it cannot. */

static const char *fail(scanner *s, const char *why) {
  s->failure = why;
  return NULL;
}

/* ---- strings ---------------------------------------------------------------------- */

/* Not 0 if one of the eight bytes ends a run of plain characters: a quote, a backslash, a control
 * character, or one beyond ASCII. Of such bytes the top bit is set, and perhaps of those after. */
static uint64_t find_special(uint64_t bytes) {
  const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
  uint64_t quotes = (bytes ^ ones * '"') - ones, backslashes = (bytes ^ ones * '\\') - ones;
  return (quotes | backslashes | (bytes - ones * ' ') | bytes) & tops;
}

static bool is_plain(char c) {
  return (unsigned char)c >= ' ' && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

static const char *skip_plain(const char *at, const char *end) {
  uint64_t bytes;
  while (end - at >= (ptrdiff_t)sizeof bytes) {
    memcpy(&bytes, at, sizeof bytes);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    uint64_t special = find_special(bytes);
    if (special != 0) {
      return at + __builtin_ctzll(special) / 8;
    }
    at += sizeof bytes;
  }
  while (at < end && is_plain(*at)) {
    at++;
  }
  return at;
}

/* Returns what follows the character beyond ASCII that begins here; NULL if none does. None is
 * written in more bytes than it takes, nor is half of a surrogate pair one: two texts that look the
 * same must not differ, and what is stored must be read by whatever shows it. */
static const char *skip_character(const char *text, const char *end) {
  const unsigned char *at = (const unsigned char *)text;
  unsigned char lead = at[0];
  ptrdiff_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  unsigned char min = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned char max = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (lead < 0xc2 || lead > 0xf4 || end - text < size || at[1] < min || at[1] > max) {
    return NULL;
  }
  for (ptrdiff_t i = 2; i < size; i++) {
    if ((at[i] & 0xc0) != 0x80) {
      return NULL;
    }
  }
  return text + size;
}

static const char *skip_escape(scanner *s, const char *at) {
  if (s->end - at < 2) {
    return NULL;
  }
  if (at[1] != 'u') {
    s->string.decoded_size -= 1;
    return memchr("\"\\/bfnrt", at[1], 8) != NULL ? at + 2 : NULL;
  }
  int unit = json_escaped_unit(at, s->end);
  if (unit < 0) {
    return NULL;
  }
  if (!json_is_surrogate(unit)) {
    s->string.decoded_size -= unit < 0x80 ? 5 : unit < 0x800 ? 4 : 3;
    s->string_has_zero = s->string_has_zero || unit == 0;
    return at + 6;
  }
  if (json_is_high_surrogate(unit) && json_is_low_surrogate(json_escaped_unit(at + 6, s->end))) {
    s->string.decoded_size -= 12 - 4;
    return at + 12;
  }
  s->problem = half_pair;
  return at + 6;
}

/* From the opening quote on. */
static const char *scan_string(scanner *s, const char *at) {
  const char *first = ++at;
  s->string.decoded_size = 0; /* less what the escapes take more */
  s->string_has_zero = false;
  while (at != NULL && (at = skip_plain(at, s->end)) < s->end) {
    if (*at == '"') {
      s->string.text = first;
      s->string.size = (size_t)(at - first);
      s->string.decoded_size += s->string.size;
      return at + 1;
    }
    if (*at == '\\') {
      at = skip_escape(s, at);
    } else {
      at = (unsigned char)*at >= 0x80 ? skip_character(at, s->end) : NULL;
    }
  }
  return NULL;
}

static char *put_character(char *out, unsigned code) {
  if (code < 0x80) {
    *out++ = (char)code;
    return out;
  }
  if (code < 0x800) {
    *out++ = (char)(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      *out++ = (char)(0xe0 | code >> 12);
    } else {
      *out++ = (char)(0xf0 | code >> 18);
      *out++ = (char)(0x80 | (code >> 12 & 0x3f));
    }
    *out++ = (char)(0x80 | (code >> 6 & 0x3f));
  }
  *out++ = (char)(0x80 | (code & 0x3f));
  return out;
}

static char *put_escape(char *out, const char **at, const char *end) {
  static const char letters[] = "bfnrt", controls[] = "\b\f\n\r\t";
  int unit = json_escaped_unit(*at, end);
  if (unit < 0) {
    const char *letter = strchr(letters, (*at)[1]);
    *out = letter != NULL ? controls[letter - letters] : (*at)[1];
    *at += 2;
    return out + 1;
  }
  *at += 6;
  unsigned code = (unsigned)unit;
  if (json_is_high_surrogate(unit)) {
    code = 0x10000 + ((code & 0x3ff) << 10 | ((unsigned)json_escaped_unit(*at, end) & 0x3ff));
    *at += 6;
  }
  return put_character(out, code);
}

void palenca_webhook_decode(const palenca_webhook_text *text, char *out) {
  const char *at = text->text, *end = at != NULL ? at + text->size : NULL;
  while (at < end) {
    const char *escape = memchr(at, '\\', (size_t)(end - at));
    size_t size = (size_t)((escape != NULL ? escape : end) - at);
    memcpy(out, at, size);
    out += size;
    at += size;
    if (escape != NULL) {
      out = put_escape(out, &at, end);
    }
  }
  *out = '\0';
}

static bool is_name(const palenca_webhook_text *text, const char *name, size_t size) {
  char decoded[32];
  if (text->decoded_size != size || size >= sizeof decoded) {
    return false;
  }
  if (text->size == size) {
    return memcmp(text->text, name, size) == 0;
  }
  palenca_webhook_decode(text, decoded);
  return memcmp(decoded, name, size) == 0;
}

/* ---- the expected fields of the body ------------------------------------------------------ */

#define NAME(text)                                                                                 \
  { text, sizeof text - 1 }

static const struct {
  const char *text;
  size_t size;
} names[PALENCA_WEBHOOK_FIELDS] = {
    [PALENCA_WEBHOOK_ACTION] = NAME("webhook_action"),
    [PALENCA_WEBHOOK_ACCOUNT_ID] = NAME("account_id"),
    [PALENCA_WEBHOOK_USER_ID] = NAME("user_id"),
    [PALENCA_WEBHOOK_EXTERNAL_ID] = NAME("external_id"),
    [PALENCA_WEBHOOK_PLATFORM] = NAME("platform"),
    [PALENCA_WEBHOOK_STATUS_DETAILS] = NAME("status_details"),
    [PALENCA_WEBHOOK_WEBHOOK_ID] = NAME("webhook_id"),
};

static void clear_fields(palenca_webhook_text *fields) {
  for (int i = 0; i < PALENCA_WEBHOOK_FIELDS; i++) {
    fields[i].text = NULL;
  }
}

static void on_key(scanner *s) {
  s->expected = EXPECT_NOTHING;
  if (s->depth == 1 && is_name(&s->string, "data", 4)) {
    s->expected = EXPECT_DATA;
  }
  if (s->depth != 2 || !s->is_in_data) {
    return;
  }
  for (int i = 0; i < PALENCA_WEBHOOK_FIELDS; i++) {
    if (s->string.decoded_size == names[i].size &&
        is_name(&s->string, names[i].text, names[i].size)) {
      s->expected = i;
    }
  }
}

/* Of a repeated key the last value counts, as it will for the script; a second "data" replaces
 * the first and all its members. Returns the field that was expected. */
static int on_value(scanner *s) {
  int expected = s->expected;
  if (expected == EXPECT_NOTHING) {
    return expected;
  }
  if (expected == EXPECT_DATA) {
    clear_fields(s->fields);
  } else {
    s->fields[expected].text = NULL;
  }
  s->expected = EXPECT_NOTHING;
  return expected;
}

static void on_string(scanner *s) {
  int expected = on_value(s);
  if (expected >= PALENCA_WEBHOOK_FIELDS || s->string.size == 0 || is_name(&s->string, "None", 4)) {
    return;
  }
  s->fields[expected] = s->string;
  bool is_bounded = expected == PALENCA_WEBHOOK_ACTION || expected == PALENCA_WEBHOOK_ACCOUNT_ID;
  if (!is_bounded || s->problem != NULL) {
    return;
  }
  if (s->string.decoded_size > PALENCA_WEBHOOK_NAME_MAX) {
    s->problem = too_long;
  } else if (s->string_has_zero) {
    s->problem = has_zero;
  }
}

static bool open_level(scanner *s, bool is_object) {
  bool is_data = on_value(s) == EXPECT_DATA;
  if (s->depth == PALENCA_WEBHOOK_DEPTH_MAX) {
    return false;
  }
  s->depth++;
  s->objects = s->objects << 1 | is_object;
  s->is_in_data = s->is_in_data || (is_data && is_object);
  return true;
}

static void close_level(scanner *s) {
  s->objects >>= 1;
  s->depth--;
  s->is_in_data = s->is_in_data && s->depth > 1;
}

/* ---- the grammar --------------------------------------------------------------------- */

/* The byte there; 0 at the end, which no token begins with. */
static char byte_at(const char *at, const char *end) {
  return at < end ? *at : '\0';
}

static const char *skip_some_digits(const char *at, const char *end) {
  const char *after = json_skip_digits(at, end);
  return after > at ? after : NULL;
}

static const char *scan_number(const char *at, const char *end) {
  at += byte_at(at, end) == '-';
  at = byte_at(at, end) == '0' ? at + 1 : skip_some_digits(at, end);
  if (at != NULL && byte_at(at, end) == '.') {
    at = skip_some_digits(at + 1, end);
  }
  if (at != NULL && (byte_at(at, end) | 0x20) == 'e') {
    at++;
    at += byte_at(at, end) == '+' || byte_at(at, end) == '-';
    at = skip_some_digits(at, end);
  }
  return at;
}

static const char *scan_word(const char *at, const char *end, const char *word, size_t size) {
  return (size_t)(end - at) >= size && memcmp(at, word, size) == 0 ? at + size : NULL;
}

/* A value that holds no others. */
static const char *scan_scalar(scanner *s, const char *at) {
  char first = byte_at(at, s->end);
  if (first == '"') {
    at = scan_string(s, at);
    if (at != NULL) {
      on_string(s);
    }
    return at;
  }
  on_value(s);
  switch (first) {
  case 't':
    return scan_word(at, s->end, "true", 4);
  case 'f':
    return scan_word(at, s->end, "false", 5);
  case 'n':
    return scan_word(at, s->end, "null", 4);
  default:
    return scan_number(at, s->end);
  }
}

static const char *scan_key(scanner *s, const char *at) {
  at = json_skip_space(at, s->end);
  if (byte_at(at, s->end) != '"' || (at = scan_string(s, at)) == NULL) {
    return NULL;
  }
  at = json_skip_space(at, s->end);
  if (byte_at(at, s->end) != ':') {
    return NULL;
  }
  on_key(s);
  return at + 1;
}

/* A value; of objects and lists only what leads to their first value, if they have one. */
static const char *scan_value(scanner *s, const char *at) {
  while (at != NULL) {
    at = json_skip_space(at, s->end);
    char first = byte_at(at, s->end);
    bool is_object = first == '{';
    if (!is_object && first != '[') {
      return scan_scalar(s, at);
    }
    if (!open_level(s, is_object)) {
      return fail(s, too_deep);
    }
    at = json_skip_space(at + 1, s->end);
    if (byte_at(at, s->end) == (is_object ? '}' : ']')) {
      return at;
    }
    if (is_object) {
      at = scan_key(s, at);
    }
  }
  return NULL;
}

/* What follows a value, up to the next one: the ends of objects and lists, then a comma. */
static const char *scan_separators(scanner *s, const char *at) {
  while (s->depth > 0) {
    bool is_object = s->objects & 1;
    at = json_skip_space(at, s->end);
    char byte = byte_at(at, s->end);
    if (byte == ',') {
      return is_object ? scan_key(s, at + 1) : at + 1;
    }
    if (byte != (is_object ? '}' : ']')) {
      return NULL;
    }
    close_level(s);
    at++;
  }
  return at;
}

/* Whether all of it is an object in JSON. */
static bool scan(scanner *s, const char *at) {
  at = json_skip_space(at, s->end);
  char first = byte_at(at, s->end);
  if (first == '[' || (first != '{' && scan_scalar(s, at) != NULL)) {
    return fail(s, no_object) != NULL;
  }
  if (first != '{') {
    return false;
  }
  do {
    at = scan_value(s, at);
    if (at != NULL) {
      at = scan_separators(s, at);
    }
  } while (at != NULL && s->depth > 0);
  return at != NULL && json_skip_space(at, s->end) == s->end;
}

bool palenca_webhook_scan(const char *body, size_t size,
                          palenca_webhook_text fields[PALENCA_WEBHOOK_FIELDS],
                          palenca_error *error) {
  scanner s = {
      .end = size > 0 ? body + size : body,
      .fields = fields,
      .failure = not_json,
      .expected = EXPECT_NOTHING,
  };
  clear_fields(fields);
  const char *reason = scan(&s, body) ? s.problem : s.failure;
  if (reason == NULL && fields[PALENCA_WEBHOOK_ACTION].text == NULL) {
    reason = no_action;
  }
  if (reason == NULL) {
    return true;
  }
  clear_fields(fields);
  return palenca_error_set(error, PALENCA_INVALID, "%s", reason);
}
