--- palenca run: runs a script once.
-- @module palenca.host.cli.run
local client = require("palenca.client")
local handlers = require("palenca.handlers")
local options = require("palenca.host.cli.options")
local output = require("palenca.host.cli.output")
local program_log = require("palenca.host.program_log")
local script_loader = require("palenca.host.script_loader")

local run = { name = "run", summary = "Run a script once.", is_text = true }

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

-- The exit status, or FAILED if what was printed is lost.
local function check_output(status)
  local problem = output.problem()
  if problem then
    program_log.problem("cannot write to standard output: " .. problem)
    return FAILED
  end
  return status
end

-- A script that ends the process by itself fails as well if what it printed is lost.
local function watch_exit()
  local exit = os.exit
  os.exit = function(status, ...) -- luacheck: ignore 122
    local is_done = status == nil or status == true or status == 0
    local ok, checked = pcall(check_output, status)
    if is_done and (not ok or checked == FAILED) then
      status = ok and FAILED or output.CLOSED
    end
    exit(status, ...)
  end
end

-- Such a script ends without having done anything.
local function warn_of_handlers(script)
  local list = table.concat(handlers.actions(), ", ")
  program_log.line(("%s: warning: its handlers (%s) run in 'palenca dev' and 'palenca serve' only")
    :format(script, list), { event = "warning", script = script })
end

function run.run(given)
  client.set_defaults(options.client(given), "name a file with --api-key-file")
  output.watch_script()
  watch_exit()
  local ok, problem = pcall(script_loader.load, given.script, table.unpack(given.rest))
  output.check_reader()
  if not ok then
    program_log.problem(tostring(problem))
  elseif handlers.actions()[1] then
    warn_of_handlers(given.script)
  end
  return check_output(ok and 0 or FAILED)
end

return run
