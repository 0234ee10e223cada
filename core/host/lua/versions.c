/* host.versions: lists the libraries the program uses, with their versions. */
#include "module.h"

#include "palenca.h"

#include <lauxlib.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <string.h>
#include <uv.h>
#include <zlib.h>

/* ---- one function a library: pushes the version of the one that runs, a string ---- */

static void push_lua(lua_State *L) {
  lua_pushliteral(L, LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE);
}

/* With that of its TLS library, which need not be the program's. */
static void push_curl(lua_State *L) {
  palenca_error error = {0};
  char version[128];
  bool is_loaded = palenca_curl_version(version, sizeof version, &error);
  lua_pushstring(L, is_loaded ? version : error.message);
}

/* Of "OpenSSL 3.0.17 1 Jul 2025". */
static void push_openssl(lua_State *L) {
  const char *text = OpenSSL_version(OPENSSL_VERSION);
  text += strcspn(text, "0123456789");
  lua_pushlstring(L, text, strcspn(text, " "));
}

static void push_sqlite(lua_State *L) {
  lua_pushstring(L, sqlite3_libversion());
}

static void push_libuv(lua_State *L) {
  lua_pushstring(L, uv_version_string());
}

static void push_zlib(lua_State *L) {
  lua_pushstring(L, zlibVersion());
}

static void push_field(lua_State *L, const char *module, const char *field) {
  lua_getglobal(L, "require");
  lua_pushstring(L, module);
  lua_call(L, 1, 1);
  lua_getfield(L, -1, field);
  lua_remove(L, -2);
}

static void push_cjson(lua_State *L) {
  push_field(L, "cjson", "_VERSION");
}

static void push_argparse(lua_State *L) {
  push_field(L, "argparse", "version");
}

static const struct {
  const char *name;
  void (*push_version)(lua_State *L);
} libraries[] = {
    {"Lua", push_lua},         {"libcurl", push_curl},          {"OpenSSL", push_openssl},
    {"SQLite", push_sqlite},   {"libuv", push_libuv},           {"zlib", push_zlib},
    {"lua-cjson", push_cjson}, {"lua-argparse", push_argparse},
};

/* host.versions() → a list of {name =, version =}; loads libcurl */
static int list_versions(lua_State *L) {
  size_t count = sizeof libraries / sizeof libraries[0];
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, libraries[i].name);
    lua_setfield(L, -2, "name");
    libraries[i].push_version(L);
    lua_setfield(L, -2, "version");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

void lua_open_versions(lua_State *L) {
  lua_pushcfunction(L, list_versions);
  lua_setfield(L, -2, "versions");
}
