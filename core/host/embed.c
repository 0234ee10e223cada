/* For the build: writes the C tables of the Lua modules, compiled, and of the pages' files:
 *   embed OUT FILE...
 * What ends in .lua is a module. A file is named relative to where modules are found, which is the
 * working directory; one from elsewhere by its absolute path, and is a module of its own. */
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *text, const char *end) {
  size_t length = strlen(text), end_length = strlen(end);
  return length > end_length && strcmp(text + length - end_length, end) == 0;
}

static bool is_module(const char *path) {
  return ends_with(path, ".lua");
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

/* As errors name it. */
static const char *relative_name(const char *path) {
  return path[0] == '/' ? base_name(path) : path;
}

/* Pushes the name by which a module is required. */
static const char *push_required_name(lua_State *L, const char *path) {
  const char *name = relative_name(path);
  const char *end = ends_with(name, "/init.lua") ? "/init.lua" : ".lua";
  lua_pushlstring(L, name, strlen(name) - strlen(end));
  return luaL_gsub(L, lua_tostring(L, -1), "/", ".");
}

/* A lua_Writer: the bytes as a string literal. A question mark could begin a trigraph. */
static int write_bytes(lua_State *L, const void *bytes, size_t size, void *out) {
  (void)L;
  fputc('"', out);
  for (size_t i = 0; i < size; i++) {
    int c = ((const unsigned char *)bytes)[i];
    bool is_plain = c >= ' ' && c < 127 && strchr("\"\\?", c) == NULL;
    fprintf(out, is_plain ? "%c" : "\\%03o", (unsigned)c);
  }
  fputs("\"\n", out);
  return 0;
}

static void push_file(lua_State *L, const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    luaL_error(L, "cannot open %s", path);
  }
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  size_t size;
  do {
    size = fread(luaL_prepbuffer(&text), 1, LUAL_BUFFERSIZE, file);
    luaL_addsize(&text, size);
  } while (size > 0);
  bool is_complete = ferror(file) == 0;
  fclose(file);
  luaL_pushresult(&text);
  if (!is_complete) {
    luaL_error(L, "cannot read %s", path);
  }
}

/* Line numbers stay in what is compiled: errors name them. */
static void write_file(lua_State *L, FILE *out, const char *path) {
  push_file(L, path);
  size_t size;
  const char *text = lua_tolstring(L, -1, &size);
  if (is_module(path)) {
    const char *chunk = lua_pushfstring(L, "@%s", relative_name(path));
    if (luaL_loadbufferx(L, text, size, chunk, "t") != LUA_OK) {
      lua_error(L);
    }
    lua_dump(L, write_bytes, out, 0);
  } else {
    write_bytes(L, text, size, out);
  }
}

/* The sandbox's files have names of their own; another page's are those of its folder. */
static const char *asset_name(const char *path) {
  static const char folder[] = "/admin_page/";
  const char *found = strstr(path, folder);
  return found != NULL ? found + 1 : base_name(path);
}

static void write_entry(lua_State *L, FILE *out, const char *path, int at) {
  const char *name = is_module(path) ? push_required_name(L, path) : asset_name(path);
  fprintf(out, "  {\"%s\", file_%d, sizeof file_%d - 1},\n", name, at, at);
}

/* (OUT, a FILE*; the paths, up to a NULL) */
static int write_all(lua_State *L) {
  FILE *out = lua_touserdata(L, 1);
  char **paths = lua_touserdata(L, 2);
  fputs("/* Generated from the files under lua/. */\n#include \"worker/embedded.h\"\n\n", out);
  for (int i = 0; paths[i] != NULL; i++) {
    fprintf(out, "static const char file_%d[] =\n", i);
    write_file(L, out, paths[i]);
    fputs(";\n", out);
    lua_settop(L, 2);
  }
  for (int modules = 1; modules >= 0; modules--) {
    const char *kind = modules ? "module" : "asset";
    fprintf(out, "\nconst embedded_file embedded_%ss[] = {\n", kind);
    for (int i = 0; paths[i] != NULL; i++) {
      if (is_module(paths[i]) == (modules == 1)) {
        write_entry(L, out, paths[i], i);
      }
      lua_settop(L, 2);
    }
    fprintf(out,
            "};\nconst size_t embedded_%s_count = sizeof embedded_%ss / sizeof(embedded_file);\n",
            kind, kind);
  }
  return 0;
}

int main(int argc, char **argv) {
  FILE *out = argc > 1 ? fopen(argv[1], "w") : NULL;
  lua_State *L = luaL_newstate();
  if (out == NULL || L == NULL) {
    fputs("usage: embed OUT FILE...\n", stderr);
    return EXIT_FAILURE;
  }
  lua_pushcfunction(L, write_all);
  lua_pushlightuserdata(L, out);
  lua_pushlightuserdata(L, argv + 2);
  bool is_written = lua_pcall(L, 2, 0, 0) == LUA_OK;
  if (!is_written) {
    fprintf(stderr, "embed: %s\n", lua_tostring(L, -1));
  }
  lua_close(L);
  if (ferror(out) != 0 || fclose(out) != 0 || !is_written) {
    remove(argv[1]); /* or the next build would take it */
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
