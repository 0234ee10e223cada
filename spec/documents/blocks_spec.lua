--- Runs every block of code of every document, as it is written and in the order of the page.
--
-- A fence says how: ```sh is run to its end, which is a success unless it has `status=N`; with
-- `background` it is started, and runs until the page is over; with `eventually` it is run again
-- until it prints what the page says. ```lua is run by `palenca dev` with a login if it has
-- handlers, else by `palenca run`; with `name=FILE` it is written to that file, for the blocks
-- behind it. ```text is what the block before it prints, with `…` for anything and with other
-- numbers, or with `exact` the same ones; ```json the same, of which the fields and types are
-- compared. ```c is written to its file, which a block behind it compiles. nginx_spec.lua has
-- ```nginx, spec/browser ```js.
--
-- What differs from what a reader has: ports and directories, and the API, which is a sandbox.
local cjson = require("cjson")
local uv = require("luv")
local documents = require("spec.support.documents")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local ROOT = uv.cwd()
local BUILD = process.program():match("^(.*)/bin/")
local KEY = "tutorial-key"

-- Blocks that no test can run, by their first line, each with the reason.
local NOT_RUN = {
  ["README.md"] = {
    ["./examples/quickstart   # installs what is missing (Debian 12 or 13), builds, shows the main "
      .. "job"] = "spec/run runs the first, and is the second",
    ["luarocks make rockspec/palenca-scm-1.rockspec"] =
      "installs for the whole system; spec/packaging/rockspec_spec.lua runs it with --tree",
  },
  ["spec/README.md"] = {
    ["cmake -S . -B build && cmake --build build"] = "is how what is tested here was built",
    ["mkdir -p found"] = "spec/run builds the fuzz targets beside this, and runs each of them",
  },
  ["lua/palenca/nginx/README.md"] = {
    ["apt-get install nginx libnginx-mod-http-lua lua-cjson luarocks gcc make libc6-dev \\"] =
      "installs packages, of which spec/support/setup has the same, and for the whole system what "
      .. "spec/packaging/rockspec_spec.lua installs with --tree",
    ["apt-get install luarocks gcc make libc6-dev libcurl4-openssl-dev libssl-dev zlib1g-dev"] =
      "the same for OpenResty, which Debian does not have",
  },
  ["examples/tutorial/README.md"] = {
    ["unset PALENCA_BASE_URL"] = "would create a webhook in the vendor's production",
  },
}

local used = {}

local function reason_not_to_run(document, block)
  local first = block.text:match("^[^\n]*")
  local reason = (NOT_RUN[document.path] or {})[first]
  if reason then
    used[document.path .. ": " .. first] = true
  end
  return reason
end

-- ---- where the blocks of a page run -----------------------------------------------------

local Page = {}
Page.__index = Page

local function link_tree(directory)
  for _, name in ipairs { "core", "examples", "lua", "rockspec", "spec" } do
    assert(uv.fs_symlink(ROOT .. "/" .. name, directory .. "/" .. name))
  end
  assert(uv.fs_symlink(BUILD, directory .. "/build"))
end

local function open_page(stage, document)
  local self = setmetatable({ stage = stage, document = document }, Page)
  self.directory = stage:directory()
  link_tree(self.directory)
  self.receiver = "127.0.0.1:" .. helper.free_port()
  self.sandbox = "127.0.0.1:" .. helper.free_port()
  self.places = { -- what a page says → where it is here
    ["127.0.0.1:8080"] = self.receiver,
    ["0.0.0.0:8443"] = "127.0.0.1:" .. helper.free_port(),
    ["127.0.0.1:8400"] = self.sandbox,
    ["/etc/palenca"] = self.directory .. "/etc",
    ["/run/palenca"] = self.directory .. "/run",
    ["/var/lib/palenca"] = self.directory .. "/data",
  }
  for _, name in ipairs { "etc", "run", "data" } do
    assert(uv.fs_mkdir(self.directory .. "/" .. name, 448))
  end
  return self
end

-- An event's id on a page stands for that of one which there is.
local EVENT_ID = "17958756650001"

function Page:event_id()
  local status, out = process.run(process.reader(), { "events", "list", "--json" },
    { cwd = self.directory })
  return status == 0 and out:match('"id":(%d+)') or EVENT_ID
end

function Page:place(text)
  if text:find(EVENT_ID, 1, true) then
    text = text:gsub(EVENT_ID, self:event_id())
  end
  for from, to in pairs(self.places) do
    text = text:gsub(from:gsub("%p", "%%%0"), (to:gsub("%%", "%%%%")))
  end
  return text
end

-- `dev` has a sandbox of its own, beside that of the page.
function Page:environment(text)
  local is_dev = text:find("palenca dev ", 1, true)
  return {
    HOME = self.directory,
    PATH = BUILD .. "/bin:" .. os.getenv("PATH"),
    PALENCA_API_KEY = KEY,
    PALENCA_BASE_URL = "http://" .. self.sandbox,
    PALENCA_LISTEN = is_dev and "127.0.0.1:0" or self.receiver,
    PALENCA_SANDBOX_LISTEN = is_dev and "127.0.0.1:0" or self.sandbox,
    TMPDIR = self.directory,
  }
end

-- Each block is a shell of its own, which goes on with what the one before has exported.
function Page:command(text)
  return ("cd %s; [ ! -e exports ] || . ./exports\n%s\n"
    .. "export -p | grep -v '_LISTEN=' >exports\n"):format(self.directory, text)
end

function Page:shell(text)
  return process.run("/bin/bash", { "-euo", "pipefail", "-c", self:command(text) },
    { env = self:environment(text) })
end

-- A terminal with job control, so that what it runs ends with it.
local TERMINAL = [[
set -m
( %s
) &
child=$!
trap 'kill -TERM -- -$child' TERM
wait $child
status=$?
[ $status -lt 128 ] || { wait $child; status=$?; }
exit $status
]]

local READY = { "receiving webhooks at ", "sandbox of the API ", "start worker process" }

function Page:start(text)
  local started = self.stage:start("/bin/bash", { "-c", TERMINAL:format(self:command(text)) },
    { env = self:environment(text) })
  self.stage:at_end(function() -- killed outright, it would leave behind what it runs
    started:stop()
  end)
  helper.ask_until(function()
    assert(not started.code, started:describe())
    for _, pattern in ipairs(READY) do
      if started.stderr:find(pattern, 1, true) then
        return true
      end
    end
    return false
  end, "a program to be ready")
  return started
end

-- A page that starts no sandbox of its own has one all the same.
function Page:start_sandbox()
  for _, block in ipairs(self.document.blocks) do
    if block.marks.background and block.text:find("palenca sandbox", 1, true) then
      return
    end
  end
  self:start("palenca sandbox --webhook-delay 0 --rate-limit 0 --api-key " .. KEY)
end

-- ---- what is printed --------------------------------------------------------------------

local UUID = ("%x"):rep(8) .. "%-" .. ("%x"):rep(4) .. "%-" .. ("%x"):rep(4) .. "%-"
  .. ("%x"):rep(4) .. "%-" .. ("%x"):rep(12)

local function one_space(line)
  return (line:gsub("%s+", " "):gsub(" $", ""))
end

-- Ids, times and amounts are others each time.
local function normalize(line)
  return one_space((line:gsub(UUID, "ID"):gsub("%d[%d.,]*%d", "N"):gsub("%d+", "N")))
end

local function pattern_of(line)
  return "^" .. line:gsub("[%(%)%.%%%+%-%*%?%[%]%^%$]", "%%%0"):gsub("…", ".-") .. "$"
end

-- Whether the lines are there, in this order; else the first that is missing.
local function missing_line(expected, printed, is_exact)
  local simplify = is_exact and one_space or normalize
  local wanted = {}
  for line in expected:gmatch("[^\n]+") do
    wanted[#wanted + 1] = line
  end
  local at = 1
  for line in printed:gmatch("[^\n]+") do
    if wanted[at] and simplify(line):find(pattern_of(simplify(wanted[at]))) then
      at = at + 1
    end
  end
  return wanted[at]
end

-- The fields of a JSON value and their types; of a list, those of its first element.
local function shape(value)
  if type(value) ~= "table" then
    return value == cjson.null and "null" or type(value)
  elseif #value > 0 then
    return { shape(value[1]) }
  end
  local fields = {}
  for name, field in pairs(value) do
    fields[name] = shape(field)
  end
  return fields
end

-- null on either side fits anything, and so does an empty list.
local function fits(expected, found)
  if expected == "null" or found == "null" then
    return true
  elseif type(expected) ~= "table" or type(found) ~= "table" then
    return expected == found
  elseif next(expected) == nil or next(found) == nil then
    return true
  end
  for name, field in pairs(expected) do
    if found[name] == nil or not fits(field, found[name]) then
      return false
    end
  end
  for name in pairs(found) do
    if expected[name] == nil then
      return false
    end
  end
  return true
end

local function check_printed(block, out, err)
  if block.language == "text" then
    local missing = missing_line(block.text, out .. err, block.marks.exact)
    return missing == nil, ("not printed: %s\n%s%s"):format(missing, out, err)
  end
  local text = out:match("%b{}%s*$") or "{}"
  local expected, found = cjson.decode(block.text), cjson.decode(text)
  return fits(shape(expected), shape(found)), "other fields or types:\n" .. text
end

-- ---- the languages ----------------------------------------------------------------------

local run = {}

-- `next_block`: what it prints, if the page says so.
function run.sh(page, block, next_block)
  local text = page:place(block.text)
  if block.marks.background then
    local started = page:start(text)
    if next_block then
      helper.ask_until(function()
        return (check_printed(next_block, started.stdout, started.stderr))
      end, "what the page says\n" .. started:describe())
    end
    return nil
  end
  local status, out, err
  local function attempt()
    status, out, err = page:shell(text)
    return status == tonumber(block.marks.status or "0")
      and (not next_block or check_printed(next_block, out, err))
  end
  if block.marks.eventually then
    helper.ask_until(attempt, "what the page says")
  else
    attempt()
  end
  assert.equal(tonumber(block.marks.status or "0"), status, out .. err)
  return out, err
end

function run.lua(page, block)
  local name = block.marks.name
  local path = page.directory .. "/" .. (name or "snippet.lua")
  process.write_file(path, page:place(block.text))
  local has_handlers = block.text:find("palenca.on", 1, true)
    or block.text:find("palenca.every", 1, true)
  local command = "palenca run " .. path
  if name and has_handlers then
    command = "palenca check " .. path
  elseif has_handlers then
    command = "palenca dev --login uber --once " .. path
  end
  local status, out, err = page:shell(command)
  assert.equal(0, status, out .. err)
  return out, err
end

function run.c(page, block)
  process.write_file(page.directory .. "/" .. block.marks.name, page:place(block.text))
end

local elsewhere = { nginx = true, js = true, sql = true }
local printed = { text = true, json = true }

local function run_block(page, blocks, at)
  local block, following = blocks[at], blocks[at + 1]
  local next_block = following and printed[following.language] and following
  local out, err = run[block.language](page, block, next_block)
  if next_block and out then
    assert(check_printed(next_block, out, err))
  end
end

for _, path in ipairs(documents.list()) do
  local document = documents.read(path)
  if #document.blocks > 0 then
    describe(path, function()
      local stage = helper.stage()

      after_each(function()
        stage:clear()
      end)

      it("has blocks that run as they are written", function()
        local page = open_page(stage, document)
        page:start_sandbox()
        for at, block in ipairs(document.blocks) do
          if not (elsewhere[block.language] or printed[block.language]
            or reason_not_to_run(document, block)) then
            assert.truthy(run[block.language], path .. ": nothing runs " .. block.language)
            local ok, problem = pcall(run_block, page, document.blocks, at)
            assert.is_true(ok, ("%s:%d: %s"):format(path, block.line, tostring(
              type(problem) == "table" and problem.message or problem)))
          end
        end
      end)
    end)
  end
end

describe("the list of blocks that are not run", function()
  it("names no block that is not there", function()
    for path, blocks in pairs(NOT_RUN) do
      for first in pairs(blocks) do
        assert.is_true(used[path .. ": " .. first] == true, path .. ": " .. first)
      end
    end
  end)
end)
