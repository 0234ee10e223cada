--- The command line of the palenca program.
-- @module palenca.host.cli
local commands = require("palenca.host.cli.commands")
local config_file = require("palenca.host.cli.config_file")
local host = require("palenca.host")
local command_options = require("palenca.host.cli.options")
local output = require("palenca.host.cli.output")
local parser = require("palenca.host.cli.parser")
local program_log = require("palenca.host.program_log")

local DONE, FAILED, WRONG_USAGE = 0, 1, 2

local function load_all()
  local list = {}
  for _, group in ipairs(commands.groups) do
    for _, name in ipairs(group[2]) do
      list[#list + 1] = require("palenca.host.cli." .. name)
    end
  end
  return list
end

-- The command of that name alone, if there is one that does not need the others, since to load them
-- all takes longer than many commands do; else all. Each has `name`, `summary`, `define` and `run`.
local function load_commands(chosen, needs_all)
  for _, group in ipairs(not needs_all and commands.groups or {}) do
    for _, name in ipairs(group[2]) do
      if name == chosen then
        local command = require("palenca.host.cli." .. name)
        return command.needs_all and load_all() or { command }
      end
    end
  end
  return load_all()
end

local function contains(list, value)
  for _, one in ipairs(list) do
    if one == value then
      return true
    end
  end
  return false
end

-- Logs wrong usage with a hint at the help: that of the command, if it is known.
local function wrong_usage(message, command, part)
  local name = command and command.name .. " " or ""
  if command and command.parts and command.parts[part] then
    name = name .. part .. " "
  end
  program_log.problem(message, "Try 'palenca " .. name .. "--help'.")
  return WRONG_USAGE
end

local function find(list, name)
  for _, command in ipairs(list) do
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

local function choose_log(command, given)
  local is_json = contains(given, "--json") and not (command and command.is_text)
  host.log_use_json(is_json)
  program_log.use_json(is_json, command and command.name)
end

-- Parses the arguments, runs the command; returns the exit status.
local function run_command(list, given, rest)
  local command = find(list, given[1])
  local root, instead = parser.new(list)
  local path = config_file.path(given)
  if path then
    config_file.apply(root, path, given)
    choose_log(command, given)
  end
  local ok, options = root:pparse(given)
  if instead[1] then
    return instead[1]({ verbose = contains(given, "--verbose") })
  elseif not ok then
    return wrong_usage(parser.with_suggestion(options, root, given), command, given[2])
  end
  command = find(list, options.command)
  if options.verbose and command.name ~= "version" then
    return wrong_usage("--verbose goes with --version", command, given[2])
  end
  options.rest = rest
  if not command.handles_signals then
    host.release_signals()
  end
  return command.run(options, root)
end

--- Runs the program.
-- @param ... the arguments
-- @treturn integer the exit status: 0 done, 1 failed, 2 wrong usage, 141 if nobody reads standard
-- output any more; others are the command's own
return function(...)
  local given = { ... }
  command_options.use_arguments({ ... }) -- what a file of options says is added to the others
  if #given == 0 then
    io.stderr:write(parser.new(load_all()):get_help() .. "\n")
    return WRONG_USAGE
  end
  local list = load_commands(given[1], config_file.path(given) ~= nil)
  local command = find(list, given[1])
  -- arguments after a script's name are the script's, even if they start with a dash
  local rest = command and command.split and command.split(given)
  choose_log(command, given)
  return run(run_command, list, given, rest)
end
