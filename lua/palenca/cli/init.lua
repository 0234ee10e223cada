--- The command line of the palenca program.
-- @module palenca.cli
local argparse = require("argparse")
local core = require("palenca.core")
local host = require("palenca.host")
local report = require("palenca.report")

local DONE, FAILED, WRONG_USAGE = 0, 1, 2

local NAMES = { "serve", "dev", "sandbox", "run", "check", "trigger", "events", "income", "decide" }

-- The command of that name alone, if there is one, since to load them all takes longer than many
-- commands do; else all.
local function load_commands(wanted)
  local commands = {}
  for _, name in ipairs(NAMES) do
    if name == wanted then
      return { (require("palenca.cli." .. name)) }
    end
  end
  for at, name in ipairs(NAMES) do
    commands[at] = require("palenca.cli." .. name)
  end
  return commands
end

local function contains(list, value)
  for _, one in ipairs(list) do
    if one == value then
      return true
    end
  end
  return false
end

local function print_version(is_verbose)
  print("palenca " .. core.version)
  if is_verbose then
    for _, library in ipairs(host.versions()) do
      print(string.format("%-13s %s", library.name, library.version))
    end
  end
  os.exit(DONE)
end

local function build(commands, given)
  local parser = argparse("palenca")
    :description("Verified income of gig workers: a client for the Palenca API that runs Lua "
      .. "scripts.")
    :epilog("palenca COMMAND --help tells the options of a command. "
      .. "Scripts read PALENCA_API_KEY, PALENCA_ENVIRONMENT (sandbox or production) "
      .. "and PALENCA_BASE_URL.")
    :help_max_width(96)
    :usage_max_width(96)
    :command_target("command")
  parser:flag("--version", "Print the version and exit."):action(function()
    print_version(contains(given, "--verbose"))
  end)
  parser:flag("--verbose", "With --version: print those of the libraries, too.")
  for _, command in ipairs(commands) do
    command.define(parser:command(command.name, command.summary))
  end
  return parser
end

-- Tells where the help is: that of the command which was meant, as far as that is known.
local function wrong_usage(message, command, part)
  local name = command and command.name .. " " or ""
  if command and command.parts and command.parts[part] then
    name = name .. part .. " "
  end
  io.stderr:write(string.format("palenca: %s\nTry 'palenca %s--help'.\n", message, name))
  return WRONG_USAGE
end

local function find(commands, name)
  for _, command in ipairs(commands) do
    if command.name == name then
      return command
    end
  end
end

--- Runs the program.
-- @param ... the arguments
-- @treturn integer the exit status: 0 done, 1 failed, 2 wrong usage
return function(...)
  local given = { ... }
  local commands = load_commands(given[1])
  local parser = build(commands, given)
  if #given == 0 then
    io.stderr:write(parser:get_help() .. "\n")
    return WRONG_USAGE
  end
  local command = find(commands, given[1])
  -- what stands behind a script's name is the script's, whatever it looks like
  local rest = command and command.split and command.split(given)
  local ok, options = parser:pparse(given)
  if not ok then
    return wrong_usage(options, command, given[2])
  end
  if options.verbose then
    return wrong_usage("--verbose goes with --version", command, given[2])
  end
  options.rest = rest
  local fine, problem = xpcall(find(commands, options.command).run, function(value)
    return type(value) == "string" and debug.traceback(value, 2) or value
  end, options)
  report.finish()
  if not fine then
    io.stderr:write("palenca: " .. tostring(problem) .. "\n")
    return FAILED
  end
  return problem or DONE
end
