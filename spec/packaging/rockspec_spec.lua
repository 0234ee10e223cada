--- Builds and installs the rock as its user would, for several Luas, and uses what was installed.
local process = require("spec.support.process")
local uv = require("luv")

local RELEASE, SCM = "rockspec/palenca-0.1.0-1.rockspec", "rockspec/palenca-scm-1.rockspec"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

local function rockspec(path)
  local values = {}
  assert(load(read(path), path, "t", values))()
  return values
end

local function shell(command, options)
  local status, out, err = process.run("/bin/sh", { "-c", command }, options)
  return status, out .. err
end

local BUILD = process.program():match("^(.*)/bin/")

-- The names that a library shows to the program that loads it.
local function exported(library)
  local _, names = shell("nm -D --defined-only --format=just-symbols " .. library)
  return names
end

-- A tree as it is after `git clone`; what one build leaves behind must not help another.
local function clean_tree(directory)
  local status, said = shell(("cp -R core lua rockspec LICENSE README.md examples CMakeLists.txt "
    .. "%s && find %s/core -name '*.o' -o -name core.so | xargs rm -f"):format(directory,
    directory))
  assert.equal(0, status, said)
end

describe("the rockspecs", function()
  it("have the version that is in the header, the name of the file, and the module", function()
    local header = read("core/client/palenca.h"):match('#define PALENCA_VERSION "([^"]+)"')
    local release = rockspec(RELEASE)
    assert.equal(header .. "-1", release.version)
    assert.equal("v" .. header, release.source.tag)
    assert.equal(("rockspec/palenca-%s.rockspec"):format(release.version), RELEASE)
    local _, out = process.run("/bin/sh", { "-c", "ls rockspec/*.rockspec" })
    assert.equal(2, select(2, out:gsub("\n", "")), out)
    local status, module = process.run("/usr/bin/lua5.4",
      { "-e", "io.write(require('palenca').version)" })
    assert.same({ 0, header }, { status, module })
  end)

  it("differ in version and source only", function()
    local release, scm = rockspec(RELEASE), rockspec(SCM)
    assert.equal("scm-1", scm.version)
    release.version, release.source = scm.version, scm.source
    assert.same(scm, release)
  end)

  it("have the repository's address of CMakeLists.txt, whatever that is", function()
    local tree, remove = process.directory()
    finally(remove)
    clean_tree(tree)
    local function made(before)
      return shell(before .. [[
        $ROOT/spec/support/rockspec_address rockspec/*.rockspec
        diff -r rockspec $ROOT/rockspec]], { cwd = tree, env = { ROOT = uv.cwd() } })
    end
    assert.same({ 0, "" }, { made("") })
    local status = made("sed -i 's|https://example.org/palenca|https://other.example/p|' "
      .. "CMakeLists.txt\n")
    assert.equal(1, status)
    local scm = rockspec(tree .. "/" .. SCM)
    assert.equal("git+https://other.example/p.git", scm.source.url)
    assert.equal("https://other.example/p", scm.description.homepage)
    assert.equal("https://other.example/p/issues", scm.description.issues_url)
  end)

  it("say what people look for a rock by", function()
    local description = rockspec(SCM).description
    for _, name in ipairs { "summary", "detailed", "license", "homepage", "issues_url",
      "maintainer" } do
      assert.truthy(#description[name] > 2, name)
    end
    assert.is_true(#description.labels > 2)
    assert.equal("lua >= 5.1, < 5.6", rockspec(SCM).dependencies[1])
  end)
end)

describe("the modules that CMake builds", function()
  it("export nothing but what opens them", function()
    local _, libraries = shell("ls " .. BUILD .. "/lua/*/palenca/core.so")
    assert.truthy(libraries:find("/lua/5.4/", 1, true) and libraries:find("/lua/luajit/", 1, true))
    for library in libraries:gmatch("[^\n]+") do
      assert.equal("luaopen_palenca_core\n", exported(library), library)
    end
  end)
end)

describe("the objects of the program and the modules", function()
  -- What begins so is another library's, which the linker would take for it.
  local PREFIXES = { "curl_", "gnutls_", "uv_", "SSL_", "EVP_", "CRYPTO_", "sqlite3_", "MHD_",
    "yajl_", "inflate", "deflate", "PQ" }

  it("define no symbol of another library", function()
    -- of the sources that there are: a removed one's object stays in the directory
    local _, sources = shell("find core -name '*.c'")
    local _, objects = shell("find " .. BUILD .. " -path '*/palenca*.dir/*.c.o'")
    local named, built = {}, {}
    for name in sources:gmatch("([^/\n]+)\n") do
      named[name] = true
    end
    for path, name in objects:gmatch("([^\n]+/([^/\n]+))%.o\n") do
      built[#built + 1] = named[name] and path .. ".o" or nil
    end
    local _, defined = shell("nm --defined-only --extern-only --print-file-name "
      .. table.concat(built, " "))
    assert.truthy(defined:find("main.c.o:%x+ T main\n"))
    assert.truthy(defined:find("lazy_curl.c.o:%x+ T lazy_curl_load\n"))
    assert.truthy(defined:find("core.c.o:%x+ T luaopen_palenca_core\n"))
    for object, name in defined:gmatch("([^\n]+):%x+ %u ([^\n]+)\n") do
      for _, prefix in ipairs(PREFIXES) do
        assert.is_false(name:sub(1, #prefix) == prefix, object .. " defines " .. name)
      end
    end
  end)
end)

describe("luarocks make", function()
  local tree, remove
  before_each(function()
    tree, remove = process.directory()
    clean_tree(tree)
  end)
  after_each(function() remove() end)

  -- Dependencies are Debian's packages here: no server of rocks is asked.
  local function make(version, more)
    return shell(("luarocks --lua-version %s make --deps-mode none --tree %s/rocks %s %s")
      :format(version, tree, SCM, more or ""), { cwd = tree })
  end

  -- All that CMake installs as the module, and nothing else.
  local function assert_installed(share, version)
    local function list(directory)
      local _, paths = shell(("cd %s && find . -type f | sort"):format(directory))
      return paths
    end
    local prefix = tree .. "/prefix"
    local status, said = shell(("cmake --install %s --prefix %s"):format(BUILD, prefix))
    assert.equal(0, status, said)
    local expected = list(("%s/share/lua/%s"):format(prefix, version))
    assert.truthy(expected:find("./palenca/testing/init.lua\n", 1, true))
    assert.is_nil(expected:find("palenca/host/", 1, true) or expected:find("palenca/sandbox/", 1,
      true))
    assert.equal(expected, list(share))
  end

  local function environment(version, more)
    local rocks = tree .. "/" .. (more and more.tree or "rocks")
    local env = {
      LUA_PATH = ("%s/share/lua/%s/?.lua;%s/share/lua/%s/?/init.lua;;"):format(rocks, version,
        rocks, version),
      LUA_CPATH = ("%s/lib/lua/%s/?.so;;"):format(rocks, version),
    }
    for name, value in pairs(more and more.env or {}) do
      env[name] = value
    end
    return env
  end

  local luas = {
    ["5.4"] = { "/usr/bin/lua5.4" }, ["5.3"] = { "/usr/bin/lua5.3" },
    ["5.2"] = { "/usr/bin/lua5.2" }, ["5.1"] = { "/usr/bin/luajit", "/usr/bin/lua5.1" },
  }
  local tests = { ["5.4"] = "test_lua_state_lua54", ["5.1"] = "test_lua_state_luajit" }
  for version, interpreters in pairs(luas) do
    it("installs a module that works in " .. table.concat(interpreters, " and "), function()
      local status, said = make(version)
      assert.equal(0, status, said)
      assert.is_nil(said:find("warning", 1, true), said)
      local modules = tree .. "/rocks/lib/lua/" .. version
      assert.equal("luaopen_palenca_core\n", exported(modules .. "/palenca/core.so"))
      assert_installed(tree .. "/rocks/share/lua/" .. version, version)
      if tests[version] then
        status, said = shell(BUILD .. "/spec/" .. tests[version],
          { env = { SPEC_MODULES = modules } })
        assert.equal(0, status, said)
      end
      local sandbox, url, key = process.sandbox()
      for _, interpreter in ipairs(interpreters) do
        local code, out, err = process.run(interpreter, { "examples/earnings.lua" }, {
          cwd = tree,
          env = environment(version,
            { env = { PALENCA_API_KEY = key, PALENCA_BASE_URL = url } }),
        })
        assert.equal(0, code, err)
        assert.truthy(out:find("\n195 days\n", 1, true), out)
      end
      sandbox:stop()
    end)
  end

  it("installs what luarocks tests, packs, and installs elsewhere", function()
    local status, said = make("5.4")
    assert.equal(0, status, said)
    status, said = shell("luarocks --lua-version 5.4 --tree rocks test " .. SCM,
      { cwd = tree, env = environment("5.4") })
    assert.equal(0, status, said)
    assert.truthy(said:find("\n6 successes / 0 failures / 0 errors"), said)
    status, said = shell([[
      set -e
      luarocks --lua-version 5.4 --tree rocks pack palenca
      luarocks --lua-version 5.4 --tree other install --deps-mode none ./palenca-scm-1.*.rock
      rm -r rocks lua core]], { cwd = tree })
    assert.equal(0, status, said)
    assert_installed(tree .. "/other/share/lua/5.4", "5.4")
    status, said = process.run("/usr/bin/lua5.4",
      { "-e", "local t = require('palenca.testing').start() t:worker() t:stop() print('done')" },
      { cwd = tree, env = environment("5.4", { tree = "other" }) })
    assert.same({ 0, "done\n" }, { status, said })
  end)

  -- The include directories hold all but one library's headers, as where its package is missing.
  local HIDE = [[
    set -e
    mkdir -p include/arch
    ln -s /usr/include/* include/
    ln -s /usr/include/$(gcc -print-multiarch)/* include/arch/
    rm -f include/arch/$HIDDEN include/$HIDDEN
    luarocks --lua-version 5.4 make --deps-mode none --tree rocks ]] .. SCM .. [[ \
      CURL_INCDIR=$PWD/include CRYPTO_INCDIR=$PWD/include \
      ZLIB_INCDIR=$PWD/include \
      "CFLAGS=-O2 -fPIC -nostdinc -isystem $(gcc -print-file-name=include) \
        -isystem $PWD/include/arch -isystem $PWD/include"]]

  for hidden, package in pairs {
    curl = "libcurl4-openssl-dev", openssl = "libssl-dev", ["zlib.h"] = "zlib1g-dev",
  } do
    it("names the package when " .. hidden .. " is missing from the headers", function()
      local status, said = shell(HIDE, { cwd = tree, env = { HIDDEN = hidden } })
      assert.equal(1, status, said)
      assert.truthy(said:find(package, 1, true), said)
    end)
  end

  it("names the version of libcurl that is needed, if that of the headers is older", function()
    local status, said = shell([[
      set -e
      mkdir include
      cp -RL "$(pkg-config --variable=includedir libcurl)/curl" include/ 2>/dev/null ||
        cp -RL /usr/include/$(gcc -print-multiarch)/curl include/
      sed -i 's/^#define LIBCURL_VERSION .*/#define LIBCURL_VERSION "7.81.0"/;
        s/^#define LIBCURL_VERSION_NUM .*/#define LIBCURL_VERSION_NUM 0x075100/' \
        include/curl/curlver.h
      luarocks --lua-version 5.4 make --deps-mode none --tree rocks ]] .. SCM
      .. " CURL_INCDIR=$PWD/include", { cwd = tree })
    assert.equal(1, status, said)
    local first = said:match("error: ([^\n]*)")
    assert.truthy(first:find("libcurl 7.87 or later is needed", 1, true), said)
  end)
end)
