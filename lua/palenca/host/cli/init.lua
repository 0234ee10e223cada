--- The command line of the palenca program.
-- @module palenca.host.cli
local argparse = require("argparse")
local core = require("palenca.core")
local host = require("palenca.host")
local output = require("palenca.host.cli.output")
local program_log = require("palenca.host.program_log")
local suggest = require("palenca.util.suggest")

local DONE, FAILED, WRONG_USAGE = 0, 1, 2

local NAMES = { "serve", "dev", "sandbox", "run", "check", "trigger", "events", "decisions",
  "shadow", "forget", "income", "decide" }

-- The command of that name alone, if there is one, since to load them all takes longer than many
-- commands do; else all.
local function load_commands(chosen)
  local commands = {}
  for _, name in ipairs(NAMES) do
    if name == chosen then
      return { (require("palenca.host.cli." .. name)) }
    end
  end
  for at, name in ipairs(NAMES) do
    commands[at] = require("palenca.host.cli." .. name)
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
  output.text("palenca " .. core.version)
  for _, library in ipairs(is_verbose and host.versions() or {}) do
    output.text(string.format("%-13s %s", library.name, library.version))
  end
end

-- Sets `instead[1]` to a function that is called instead of running a command.
local function add_help(element, instead)
  element:add_help({
    action = function()
      instead[1] = instead[1] or function()
        output.text(element:get_help())
      end
    end,
  })
  -- where the one of argparse stood
  table.insert(element._options, 1, (table.remove(element._options)))
  element._help_option_idx = 1
  for _, part in ipairs(element._commands) do
    add_help(part, instead)
  end
end

local function build(commands, given)
  local instead = {}
  local parser = argparse("palenca")
    :description("Verified income of gig workers: a client for the Palenca API that runs Lua "
      .. "scripts.")
    :epilog("palenca COMMAND --help lists the options of a command. "
      .. "Scripts read PALENCA_API_KEY, PALENCA_ENVIRONMENT (sandbox or production) "
      .. "and PALENCA_BASE_URL.")
    :help_max_width(96)
    :usage_max_width(96)
    :command_target("command")
  parser:flag("--version", "Print the version and exit."):action(function()
    instead[1] = instead[1] or function()
      print_version(contains(given, "--verbose"))
    end
  end)
  parser:flag("--verbose", "With --version: print those of the libraries, too.")
  for _, command in ipairs(commands) do
    command.define(parser:command(command.name, command.summary))
  end
  add_help(parser, instead)
  return parser, instead
end

-- The names of the options, or of the commands, that may stand in a command line.
local function names_of(parser, field, given)
  local names, element = {}, parser
  for at = 0, #given do
    for _, part in ipairs(at > 0 and element._commands or {}) do
      if part._name == given[at] then
        element = part
        break
      end
    end
    for _, one in ipairs(element[field]) do
      for _, alias in ipairs(one._aliases) do
        names[alias] = true
      end
    end
  end
  return names
end

-- The parser's own suggestions are replaced, so that all names are compared in the same way.
local function with_suggestion(message, parser, given)
  local kind, name = message:match("^unknown (%l+) '(.-)'")
  if not kind then
    return message
  end
  local known = names_of(parser, kind == "option" and "_options" or "_commands", given)
  return string.format("unknown %s '%s'%s", kind, name, suggest.text(name, known))
end

-- Logs wrong usage with a hint at the help: that of the command, if it is known.
local function wrong_usage(message, command, part)
  local name = command and command.name .. " " or ""
  if command and command.parts and command.parts[part] then
    name = name .. part .. " "
  end
  program_log.problem(message, { hint = "Try 'palenca " .. name .. "--help'." })
  return WRONG_USAGE
end

local function find(commands, name)
  for _, command in ipairs(commands) do
    if command.name == name then
      return command
    end
  end
end

local function traceback(value)
  return type(value) == "string" and debug.traceback(value, 2) or value
end

-- Calls what may fail; returns the exit status.
local function run(body, ...)
  local ok, result = xpcall(body, traceback, ...)
  if ok then
    ok, result = pcall(function(status)
      output.flush()
      return status
    end, result)
  end
  program_log.finish()
  if ok then
    return result or DONE
  elseif output.is_closed(result) then
    return output.CLOSED
  end
  program_log.problem(tostring(result))
  return FAILED
end

--- Runs the program.
-- @param ... the arguments
-- @treturn integer the exit status: 0 done, 1 failed, 2 wrong usage, 141 if nobody reads standard
-- output any more; others are the command's own
return function(...)
  local given = { ... }
  local commands = load_commands(given[1])
  local parser, instead = build(commands, given)
  if #given == 0 then
    io.stderr:write(parser:get_help() .. "\n")
    return WRONG_USAGE
  end
  local command = find(commands, given[1])
  -- arguments after a script's name are the script's, even if they start with a dash
  local rest = command and command.split and command.split(given)
  program_log.use_json(contains(given, "--json") and not (command and command.is_text))
  local ok, options = parser:pparse(given)
  if instead[1] then
    return run(instead[1])
  elseif not ok then
    return wrong_usage(with_suggestion(options, parser, given), command, given[2])
  elseif options.verbose then
    return wrong_usage("--verbose goes with --version", command, given[2])
  end
  options.rest = rest
  command = find(commands, options.command)
  if not command.handles_signals then
    host.release_signals()
  end
  return run(command.run, options)
end
