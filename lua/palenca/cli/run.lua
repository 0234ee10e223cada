--- palenca run: runs a script once.
-- @module palenca.cli.run
local client = require("palenca.client")
local options = require("palenca.cli.options")
local script = require("palenca.script")

local run = { name = "run", summary = "Run a script once." }

local FAILED = 1

function run.define(command)
  command:argument("script", "The Lua file."):argname("SCRIPT")
  command:argument("arguments", "What the script gets as '...' and in 'arg'.")
    :argname("ARG"):args("*")
  options.add_client(command)
end

--- Cuts off what belongs to the script: all behind its name.
-- @tparam table given the program's arguments; shortened
-- @treturn table the script's arguments
function run.split(given)
  local at = 2
  while given[at] and given[at]:sub(1, 2) == "--" do
    at = at + ((given[at]:find("=", 1, true) or given[at] == "--") and 1 or 2)
    if given[at - 1] == "--" then
      break
    end
  end
  local rest = table.move(given, at + 1, #given, 1, {})
  for i = #given, at + 1, -1 do
    given[i] = nil
  end
  return rest
end

function run.run(given)
  client.set_defaults(options.client(given))
  local ok, problem = pcall(script.load, given.script, table.unpack(given.rest))
  if not ok then
    io.stderr:write("palenca run: " .. tostring(problem) .. "\n")
    return FAILED
  end
end

return run
