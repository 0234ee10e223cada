--- What the module's specs share: sandboxes, the fault server, subprocesses of the same Lua.
local assert = require("luassert")
local json = require("palenca.util.json")
local http = require("spec.support.http")
local palenca = require("palenca")
local process = require("spec.support.process")
local uv = require("luv")

local helper = {}

helper.KEY = "secret-of-the-specs"
helper.ACCOUNT = "cb39ee15-f29f-427d-9119-0c627575610d"
helper.USER = "d1c9b98b-3190-479e-99db-04060ff3997f"
helper.UNKNOWN = "00000000-0000-4000-8000-000000000000"
helper.WIDGET = "b679c2fb-a096-4c26-a902-245f9bce66d9"
helper.PERIOD = { start_date = "2024-09-01", end_date = "2026-03-01" }

-- Longer than anything takes; where a spec waits for a timeout it says so.
local TIMEOUT = 50

local Faults = {}
Faults.__index = Faults

--- Starts the fault server.
function helper.faults()
  local self = setmetatable({ printed = "" }, Faults)
  self.input = uv.new_pipe(false)
  local output = uv.new_pipe(false)
  local handle, problem
  handle, problem = uv.spawn("lua5.4", {
    args = { "spec/support/fault_server.lua" },
    stdio = { self.input, output, 2 },
  }, function(code)
    self.code = code
    handle:close()
  end)
  assert(handle, problem)
  output:read_start(function(_, data)
    if data then
      self.printed = self.printed .. data
    else
      output:close()
    end
  end)
  process.wait_for(function()
    return self.printed:find("\n") or self.code
  end, "the fault server")
  self.url = "http://127.0.0.1:" .. assert(self.printed:match("^(%d+)\n"))
  return self
end

--- What the server has seen.
function Faults:stats()
  return json.decode(http.request("GET", self.url .. "/stats").body)
end

--- How often a path was asked for.
function Faults:count(path)
  return self:stats().paths[path] or 0
end

--- A client whose every request meets the fault; `options` go over the defaults.
function Faults:client(fault, options)
  local all = {
    api_key = helper.KEY,
    base_url = self.url .. "/" .. fault,
    timeout = TIMEOUT,
    max_retries = 0,
    rate_limit = 0,
  }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return palenca.new(all)
end

--- Ends it; returns its exit status.
function Faults:stop()
  self.input:close()
  return process.wait_for(function()
    return self.code
  end, "the end of the fault server")
end

--- Posts JSON on a connection of its own; returns status, headers and body.
function helper.post_json(url, body)
  return http.request("POST", url, json.encode(body))
end

local Sandbox = {}
Sandbox.__index = Sandbox

--- Starts a sandbox, for the module to be used against.
-- @tparam ?table extra further arguments
function helper.sandbox(extra)
  local arguments = { "--rate-limit", "0" }
  for _, argument in ipairs(extra or {}) do
    arguments[#arguments + 1] = argument
  end
  local self = setmetatable({}, Sandbox)
  self.process, self.url, self.key = process.sandbox(arguments)
  return self
end

-- On a connection of its own: the module would keep it, and send other requests over it.
local function control(self, verb, path, body)
  local response = assert(http.request(verb, self.url .. path, body and json.encode(body)))
  assert(response.status < 300, response.body)
  return json.decode(response.body).data
end

--- Sets a fault and, with it, takes away those that were set before.
function Sandbox:fault(fault)
  control(self, "DELETE", "/sandbox/faults")
  control(self, "POST", "/sandbox/faults", fault)
end

--- Takes all faults away.
function Sandbox:heal()
  control(self, "DELETE", "/sandbox/faults")
end

--- How many requests came since this was asked last.
function Sandbox:count()
  local requests = control(self, "GET", "/sandbox/requests?items_per_page=500").requests
  local before = self.seen or 0
  self.seen = #requests
  return #requests - before
end

--- What is stored of a kind, such as "webhooks".
function Sandbox:counts()
  return control(self, "GET", "/sandbox/overview").counts
end

--- A client of it; `options` go over the defaults.
function Sandbox:client(options)
  local all = {
    api_key = self.key, base_url = self.url, timeout = TIMEOUT, max_retries = 0, rate_limit = 0,
  }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return palenca.new(all)
end

--- Ends it; returns its exit status.
function Sandbox:stop()
  return self.process:stop()
end

--- Runs a Lua text in a process of the Lua that the spec runs under, with the environment given:
-- returns its exit status, output and complaints.
function helper.run(text, environment)
  return process.run(uv.exepath(), { "-e", text }, { env = environment })
end

--- Asserts that a function raises, with the line of its own body blamed, and each of the plain
-- texts in the message.
function helper.blames_caller(call, ...)
  local info = debug.getinfo(call, "S")
  local ok, message = pcall(call)
  assert.is_false(ok, "nothing was raised")
  message = tostring(message)
  local file, line = message:match("^(.-):(%d+): ")
  assert(file and info.source:find(file, 1, true), "another file is blamed: " .. message)
  line = tonumber(line)
  assert(line >= info.linedefined and line <= info.lastlinedefined,
    "another line is blamed: " .. message)
  for _, text in ipairs { ... } do
    assert(message:find(text, 1, true), "'" .. text .. "' is not in: " .. message)
  end
end

--- Asserts that a text, or anything in a table, does not hold the key.
function helper.holds_no(secret, value, seen)
  seen = seen or {}
  if type(value) == "string" then
    assert.is_nil(value:find(secret, 1, true))
  elseif type(value) == "table" and not seen[value] then
    seen[value] = true
    for name, item in next, value do -- whatever its metatable makes of pairs
      helper.holds_no(secret, name, seen)
      helper.holds_no(secret, item, seen)
    end
    helper.holds_no(secret, getmetatable(value), seen)
  end
  if type(value) == "table" or type(value) == "userdata" then
    helper.holds_no(secret, tostring(value), seen)
  end
end

return helper
