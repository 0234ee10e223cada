/* Decodes the usual JSON texts in one pass: lua-cjson needs one before it and one after it, see
 * json_rewrite.c and json_walk.c, and lets each table grow. What is rare, or no JSON, is left to
 * those, so that every text means the same either way. */
#include "compat.h"
#include "core.h"

#include <float.h>
#include <string.h>

#define DEPTH_MAX 100 /* deeper ones are lua-cjson's */

/* A double holds every integer of so many digits, and every power of 10 by which it is divided for
 * its decimals: the quotient is the nearest double, as that of strtod is. */
#define DIGITS_MAX 15

/* What a first object has room for. */
#define FIELDS 4

/* The stack index at which core.decode_json has it. */
#define LIST_METATABLE 2

typedef struct {
  lua_State *L;
  const char *at, *end;
  int fields[DEPTH_MAX]; /* of the last object at a depth: the next one has as many, as a rule */
} decoder;

static bool decode_value(decoder *d, int depth);

static void skip_space(decoder *d) {
  while (d->at < d->end && (unsigned char)*d->at <= ' ' &&
         (*d->at == ' ' || *d->at == '\n' || *d->at == '\r' || *d->at == '\t')) {
    d->at++;
  }
}

static bool take(decoder *d, char c) {
  skip_space(d);
  if (d->at == d->end || *d->at != c) {
    return false;
  }
  d->at++;
  return true;
}

/* ---- strings ---------------------------------------------------------------------------- */

/* The UTF-16 unit of four hexadecimal digits; -1 if they are none. */
static int read_unit(const char *at) {
  int unit = 0;
  for (int i = 0; i < 4; i++) {
    int letter = at[i] | 0x20;
    if (at[i] >= '0' && at[i] <= '9') {
      unit = unit << 4 | (at[i] - '0');
    } else if (letter >= 'a' && letter <= 'f') {
      unit = unit << 4 | (letter - 'a' + 10);
    } else {
      return -1;
    }
  }
  return unit;
}

/* Skips the escape that begins here; NULL if it is none, or of a surrogate. */
static const char *skip_escape(const char *at, const char *end, palenca_webhook_text *text) {
  if (end - at < 2 || memchr("\"\\/bfnrtu", at[1], 9) == NULL) {
    return NULL;
  }
  if (at[1] != 'u') {
    text->decoded_size -= 1;
    return at + 2;
  }
  int unit = end - at < 6 ? -1 : read_unit(at + 2);
  if (unit < 0 || (unit & ~0x7ff) == 0xd800) {
    return NULL;
  }
  text->decoded_size -= unit < 0x80 ? 5 : unit < 0x800 ? 4 : 3;
  return at + 6;
}

static void push_string(lua_State *L, palenca_webhook_text *text) {
  if (text->decoded_size == 0) {
    lua_pushlstring(L, text->text, text->size);
    return;
  }
  text->decoded_size += text->size;
  char *decoded = lua_newuserdata(L, text->decoded_size + 1); /* freed if the string cannot be */
  palenca_webhook_decode(text, decoded);
  lua_pushlstring(L, decoded, text->decoded_size);
  lua_remove(L, -2);
}

/* Pushes the string at whose opening quote the decoder is. */
static bool decode_string(decoder *d) {
  const char *at = ++d->at;
  palenca_webhook_text text = {.text = at}; /* decoded_size: less what the escapes take more */
  while (at != NULL && at < d->end && *at != '"') {
    if (*at == '\\') {
      at = skip_escape(at, d->end, &text);
    } else {
      at = (unsigned char)*at >= ' ' ? at + 1 : NULL;
    }
  }
  if (at == NULL || at == d->end) {
    return false;
  }
  text.size = (size_t)(at - d->at);
  push_string(d->L, &text);
  d->at = at + 1;
  return true;
}

/* ---- numbers ------------------------------------------------------------------------------ */

static bool is_digit(const decoder *d) {
  return d->at < d->end && *d->at >= '0' && *d->at <= '9';
}

static const char *take_digits(decoder *d, uint64_t *value) {
  const char *first = d->at;
  for (; is_digit(d) && d->at - first <= DIGITS_MAX; d->at++) {
    *value = *value * 10 + (unsigned)(*d->at - '0');
  }
  return first;
}

static bool decode_number(decoder *d) {
  static const double powers[DIGITS_MAX + 1] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  bool is_negative = *d->at == '-';
  d->at += is_negative;
  uint64_t value = 0; /* that wraps if there are too many digits */
  const char *first = take_digits(d, &value);
  ptrdiff_t digits = d->at - first, decimals = 0;
  if (digits == 0 || (digits > 1 && *first == '0') || digits > DIGITS_MAX) {
    return false;
  }
  if (d->at < d->end && *d->at == '.') {
    d->at++;
    first = take_digits(d, &value);
    decimals = d->at - first;
    if (decimals == 0 || digits + decimals > DIGITS_MAX || FLT_EVAL_METHOD != 0) {
      return false;
    }
  }
  if (d->at < d->end && (*d->at | 0x20) == 'e') {
    return false;
  }
  double number = (double)value / powers[decimals];
  lua_pushnumber(d->L, is_negative ? -number : number);
  if (compat_push_integral(d->L, -1)) {
    lua_remove(d->L, -2);
  }
  return true;
}

/* ---- tables ------------------------------------------------------------------------------ */

/* Sets the field of which name and value are at the top; a null takes one out that is there. */
static int set_field(lua_State *L, int table) {
  if (lua_isnil(L, -1)) {
    lua_pushvalue(L, -2);
    lua_rawget(L, table);
    bool is_new = lua_isnil(L, -1);
    lua_pop(L, 1);
    if (is_new) {
      lua_pop(L, 2);
      return 0;
    }
  }
  lua_rawset(L, table);
  return 1;
}

static bool decode_object(decoder *d, int depth) {
  int fields = 0;
  d->at++;
  if (take(d, '}')) {
    lua_newtable(d->L);
    return true;
  }
  lua_createtable(d->L, 0, d->fields[depth] > 0 ? d->fields[depth] : FIELDS);
  int table = lua_gettop(d->L);
  do {
    skip_space(d);
    if (d->at == d->end || *d->at != '"' || !decode_string(d) || !take(d, ':') ||
        !decode_value(d, depth + 1)) {
      return false;
    }
    fields += set_field(d->L, table);
  } while (take(d, ','));
  d->fields[depth] = fields;
  return take(d, '}');
}

static void mark_as_list(lua_State *L) {
  lua_pushvalue(L, LIST_METATABLE);
  lua_setmetatable(L, -2);
}

/* One without items is marked as a list. */
static bool decode_list(decoder *d, int depth) {
  int count = 0, items = 0;
  d->at++;
  if (take(d, ']')) {
    lua_newtable(d->L);
    mark_as_list(d->L);
    return true;
  }
  lua_newtable(d->L);
  int table = lua_gettop(d->L);
  do {
    if (count == INT32_MAX || !decode_value(d, depth + 1)) {
      return false;
    }
    count++;
    if (lua_isnil(d->L, -1)) {
      lua_pop(d->L, 1);
    } else {
      items++;
      lua_rawseti(d->L, table, count);
    }
  } while (take(d, ','));
  if (items == 0) {
    mark_as_list(d->L);
  }
  return take(d, ']');
}

/* ---- texts --------------------------------------------------------------------------------- */

static bool take_word(decoder *d, const char *word, size_t size) {
  if ((size_t)(d->end - d->at) < size || memcmp(d->at, word, size) != 0) {
    return false;
  }
  d->at += size;
  return true;
}

static bool decode_table(decoder *d, int depth) {
  if (depth == DEPTH_MAX || !lua_checkstack(d->L, 6)) {
    return false;
  }
  return *d->at == '{' ? decode_object(d, depth) : decode_list(d, depth);
}

/* Pushes the next value; false: nothing is known of it. */
static bool decode_value(decoder *d, int depth) {
  skip_space(d);
  if (d->at == d->end) {
    return false;
  }
  switch (*d->at) {
  case '"':
    return decode_string(d);
  case '{':
  case '[':
    return decode_table(d, depth);
  case 't':
    lua_pushboolean(d->L, 1);
    return take_word(d, "true", 4);
  case 'f':
    lua_pushboolean(d->L, 0);
    return take_word(d, "false", 5);
  case 'n':
    lua_pushnil(d->L);
    return take_word(d, "null", 4);
  default:
    return decode_number(d);
  }
}

/* core.decode_json(text, metatable) → true, the value | false: it is lua-cjson's to decode, or to
 * say what is wrong. Null is nil, integral numbers are integers, if this Lua has them, and a list
 * without items has the metatable. */
static int decode_json(lua_State *L) {
  size_t size;
  decoder d = {.L = L};
  d.at = luaL_checklstring(L, 1, &size);
  d.end = d.at + size;
  luaL_checktype(L, LIST_METATABLE, LUA_TTABLE);
  lua_settop(L, 2);
  lua_pushboolean(L, 1);
  bool ok = decode_value(&d, 0);
  skip_space(&d);
  if (ok && d.at == d.end) {
    return 2;
  }
  lua_pushboolean(L, 0);
  return 1;
}

void core_open_json_decode(lua_State *L) {
  lua_pushcfunction(L, decode_json);
  lua_setfield(L, -2, "decode_json");
}
