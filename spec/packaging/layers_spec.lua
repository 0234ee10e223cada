--- What each room of the sources uses of the others, by every include and require, held to a table.

-- A room is a folder, or the files that are listed; of two rooms that fit a file, the one with the
-- longer name has it. The lowest are first: a room uses what stands above it only, and of that only
-- what it names. Libraries are named, too, where not everybody may use them.
local ROOMS = {
  { "core/common", uses = "" },
  { "core/client/palenca.h", files = "core/client/palenca.h core/client/engine_thread.h",
    uses = "core/common" },
  { "core/client/protocol", uses = "core/client/palenca.h openssl" },
  { "core/client", uses = "core/common core/client/palenca.h core/client/protocol curl "
    .. "openssl zlib" },
  { "core/binding", uses = "core/common core/client/palenca.h lua" },
  { "core/host/common", uses = "core/common uv" },
  { "core/host/http", uses = "core/common core/host/common openssl uv" },
  { "core/host/store", uses = "core/host/common" },
  -- openssl digests the ledger's entries, zlib compresses their rows, and responses
  { "core/host/store/ledger", uses = "core/common core/host/common openssl zlib" },
  { "core/host/store/memory", uses = "core/host/common" },
  { "core/host/store/backend", uses = "core/host/store core/host/store/ledger "
    .. "core/host/store/memory" },
  { "core/host/store/sqlite", uses = "core/common core/host/common core/host/store "
    .. "core/host/store/backend core/host/store/ledger core/host/store/memory sqlite3" },
  -- openssl digests bodies
  { "core/host/store/postgres", uses = "core/common core/host/common core/host/store "
    .. "core/host/store/backend core/host/store/ledger openssl postgresql uv" },
  { "core/host/store/queue", uses = "core/common core/host/common core/host/store "
    .. "core/host/store/backend core/host/store/postgres core/host/store/sqlite" },
  -- zlib decompresses in pieces what is searched
  { "core/host/store/admin", uses = "core/common core/host/common core/host/store "
    .. "core/host/store/ledger core/host/store/postgres core/host/store/sqlite sqlite3 uv zlib" },
  { "core/host/webhook", uses = "core/common core/client/palenca.h core/host/common "
    .. "core/host/http core/host/store openssl" },
  { "core/host/monitor", uses = "core/common core/host/common core/host/http" },
  { "core/host/worker", uses = "core/common core/binding core/host/common core/host/store "
    .. "cjson lua" },
  { "core/host/lua", uses = "core/common core/client/palenca.h core/host/common "
    .. "core/host/http core/host/store core/host/store/admin core/host/store/ledger "
    .. "core/host/store/postgres "
    .. "core/host/webhook core/host/monitor "
    .. "core/host/worker lua openssl sqlite3 uv zlib" },
  { "core/host", uses = "core/host/common core/host/worker core/host/lua lua sqlite3" },

  { "lua/palenca/util", uses = "core/binding" },
  -- the files beside init.lua
  { "lua/palenca", uses = "core/binding lua/palenca/util" },
  { "lua/palenca/runtime", uses = "core/binding lua/palenca/util lua/palenca ngx" },
  { "lua/palenca/client", uses = "core/binding lua/palenca/util lua/palenca lua/palenca/runtime" },
  { "lua/palenca/webhook", uses = "core/binding lua/palenca/util lua/palenca" },
  { "lua/palenca/income", uses = "lua/palenca/util" },
  { "lua/palenca/decision", uses = "core/binding lua/palenca/util lua/palenca/income" },
  { "lua/palenca/nginx", uses = "core/binding lua/palenca/util lua/palenca lua/palenca/runtime "
    .. "lua/palenca/client lua/palenca/webhook" },
  { "lua/palenca/init.lua", uses = "core/binding lua/palenca/util lua/palenca lua/palenca/runtime "
    .. "lua/palenca/client lua/palenca/webhook lua/palenca/income lua/palenca/decision "
    .. "lua/palenca/nginx" },

  { "lua/palenca/sandbox/data", uses = "lua/palenca/util" },
  { "lua/palenca/sandbox/http", uses = "core/binding lua/palenca/util lua/palenca/sandbox/data" },
  { "lua/palenca/sandbox/delivery", uses = "lua/palenca/util lua/palenca/webhook "
    .. "lua/palenca/sandbox/data lua/palenca/sandbox/http" },
  { "lua/palenca/sandbox/api", uses = "lua/palenca/util lua/palenca/sandbox/data "
    .. "lua/palenca/sandbox/http" },
  { "lua/palenca/sandbox/control", uses = "lua/palenca/util lua/palenca lua/palenca/income "
    .. "lua/palenca/sandbox/data lua/palenca/sandbox/http lua/palenca/sandbox/delivery "
    .. "lua/palenca/sandbox/api" },
  { "lua/palenca/sandbox", uses = "lua/palenca/sandbox/data lua/palenca/sandbox/http "
    .. "lua/palenca/sandbox/delivery lua/palenca/sandbox/api lua/palenca/sandbox/control" },

  { "lua/palenca/strict", uses = "lua/palenca/util lua/palenca lua/palenca/client "
    .. "lua/palenca/init.lua" },
  -- and the sandbox, where there is one
  { "lua/palenca/testing", uses = "core/binding lua/palenca/util lua/palenca lua/palenca/runtime "
    .. "lua/palenca/client lua/palenca/webhook lua/palenca/decision lua/palenca/strict" },

  { "lua/palenca/host", uses = "core/binding core/host/lua lua/palenca/util lua/palenca "
    .. "lua/palenca/runtime lua/palenca/client lua/palenca/webhook lua/palenca/decision "
    .. "lua/palenca/strict lua/palenca/sandbox/data "
    .. "lua/palenca/sandbox/delivery lua/palenca/sandbox" },
  { "lua/palenca/host/cli", uses = "core/binding core/host/lua lua/palenca/util lua/palenca "
    .. "lua/palenca/runtime lua/palenca/client lua/palenca/webhook lua/palenca/income "
    .. "lua/palenca/decision lua/palenca/sandbox/data lua/palenca/sandbox/http "
    .. "lua/palenca/sandbox/delivery lua/palenca/sandbox/control lua/palenca/host argparse" },
}

-- What a header, or a module, begins with, and the library's name in the table.
local LIBRARIES = {
  { "^curl/", "curl" }, { "^openssl/", "openssl" }, { "^sqlite3%.h$", "sqlite3" },
  { "^libpq%-fe%.h$", "postgresql" },
  { "^uv%.h$", "uv" }, { "^zlib%.h$", "zlib" }, { "^lua%-cjson%.h$", "cjson" },
  { "^lua%.h$", "lua" }, { "^lauxlib%.h$", "lua" }, { "^lualib%.h$", "lua" },
  { "^argparse$", "argparse" }, { "^ngx%.", "ngx" },
}

-- The modules that are written in C.
local IN_C = {
  ["palenca.core"] = "core/binding/core.c", ["palenca.host"] = "core/host/lua/module.c",
}

local function library_of(name)
  for _, library in ipairs(LIBRARIES) do
    if name:find(library[1]) then
      return library[2]
    end
  end
end

-- Files are path → text. An arrow is `from` (a path), `line`, and `to`: a path, or a library's
-- name; of what is not there, `to` is nil and `name` says what was asked for.
local function add(arrows, from, line, to, name)
  arrows[#arrows + 1] = { from = from, line = line, to = to, name = name }
end

local function header(files, from, name)
  local beside = from:match("^(.*/)") .. name
  if files[beside] then
    return beside
  end
  local found
  for path in pairs(files) do
    if path:sub(-#name - 1) == "/" .. name then
      if found then
        return nil, name .. " that is meant, of several"
      end
      found = path
    end
  end
  return found
end

local function read_includes(files, from, line, text, arrows)
  local own, foreign = text:match('^%s*#%s*include%s+"([^"]+)"'),
    text:match("^%s*#%s*include%s+<([^>]+)>")
  if own then
    local to, problem = header(files, from, own)
    add(arrows, from, line, to, problem or own)
  elseif foreign and library_of(foreign) then
    add(arrows, from, line, library_of(foreign), foreign)
  end
end

local function module_file(files, name)
  local path = "lua/" .. name:gsub("%.", "/")
  return IN_C[name] or files[path .. ".lua"] and path .. ".lua"
    or files[path .. "/init.lua"] and path .. "/init.lua" or nil
end

-- A name that ends with a dot is the beginning of several.
local function read_module(files, from, line, name, arrows)
  if name:find("%.$") then
    local folder = "lua/" .. name:gsub("%.", "/")
    for path in pairs(files) do
      if path:sub(1, #folder) == folder and path:find("%.lua$") and path ~= from then
        add(arrows, from, line, path, name)
      end
    end
  elseif name:find("^palenca%f[%z.]") then
    add(arrows, from, line, module_file(files, name), name)
  elseif library_of(name) then
    add(arrows, from, line, library_of(name), name)
  end
end

-- A module that a thread is started with is used as one that is required.
local function read_requires(files, from, line, text, arrows)
  text = text:gsub("%-%-.*", "")
  for _, pattern in ipairs { "%f[%w_]require%s*%(?%s*[\"']([%w_.]+)[\"']",
    "%f[%w_]host%.start%s*%(%s*[\"']([%w_.]+)[\"']" } do
    for name in text:gmatch(pattern) do
      read_module(files, from, line, name, arrows)
    end
  end
end

local function read_arrows(files)
  local arrows, paths = {}, {}
  for path in pairs(files) do
    paths[#paths + 1] = path
  end
  table.sort(paths)
  for _, path in ipairs(paths) do
    local read = path:find("%.lua$") and read_requires or read_includes
    local line = 0
    for text in (files[path] .. "\n"):gmatch("(.-)\n") do
      line = line + 1
      read(files, path, line, text, arrows)
    end
  end
  return arrows
end

local function words(text)
  local set = {}
  for word in text:gmatch("%S+") do
    set[word] = true
  end
  return set
end

local function room_of(rooms, path)
  local found
  for _, room in ipairs(rooms) do
    local fits = room.files and words(room.files)[path] or path == room[1]
      or not room.files and path:sub(1, #room[1] + 1) == room[1] .. "/"
    if fits and (not found or #room[1] > #found[1]) then
      found = room
    end
  end
  return found
end

-- What of the arrows the table does not allow, a text each.
local function find_wrong_arrows(rooms, arrows)
  local wrong = {}
  for _, arrow in ipairs(arrows) do
    local from, to = room_of(rooms, arrow.from), arrow.to and room_of(rooms, arrow.to)
    local name = to and to[1] or arrow.to
    if not from or not arrow.to then
      wrong[#wrong + 1] = ("%s:%d: %s"):format(arrow.from, arrow.line,
        from and "there is no " .. arrow.name or "the file is in no room")
    elseif from ~= to and not words(from.uses)[name] then
      wrong[#wrong + 1] = ("%s:%d: %s -> %s (%s)"):format(arrow.from, arrow.line, from[1], name,
        arrow.name)
    end
  end
  return wrong
end

-- What of the table's arrows does not point upwards.
local function find_back_arrows(rooms)
  local wrong, above = {}, {}
  for _, library in ipairs(LIBRARIES) do
    above[library[2]] = true
  end
  for _, room in ipairs(rooms) do
    for name in pairs(words(room.uses)) do
      if not above[name] then
        wrong[#wrong + 1] = room[1] .. " -> " .. name
      end
    end
    above[room[1]] = true
  end
  return wrong
end

-- The circles among files, each as the files on the way.
local function find_circles(arrows)
  local next_of, state, way, circles = {}, {}, {}, {}
  for _, arrow in ipairs(arrows) do
    next_of[arrow.from] = next_of[arrow.from] or {}
    table.insert(next_of[arrow.from], arrow)
  end
  local function visit(path)
    state[path] = "open"
    way[#way + 1] = path
    for _, arrow in ipairs(next_of[path] or {}) do
      if state[arrow.to] == "open" then
        local at = #way
        while way[at] ~= arrow.to do
          at = at - 1
        end
        circles[#circles + 1] = ("%s:%d: %s -> %s"):format(path, arrow.line,
          table.concat(way, " -> ", at), arrow.to)
      elseif arrow.to and not state[arrow.to] then
        visit(arrow.to)
      end
    end
    way[#way] = nil
    state[path] = "done"
  end
  for _, arrow in ipairs(arrows) do
    if not state[arrow.from] then
      visit(arrow.from)
    end
  end
  return circles
end

local function sources()
  local files = {}
  local list = assert(io.popen("find core lua/palenca -name '*.[ch]' -o -name '*.lua'"))
  for path in list:lines() do
    local file = assert(io.open(path))
    files[path] = file:read("a")
    file:close()
  end
  list:close()
  return files
end

describe("the sources", function()
  local arrows = read_arrows(sources())

  it("use of other rooms what the table allows", function()
    assert.is_true(#arrows > 700)
    assert.equal("", table.concat(find_wrong_arrows(ROOMS, arrows), "\n"))
  end)

  it("have no circle", function()
    assert.equal("", table.concat(find_circles(arrows), "\n"))
  end)
end)

describe("the table of rooms", function()
  it("has no arrow back", function()
    assert.equal("", table.concat(find_back_arrows(ROOMS), "\n"))
  end)

  it("names rooms that there are, and no arrow that nobody needs", function()
    local files, used = sources(), {}
    for path in pairs(files) do
      used[assert(room_of(ROOMS, path), path)[1]] = {}
    end
    for _, arrow in ipairs(read_arrows(files)) do
      local to = room_of(ROOMS, arrow.to)
      used[room_of(ROOMS, arrow.from)[1]][to and to[1] or arrow.to] = true
    end
    for _, room in ipairs(ROOMS) do
      assert.truthy(used[room[1]], room[1] .. " is empty")
      for name in pairs(words(room.uses)) do
        assert.truthy(used[room[1]][name], room[1] .. " -> " .. name .. " is not needed")
      end
    end
  end)
end)

describe("the check of the rooms", function()
  local rooms = {
    { "core/low", uses = "zlib" },
    { "core/high", uses = "core/low" },
    { "lua/palenca/low", uses = "core/low" },
    { "lua/palenca", uses = "lua/palenca/low" },
  }

  local function wrong(files)
    return find_wrong_arrows(rooms, read_arrows(files))
  end

  it("allows the arrows of the table, and those within a room", function()
    assert.same({}, wrong {
      ["core/low/a.h"] = "#include <zlib.h>\n#include <stdio.h>\n",
      ["core/low/b.c"] = '#include "a.h"\n',
      ["core/high/c.c"] = '#include "low/a.h"\n',
      ["lua/palenca/low/init.lua"] = "local other = require('palenca.low.other')\n",
      ["lua/palenca/low/other.lua"] = '-- see require("palenca")\n',
      ["lua/palenca/init.lua"] = 'return require "palenca.low"\n',
    })
  end)

  it("names the file, the line and the arrow of an include that points back", function()
    assert.same({ "core/low/b.c:3: core/low -> core/high (d.h)" }, wrong {
      ["core/low/b.c"] = '#include <zlib.h>\n\n#include "d.h"\n',
      ["core/high/d.h"] = "",
    })
  end)

  it("names those of a require that points back, wherever it stands", function()
    assert.same({
      "lua/palenca/low/a.lua:2: lua/palenca/low -> lua/palenca (palenca.top)",
      "lua/palenca/low/b.lua:1: lua/palenca/low -> lua/palenca (palenca.top)",
      "lua/palenca/low/c.lua:1: lua/palenca/low -> lua/palenca (palenca.)",
    }, wrong {
      ["lua/palenca/low/a.lua"] = 'local function late()\n  return require("palenca.top").x\nend\n',
      ["lua/palenca/low/b.lua"] = 'host.start("palenca.top", text)',
      ["lua/palenca/low/c.lua"] = 'return require("palenca." .. name)',
      ["lua/palenca/top.lua"] = "",
      ["lua/palenca/low.lua"] = nil,
    })
  end)

  it("names a library that a room may not use", function()
    assert.same({ "core/high/c.c:1: core/high -> zlib (zlib.h)" },
      wrong { ["core/high/c.c"] = "#include <zlib.h>" })
  end)

  it("names what is not there, and a file that is in no room", function()
    assert.same({
      "core/low/a.c:1: there is no gone.h",
      "core/low/b.c:1: there is no h.h that is meant, of several",
      "core/other/a.c:1: the file is in no room",
      "lua/palenca/a.lua:1: there is no palenca.gone",
    }, wrong {
      ["core/low/a.c"] = '#include "gone.h"',
      ["core/low/b.c"] = '#include "h.h"',
      ["core/high/h.h"] = "",
      ["core/other/h.h"] = "",
      ["core/other/a.c"] = '#include "a.h"',
      ["core/low/a.h"] = "",
      ["lua/palenca/a.lua"] = 'require("palenca.gone")',
    })
  end)

  it("names the arrows of a table that point back", function()
    assert.same({ "core/low -> core/high" }, find_back_arrows {
      { "core/low", uses = "core/high zlib" }, { "core/high", uses = "core/low" },
    })
  end)

  it("names a circle, also within a room", function()
    local circle = { "lua/palenca/c.lua:2: lua/palenca/a.lua -> lua/palenca/b.lua "
      .. "-> lua/palenca/c.lua -> lua/palenca/a.lua" }
    local files = {
      ["lua/palenca/a.lua"] = 'local b = require("palenca.b")',
      ["lua/palenca/b.lua"] = 'local c = require("palenca.c")\nlocal d = require("palenca.d")',
      ["lua/palenca/c.lua"] = '\nlocal a = require("palenca.a")',
      ["lua/palenca/d.lua"] = "",
    }
    assert.same(circle, find_circles(read_arrows(files)))
    files["lua/palenca/c.lua"] = 'local d = require("palenca.d")'
    assert.same({}, find_circles(read_arrows(files)))
  end)
end)
