/* Writes a Lua value as JSON that is the same bytes for the same value; in Lua, it would take as
 * long as computing an income from the rows that are written. See palenca.util.canonical_json. */
#include "compat.h"
#include "core.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITER_TYPE "palenca.canonical_json"
#define DEPTH_MAX 100
#define EXACT_MAX 9007199254740992.0 /* up to here a double holds every integer */
#define DECIMAL_MAX 1e15             /* as many digits as no two decimals of one double have */

/* Where core.canonical_json has them on its stack. NAMES keeps the names of the tables that are
 * being written, since a finalizer may change those. */
enum {
  VALUE = 1,
  IS_LIST,
  NUMBER_TEXT,
  WRITER,
  NAMES
};

typedef struct {
  const char *data;
  size_t size;
  int place; /* in NAMES */
} member_name;

typedef struct {
  palenca_buffer out;
  palenca_buffer names; /* member_name each: of the table that is written, after those around it */
  bool is_exact;        /* the value that is read from it is this one */
} json_writer;

static int writer_gc(lua_State *L) {
  json_writer *writer = luaL_checkudata(L, 1, WRITER_TYPE);
  palenca_buffer_free(&writer->out);
  palenca_buffer_free(&writer->names);
  return 0;
}

/* luaL_error would name the place in the Lua function that called. `what` is put into the text. */
static void fail(lua_State *L, const char *text, const char *what) {
  lua_pushfstring(L, text, what);
  (void)lua_error(L);
}

static void append(lua_State *L, palenca_buffer *to, const void *data, size_t size) {
  if (!palenca_buffer_append(to, data, size)) {
    fail(L, "not enough memory", "");
  }
}

static void write_character(lua_State *L, json_writer *writer, char character) {
  append(L, &writer->out, &character, 1);
}

/* ---- Strings ---- */

static bool is_plain(char character) {
  return (unsigned char)character >= 0x20 && character != '"' && character != '\\';
}

static void write_escape(lua_State *L, json_writer *writer, char character) {
  static const char escaped[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
  const char *known = character != '\0' ? strchr(escaped, character) : NULL;
  char text[8] = {'\\', known != NULL ? letters[known - escaped] : 'u'};
  if (known == NULL) {
    (void)snprintf(text + 2, sizeof text - 2, "%04x", (unsigned)(unsigned char)character);
  }
  append(L, &writer->out, text, strlen(text));
}

static void write_string(lua_State *L, json_writer *writer, const char *text, size_t size) {
  write_character(L, writer, '"');
  size_t written = 0;
  for (size_t at = 0; at < size; at++) {
    if (!is_plain(text[at])) {
      append(L, &writer->out, text + written, at - written);
      write_escape(L, writer, text[at]);
      written = at + 1;
    }
  }
  append(L, &writer->out, text + written, size - written);
  write_character(L, writer, '"');
}

/* ---- Numbers ---- */

/* Writes a number of at most `places` decimals, `scale` being ten to that; returns its size, or 0
 * if it has more. A quotient is the double that is next to it: if it is this one, so is the
 * decimal, and of so few digits no other decimal is. */
static int write_decimal(char text[32], double value, int places, double scale) {
  double product = fabs(value) * scale;
  if (!(product < DECIMAL_MAX)) {
    return 0;
  }
  int64_t units = (int64_t)llround(product);
  double quotient = (double)units / scale;
  if (quotient != fabs(value)) {
    return 0;
  }
  int size =
      snprintf(text, 32, "%s%lld.%0*lld", value < 0 ? "-" : "", (long long)(units / (int64_t)scale),
               places, (long long)(units % (int64_t)scale));
  while (text[size - 1] == '0') {
    size--;
  }
  return size;
}

/* The number at the top, if it has a simple text; else 0. */
static int write_simple(lua_State *L, char text[32]) {
#if LUA_VERSION_NUM >= 503
  if (lua_isinteger(L, -1)) {
    return snprintf(text, 32, "%lld", (long long)lua_tointeger(L, -1));
  }
#endif
  double value = lua_tonumber(L, -1);
  if (value == floor(value)) {
    return fabs(value) < EXACT_MAX ? snprintf(text, 32, "%lld", (long long)value) : 0;
  }
  int size = write_decimal(text, value, 2, 100);
  return size > 0 ? size : write_decimal(text, value, 4, 10000);
}

static void write_number(lua_State *L, json_writer *writer) {
  char text[32];
  int size = write_simple(L, text);
  writer->is_exact = writer->is_exact && fabs(lua_tonumber(L, -1)) <= EXACT_MAX;
  if (size > 0) {
    append(L, &writer->out, text, (size_t)size);
    return;
  }
  lua_pushvalue(L, NUMBER_TEXT);
  lua_pushvalue(L, -2);
  lua_call(L, 1, 1);
  size_t length;
  const char *found = lua_tolstring(L, -1, &length);
  append(L, &writer->out, found, length);
  lua_pop(L, 1);
}

/* ---- Tables ---- */

static void write_value(lua_State *L, json_writer *writer, int depth);

static int compare_names(const void *one, const void *other) {
  const member_name *a = one, *b = other;
  int order = memcmp(a->data, b->data, a->size < b->size ? a->size : b->size);
  return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

static void add_name(lua_State *L, json_writer *writer, int index) {
  member_name name = {.place = (int)(writer->names.size / sizeof name) + 1};
  name.data = lua_tolstring(L, index, &name.size);
  lua_pushvalue(L, index);
  lua_rawseti(L, NAMES, name.place);
  append(L, &writer->names, &name, sizeof name);
}

/* Adds the names of the table at the top; returns how many of its keys are numbers. */
static int collect_names(lua_State *L, json_writer *writer) {
  int table = lua_gettop(L), numbers = 0;
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_settop(L, table + 1)) {
    if (lua_type(L, table + 1) == LUA_TSTRING) {
      add_name(L, writer, table + 1);
    } else if (lua_type(L, table + 1) == LUA_TNUMBER) {
      numbers++;
    } else {
      fail(L, "JSON has no name for a key of type %s", luaL_typename(L, table + 1));
    }
  }
  return numbers;
}

static void write_list(lua_State *L, json_writer *writer, int count, int depth) {
  int table = lua_gettop(L);
  write_character(L, writer, '[');
  for (int at = 1; at <= count; at++) {
    if (at > 1) {
      write_character(L, writer, ',');
    }
    lua_rawgeti(L, table, at);
    if (lua_isnil(L, -1)) {
      fail(L, "JSON has no list with holes", "");
    }
    write_value(L, writer, depth);
    lua_settop(L, table);
  }
  write_character(L, writer, ']');
}

static void write_object(lua_State *L, json_writer *writer, size_t first, size_t count, int depth) {
  int table = lua_gettop(L);
  if (count > 1) {
    qsort((member_name *)(void *)writer->names.data + first, count, sizeof(member_name),
          compare_names);
  }
  write_character(L, writer, '{');
  for (size_t i = 0; i < count; i++) {
    member_name name = ((member_name *)(void *)writer->names.data)[first + i];
    if (i > 0) {
      write_character(L, writer, ',');
    }
    write_string(L, writer, name.data, name.size);
    write_character(L, writer, ':');
    lua_rawgeti(L, NAMES, name.place);
    lua_rawget(L, table);
    write_value(L, writer, depth);
    lua_settop(L, table);
  }
  write_character(L, writer, '}');
}

/* Whether the table at the top is marked as a list. Another metatable may have fields for it. */
static bool is_list(lua_State *L, json_writer *writer) {
  if (!lua_getmetatable(L, -1)) {
    return false;
  }
  lua_pushvalue(L, IS_LIST);
  lua_pushvalue(L, -3);
  lua_call(L, 1, 1);
  bool found = lua_toboolean(L, -1);
  lua_pop(L, 2);
  writer->is_exact = writer->is_exact && found;
  return found;
}

static void write_table(lua_State *L, json_writer *writer, int depth) {
  if (depth > DEPTH_MAX) {
    fail(L, "JSON is nested too deeply, or holds itself", "");
  }
  luaL_checkstack(L, 6, "nested too deeply");
  size_t size = writer->names.size;
  int numbers = collect_names(L, writer);
  size_t names = (writer->names.size - size) / sizeof(member_name);
  bool is_marked = is_list(L, writer);
  if (names > 0 && numbers > 0) {
    fail(L, "JSON has no table with both names and numbers for keys", "");
  } else if (numbers > 0 || (names == 0 && is_marked)) {
    write_list(L, writer, numbers, depth + 1);
  } else {
    write_object(L, writer, size / sizeof(member_name), names, depth + 1);
  }
  writer->names.size = size;
}

/* ---- Values ---- */

/* The value is at the top. */
static void write_value(lua_State *L, json_writer *writer, int depth) {
  size_t size;
  const char *text;
  switch (lua_type(L, -1)) {
  case LUA_TTABLE:
    write_table(L, writer, depth);
    return;
  case LUA_TSTRING:
    text = lua_tolstring(L, -1, &size);
    write_string(L, writer, text, size);
    return;
  case LUA_TNUMBER:
    write_number(L, writer);
    return;
  case LUA_TBOOLEAN:
    text = lua_toboolean(L, -1) ? "true" : "false";
    break;
  default:
    writer->is_exact = writer->is_exact && lua_isnil(L, -1);
    if (!lua_isnil(L, -1) && !(lua_islightuserdata(L, -1) && lua_touserdata(L, -1) == NULL)) {
      fail(L, "JSON has no value for a %s", luaL_typename(L, -1));
    }
    text = "null";
  }
  append(L, &writer->out, text, strlen(text));
}

/* core.canonical_json(value, is_list, number_text) → text, whether palenca.json.decode returns the
 * same value for it. is_list(table): whether it is marked as a list; number_text(number): the text
 * of a number that has no simple one. */
static int canonical_json(lua_State *L) {
  luaL_checktype(L, IS_LIST, LUA_TFUNCTION);
  luaL_checktype(L, NUMBER_TEXT, LUA_TFUNCTION);
  lua_settop(L, NUMBER_TEXT);
  json_writer *writer = lua_newuserdata(L, sizeof *writer);
  *writer = (json_writer){.is_exact = true};
  compat_set_metatable(L, WRITER_TYPE);
  lua_newtable(L);
  lua_pushvalue(L, VALUE);
  write_value(L, writer, 1);
  lua_pushlstring(L, writer->out.data, writer->out.size);
  palenca_buffer_free(&writer->out);
  palenca_buffer_free(&writer->names);
  lua_pushboolean(L, writer->is_exact);
  return 2;
}

void core_open_canonical_json(lua_State *L) {
  if (luaL_newmetatable(L, WRITER_TYPE)) {
    lua_pushcfunction(L, writer_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, canonical_json);
  lua_setfield(L, -2, "canonical_json");
}
