--- palenca help: the help of the program, or of a command.
-- @module palenca.host.cli.help
local man_page = require("palenca.host.cli.man_page")
local output = require("palenca.host.cli.output")
local program_log = require("palenca.host.program_log")
local suggest = require("palenca.util.suggest")

local help = {
  name = "help",
  summary = "Show the help of a command.",
  is_text = true,
  needs_all = true,
}

local WRONG_USAGE = 2

function help.define(command)
  command:argument("path", "The command, and its part."):argname("COMMAND"):args("*")
  command._is_help_command = true -- completed with the names of the commands
  command:flag("--man", "Write it as a man page.")
end

local function find(parser, path)
  local element = parser
  for _, name in ipairs(path) do
    local found, names = nil, {}
    for _, part in ipairs(element._commands) do
      names[#names + 1] = part._name
      found = part._name == name and part or found
    end
    if not found then
      return nil, ("unknown command '%s'%s"):format(name, suggest.text(name, names))
    end
    element = found
  end
  return element
end

function help.run(given, parser)
  local element, problem = find(parser, given.path)
  if not element then
    program_log.problem(problem, "Try 'palenca help'.")
    return WRONG_USAGE
  end
  if given.man then
    output.line(man_page.text(element, given.path))
  else
    output.text(element:get_help())
  end
end

return help
