/* Encodes what the body of a request is as a rule, a small object of texts, booleans and integers,
 * in one pass; palenca.json encodes everything else in Lua. */
#include "compat.h"
#include "core.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 2048
#define DEPTH_MAX 100
#define NAMES_MAX 64 /* of the objects that are being written, together */

/* Beyond, palenca.json has a text of its own for a number. */
#define NUMBER_MAX 1e14

typedef struct {
  const char *text;
  size_t size;
  int index; /* where the stack has it */
} member_name;

typedef struct {
  size_t size;
  char text[TEXT_MAX];
  int name_count;
  member_name names[NAMES_MAX]; /* of an object after those around it */
} encoder;

static bool encode_object(lua_State *L, encoder *e, int depth);

static bool put(encoder *e, const char *text, size_t size) {
  if (size > sizeof e->text - e->size) {
    return false;
  }
  memcpy(e->text + e->size, text, size);
  e->size += size;
  return true;
}

/* As lua-cjson writes it, a slash included. */
static bool put_escape(encoder *e, unsigned char c) {
  static const char from[] = "\b\f\n\r\t\"\\/", to[] = "bfnrt\"\\/";
  const char *found = c != '\0' ? strchr(from, c) : NULL;
  char escape[8] = {'\\', found != NULL ? to[found - from] : 'u'};
  if (found != NULL) {
    return put(e, escape, 2);
  }
  snprintf(escape + 2, sizeof escape - 2, "%04x", (unsigned)c);
  return put(e, escape, 6);
}

static bool put_string(encoder *e, const char *text, size_t size) {
  const char *end = text + size, *from = text;
  bool ok = put(e, "\"", 1);
  for (; ok && text < end; text++) {
    unsigned char c = (unsigned char)*text;
    if (c < ' ' || c == '"' || c == '\\' || c == '/' || c == 127) {
      ok = put(e, from, (size_t)(text - from)) && put_escape(e, c);
      from = text + 1;
    }
  }
  return ok && put(e, from, (size_t)(end - from)) && put(e, "\"", 1);
}

static bool put_number(encoder *e, lua_Number number) {
  char text[16], *const end = text + sizeof text, *at = end;
  if (!(number > -NUMBER_MAX && number < NUMBER_MAX) || (lua_Number)(int64_t)number != number ||
      (number == 0 && signbit(number))) {
    return false;
  }
  uint64_t left = (uint64_t)(number < 0 ? -number : number);
  do {
    *--at = (char)('0' + left % 10);
    left /= 10;
  } while (left > 0);
  if (number < 0) {
    *--at = '-';
  }
  return put(e, at, (size_t)(end - at));
}

/* The value is at the top. */
static bool encode_value(lua_State *L, encoder *e, int depth) {
  size_t size;
  const char *text;
  switch (lua_type(L, -1)) {
  case LUA_TSTRING:
    text = lua_tolstring(L, -1, &size);
    return put_string(e, text, size);
  case LUA_TBOOLEAN:
    return lua_toboolean(L, -1) ? put(e, "true", 4) : put(e, "false", 5);
  case LUA_TNUMBER:
    return put_number(e, lua_tonumber(L, -1));
  case LUA_TTABLE:
    return depth < DEPTH_MAX && encode_object(L, e, depth + 1);
  default:
    return false;
  }
}

/* By their bytes, since the order of a table differs from run to run. */
static int compare_names(const void *one, const void *other) {
  const member_name *a = one, *b = other;
  int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
  return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

/* Pushes the names of the table at the top, and adds them to those of the encoder. */
static bool collect_names(lua_State *L, encoder *e) {
  int table = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_pushvalue(L, -1)) {
    lua_pop(L, 1);
    if (e->name_count == NAMES_MAX || lua_type(L, -1) != LUA_TSTRING || !lua_checkstack(L, 4)) {
      return false;
    }
    member_name *name = &e->names[e->name_count++];
    name->text = lua_tolstring(L, -1, &name->size);
    name->index = lua_gettop(L);
  }
  return true;
}

/* The table is at the top. */
static bool encode_object(lua_State *L, encoder *e, int depth) {
  int table = lua_gettop(L), first = e->name_count;
  if (!lua_checkstack(L, 4) || lua_getmetatable(L, table) || !put(e, "{", 1) ||
      !collect_names(L, e)) {
    return false;
  }
  qsort(e->names + first, (size_t)(e->name_count - first), sizeof e->names[0], compare_names);
  for (int at = first, end = e->name_count; at < end; at++) {
    const member_name *name = &e->names[at];
    lua_pushvalue(L, name->index);
    lua_rawget(L, table);
    if (!(at == first || put(e, ",", 1)) || !put_string(e, name->text, name->size) ||
        !put(e, ":", 1) || !encode_value(L, e, depth)) {
      return false;
    }
    lua_pop(L, 1);
  }
  e->name_count = first;
  lua_settop(L, table);
  return put(e, "}", 1);
}

/* core.encode_json(table) → its JSON text | nil: it is not so simple */
static int encode_json(lua_State *L) {
  encoder e;
  e.size = 0;
  e.name_count = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  if (encode_object(L, &e, 1)) {
    lua_pushlstring(L, e.text, e.size);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

void core_open_json_encode(lua_State *L) {
  lua_pushcfunction(L, encode_json);
  lua_setfield(L, -2, "encode_json");
}
