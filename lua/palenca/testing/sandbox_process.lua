--- Starts the program's sandbox from a test.
-- @module palenca.testing.sandbox_process
local argcheck = require("palenca.util.argcheck")
local json = require("palenca.util.json")
local number_text = require("palenca.util.number_text")
local strict = require("palenca.strict")

local sandbox_process = {}

local FIELDS = {
  program = "string", api_key = "string", seed = "count", accounts = "count", history = "count",
  webhook_delay = "any", rate_limit = "count",
}

-- It ends with the process that has started it.
local COMMAND = [[
exec 2>&1
%s sandbox --json --listen 127.0.0.1:0 %s &
child=$!
trap 'kill $child; wait $child; exit' TERM
echo $$
while kill -0 $PPID 2>/dev/null && kill -0 $child 2>/dev/null; do sleep 1 & wait $!; done
kill $child 2>/dev/null
]]

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function arguments_of(options)
  local list = {}
  for _, name in ipairs { "api_key", "seed", "accounts", "history", "webhook_delay",
    "rate_limit" } do
    local value = options[name]
    if value == nil and (name == "webhook_delay" or name == "rate_limit") then
      value = 0
    end
    if value ~= nil then
      list[#list + 1] = "--" .. name:gsub("_", "-") .. " " .. quote(number_text.text(value))
    end
  end
  return table.concat(list, " ")
end

local function read_ready(output)
  local said = {}
  for line in output:lines() do
    local ok, entry = pcall(json.decode, line)
    if ok and type(entry) == "table" and entry.event == "ready" then
      return entry
    end
    said[#said + 1] = line
  end
  return nil, table.concat(said, "\n")
end

local function stop(self)
  if rawget(self, "output") then
    os.execute("kill " .. self.process)
    self.output:close()
    self.output = nil
  end
end

--- Starts it; see @{palenca.testing.sandbox}.
function sandbox_process.start(options)
  options = argcheck.fields("palenca.testing.sandbox", options, FIELDS, 3)
  local program = options.program or "palenca"
  local output = io.popen(COMMAND:format(quote(program), arguments_of(options)))
  local process = output:read("*l")
  local ready, said = read_ready(output)
  if not ready then
    output:close()
    error(("palenca.testing.sandbox: %s could not be started: %s (the sandbox is a part of the "
      .. "program, which LuaRocks does not install; option program says where it is)"):format(
      program, said), 3)
  end
  return strict.seal({ url = ready.url, api_key = options.api_key or ready.api_key, stop = stop,
    output = output, process = process }, "a sandbox", { "url", "api_key", "stop" })
end

return sandbox_process
