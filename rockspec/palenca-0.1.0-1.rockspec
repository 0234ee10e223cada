-- What LuaRocks builds and installs: the module for Lua 5.1 to 5.5 and LuaJIT. The program is built
-- with CMake.
rockspec_format = "3.0"
package = "palenca"
version = "0.1.0-1"
local repository = "https://example.org/palenca" -- as CMakeLists.txt has it
-- Where it is fetched from; `luarocks make` builds what is here.
source = {
  url = "git+" .. repository .. ".git",
  tag = "v0.1.0",
}
description = {
  summary = "Client for the Palenca API: verified income of gig workers",
  detailed = [[
    Reads profile, earnings and employment of workers who have connected their accounts, computes an
    income from them, and understands the API's webhooks. HTTP, retries, rate limit and paging are
    done by a core in C over libcurl.
  ]],
  license = "MIT",
  homepage = repository,
  issues_url = repository .. "/issues",
  maintainer = "The authors of palenca",
  labels = { "api", "client", "http", "income", "nginx", "openresty", "webhook" },
}
supported_platforms = { "unix" }
dependencies = { "lua >= 5.1, < 5.6", "lua-cjson >= 2.1" }
-- The libraries only: their headers are found by the compiler, and not where LuaRocks looks for them
-- on Debian.
external_dependencies = {
  CURL = { library = "curl" },
  CRYPTO = { library = "crypto" },
  ZLIB = { library = "z" },
}
build = {
  type = "make",
  makefile = "rockspec/Makefile",
  build_variables = {
    CFLAGS = "$(CFLAGS)",
    LIBFLAG = "$(LIBFLAG)",
    LIB_EXTENSION = "$(LIB_EXTENSION)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    CURL_INCDIR = "$(CURL_INCDIR)",
    CURL_LIBDIR = "$(CURL_LIBDIR)",
    CRYPTO_INCDIR = "$(CRYPTO_INCDIR)",
    CRYPTO_LIBDIR = "$(CRYPTO_LIBDIR)",
    ZLIB_INCDIR = "$(ZLIB_INCDIR)",
    ZLIB_LIBDIR = "$(ZLIB_LIBDIR)",
  },
  install_variables = {
    LIB_EXTENSION = "$(LIB_EXTENSION)",
    LIBDIR = "$(LIBDIR)",
    LUADIR = "$(LUADIR)",
  },
}
test = { type = "command", script = "rockspec/test.lua" }
