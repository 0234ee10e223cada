/* The strict scan of a webhook's body: whether it is JSON, and where the fields of its data are. */
#include "protocol/error.h"
#include "protocol/json_text.h"

#include <string.h>

static const char not_json[] = "the body is not JSON";
static const char no_object[] = "the body is not a JSON object";
static const char too_deep[] = "the body is nested too deeply";
static const char half_pair[] = "the body has half a surrogate pair";
static const char too_long[] = "data.webhook_action or data.account_id is too long";
static const char has_zero[] = "data.webhook_action or data.account_id holds a zero character";
static const char no_action[] = "the body has no data.webhook_action";

typedef struct {
  const char *at, *end;
  palenca_webhook_text *fields;
  const char *failure; /* why the scan ended before the body did */
  const char *problem; /* what is wrong, but does not end it; NULL: nothing. What keeps the body
                          from being JSON comes before what is wrong with a name. */
  uint64_t objects;    /* a bit for each open level, the innermost is the lowest: it is an object */
  int depth;
  bool is_data;                /* the next value is that of the outermost "data" */
  bool is_in_data;             /* which is an object, and open */
  palenca_webhook_field field; /* which of its fields the next value is; FIELDS: another one */
} scanner;

typedef struct {
  palenca_webhook_text text;
  bool has_zero;
} string;

static bool fail(scanner *s, const char *why) {
  s->failure = why;
  return false;
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
    uint64_t special = find_special(bytes);
    if (special != 0)
      return at + __builtin_ctzll(special) / 8;
    at += sizeof bytes;
  }
  while (at < end && is_plain(*at))
    at++;
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
  if (lead < 0xc2 || lead > 0xf4 || end - text < size || at[1] < min || at[1] > max)
    return NULL;
  for (ptrdiff_t i = 2; i < size; i++)
    if ((at[i] & 0xc0) != 0x80)
      return NULL;
  return text + size;
}

/* Returns what follows the escape at a backslash; NULL if it is none. */
static const char *skip_escape(scanner *s, const char *at, string *out) {
  if (s->end - at < 2)
    return NULL;
  if (at[1] != 'u') {
    out->text.decoded_size -= 1;
    return memchr("\"\\/bfnrt", at[1], 8) != NULL ? at + 2 : NULL;
  }
  int unit = json_escaped_unit(at, s->end);
  if (unit < 0)
    return NULL;
  if (!json_is_surrogate(unit)) {
    out->text.decoded_size -= unit < 0x80 ? 5 : unit < 0x800 ? 4 : 3;
    out->has_zero = out->has_zero || unit == 0;
    return at + 6;
  }
  if (json_is_high_surrogate(unit) && json_is_low_surrogate(json_escaped_unit(at + 6, s->end))) {
    out->text.decoded_size -= 12 - 4;
    return at + 12;
  }
  s->problem = half_pair;
  return at + 6;
}

/* From the opening quote to what follows the closing one. */
static bool scan_string(scanner *s, string *out) {
  const char *at = s->at + 1;
  *out = (string){.text = {.text = at}};
  while (at != NULL && (at = skip_plain(at, s->end)) < s->end) {
    if (*at == '"') {
      out->text.size = (size_t)(at - out->text.text);
      out->text.decoded_size += out->text.size; /* from which the escapes have been taken */
      s->at = at + 1;
      return true;
    }
    if (*at == '\\')
      at = skip_escape(s, at, out);
    else
      at = (unsigned char)*at >= 0x80 ? skip_character(at, s->end) : NULL;
  }
  return false;
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
    if (escape != NULL)
      out = put_escape(out, &at, end);
  }
  *out = '\0';
}

static bool is_name(const palenca_webhook_text *text, const char *name, size_t size) {
  char decoded[32];
  if (text->decoded_size != size || size >= sizeof decoded)
    return false;
  if (text->size == size)
    return memcmp(text->text, name, size) == 0;
  palenca_webhook_decode(text, decoded);
  return memcmp(decoded, name, size) == 0;
}

/* ---- what is wanted of the body ------------------------------------------------------ */

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
  for (int i = 0; i < PALENCA_WEBHOOK_FIELDS; i++)
    fields[i].text = NULL;
}

static void on_key(scanner *s, const palenca_webhook_text *key) {
  s->is_data = s->depth == 1 && is_name(key, "data", 4);
  s->field = PALENCA_WEBHOOK_FIELDS;
  if (s->depth != 2 || !s->is_in_data)
    return;
  for (int i = 0; i < PALENCA_WEBHOOK_FIELDS; i++)
    if (key->decoded_size == names[i].size && is_name(key, names[i].text, names[i].size))
      s->field = (palenca_webhook_field)i;
}

/* A repeated key counts as its last value does, as it will for the script; a second "data" replaces
 * the first with all that was in it. Returns which field the value is. */
static palenca_webhook_field on_value(scanner *s) {
  palenca_webhook_field field = s->field;
  if (s->is_data)
    clear_fields(s->fields);
  else if (field != PALENCA_WEBHOOK_FIELDS)
    s->fields[field].text = NULL;
  s->is_data = false;
  s->field = PALENCA_WEBHOOK_FIELDS;
  return field;
}

static void on_string(scanner *s, const string *value) {
  palenca_webhook_field field = on_value(s);
  if (field == PALENCA_WEBHOOK_FIELDS || value->text.size == 0 || is_name(&value->text, "None", 4))
    return;
  s->fields[field] = value->text;
  if (field != PALENCA_WEBHOOK_ACTION && field != PALENCA_WEBHOOK_ACCOUNT_ID)
    return;
  if (s->problem == NULL && value->text.decoded_size > PALENCA_WEBHOOK_NAME_MAX)
    s->problem = too_long;
  else if (s->problem == NULL && value->has_zero)
    s->problem = has_zero;
}

static bool open_level(scanner *s, bool is_object) {
  bool is_data = s->is_data;
  on_value(s);
  if (s->depth == PALENCA_WEBHOOK_DEPTH_MAX)
    return fail(s, too_deep);
  s->depth++;
  s->objects = s->objects << 1 | is_object;
  s->is_in_data = s->is_in_data || (is_data && is_object);
  s->at++;
  return true;
}

static void close_level(scanner *s) {
  s->objects >>= 1;
  s->depth--;
  s->is_in_data = s->is_in_data && s->depth > 1;
}

/* ---- the grammar --------------------------------------------------------------------- */

/* The byte that follows blanks; 0 at the end, which no token begins with. */
static inline char next_byte(scanner *s) {
  const char *at = s->at;
  if (at < s->end && (unsigned char)*at > ' ')
    return *at;
  s->at = json_skip_space(s->at, s->end);
  return s->at < s->end ? *s->at : '\0';
}

static bool skip_some_digits(scanner *s) {
  const char *first = s->at;
  s->at = json_skip_digits(first, s->end);
  return s->at > first;
}

static bool scan_number(scanner *s) {
  s->at += s->at < s->end && *s->at == '-';
  if (s->at < s->end && *s->at == '0')
    s->at++;
  else if (!skip_some_digits(s))
    return false;
  if (s->at < s->end && *s->at == '.') {
    s->at++;
    if (!skip_some_digits(s))
      return false;
  }
  if (s->at < s->end && (*s->at | 0x20) == 'e') {
    s->at++;
    s->at += s->at < s->end && (*s->at == '+' || *s->at == '-');
    return skip_some_digits(s);
  }
  return true;
}

static bool scan_word(scanner *s, const char *word, size_t size) {
  if ((size_t)(s->end - s->at) < size || memcmp(s->at, word, size) != 0)
    return false;
  s->at += size;
  return true;
}

/* A value that holds no others. */
static bool scan_scalar(scanner *s) {
  string value;
  switch (next_byte(s)) {
  case '"':
    if (!scan_string(s, &value))
      return false;
    on_string(s, &value);
    return true;
  case 't':
    on_value(s);
    return scan_word(s, "true", 4);
  case 'f':
    on_value(s);
    return scan_word(s, "false", 5);
  case 'n':
    on_value(s);
    return scan_word(s, "null", 4);
  default:
    on_value(s);
    return scan_number(s);
  }
}

static bool scan_key(scanner *s) {
  string key;
  if (next_byte(s) != '"' || !scan_string(s, &key) || next_byte(s) != ':')
    return false;
  s->at++;
  on_key(s, &key.text);
  return true;
}

/* A value; of objects and lists only what leads to their first value, if they have one. */
static bool scan_value(scanner *s) {
  for (;;) {
    char first = next_byte(s);
    bool is_object = first == '{';
    if (!is_object && first != '[')
      return scan_scalar(s);
    if (!open_level(s, is_object))
      return false;
    if (next_byte(s) == (is_object ? '}' : ']'))
      return true;
    if (is_object && !scan_key(s))
      return false;
  }
}

/* What follows a value, up to the next one: the ends of objects and lists, then a comma. */
static bool scan_separators(scanner *s) {
  while (s->depth > 0) {
    bool is_object = s->objects & 1;
    char byte = next_byte(s);
    if (byte != ',' && byte != (is_object ? '}' : ']'))
      return false;
    s->at++;
    if (byte == ',')
      return !is_object || scan_key(s);
    close_level(s);
  }
  return true;
}

static bool scan(scanner *s) {
  char first = next_byte(s);
  if (first != '{')
    return first == '[' || scan_scalar(s) ? fail(s, no_object) : false;
  do {
    if (!scan_value(s) || !scan_separators(s))
      return false;
  } while (s->depth > 0);
  next_byte(s);
  return s->at == s->end;
}

bool palenca_webhook_scan(const char *body, size_t size,
                          palenca_webhook_text fields[PALENCA_WEBHOOK_FIELDS],
                          palenca_error *error) {
  scanner s = {
      .at = body,
      .end = size > 0 ? body + size : body,
      .fields = fields,
      .failure = not_json,
      .field = PALENCA_WEBHOOK_FIELDS,
  };
  clear_fields(fields);
  const char *reason = !scan(&s) ? s.failure : s.problem;
  if (reason == NULL && fields[PALENCA_WEBHOOK_ACTION].text == NULL)
    reason = no_action;
  if (reason == NULL)
    return true;
  clear_fields(fields);
  return palenca_error_set(error, PALENCA_INVALID, "%s", reason);
}
