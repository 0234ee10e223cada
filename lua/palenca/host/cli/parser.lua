--- Makes the parser of the command line, and its help, which is as wide as the terminal.
-- @module palenca.host.cli.parser
local argcheck = require("palenca.util.argcheck")
local argparse = require("argparse")
local commands = require("palenca.host.cli.commands")
local options = require("palenca.host.cli.options")
local output = require("palenca.host.cli.output")
local suggest = require("palenca.util.suggest")
local terminal = require("palenca.host.cli.terminal")
local version = require("palenca.host.cli.version")

local parser = {}

-- Where a line is shorter, a description stands below what it is about.
local WIDE = 72

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

-- An example, with further lines for what does not fit.
local function fold(example, width)
  local lines, line = {}, "  "
  for word in example:gmatch("%S+") do
    local is_first = not line:find("%S")
    -- two columns are for the backslash
    if not is_first and #line + 1 + #word > width - 2 then
      lines[#lines + 1] = line .. " \\"
      line = "    " .. word
    else
      line = line .. " " .. word
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

-- What stands below the help: a note, and examples.
local function add_epilog(element, path, width, note)
  local texts = { note }
  element.note, element.examples = note, commands.examples[path]
  if element.examples then
    local lines = { #element.examples > 1 and "Examples:" or "Example:" }
    for _, example in ipairs(element.examples) do
      lines[#lines + 1] = fold(example, width)
    end
    texts[#texts + 1] = table.concat(lines, "\n")
  end
  if texts[1] then
    element:epilog(table.concat(texts, "\n\n"))
  end
end

local function add_config(element)
  options.add(element, "--config", {
    help = "A file with options, a Lua table. Else $PALENCA_CONFIG.",
    convert = options.file,
    argname = "FILE",
  })
end

local function add_command(root, command, width)
  local element = root:command(command.name, command.summary)
  command.define(element)
  add_epilog(element, command.name, width, command.note)
  for _, part in ipairs(element._commands) do
    add_epilog(part, command.name .. " " .. part._name, width)
    add_config(part)
  end
  if #element._commands == 0 then
    add_config(element)
  end
  return element
end

local function group_of(name)
  for _, group in ipairs(commands.groups) do
    for _, one in ipairs(group[2]) do
      if one == name then
        return group[1]
      end
    end
  end
end

local function add_commands(root, list, width)
  local groups, titles = {}, {}
  for _, command in ipairs(list) do
    local title = group_of(command.name)
    if not groups[title] then
      groups[title] = {}
      titles[#titles + 1] = title
    end
    table.insert(groups[title], add_command(root, command, width))
  end
  for _, title in ipairs(titles) do
    root:group(title, table.unpack(groups[title]))
  end
end

--- Makes the parser.
-- @tparam {table,...} list of commands
-- @return the parser, of argparse
-- @treturn table whose first item is what the command line asks for instead of running a command,
-- once it is parsed: a function that takes the options
function parser.new(list)
  local instead, width = {}, terminal.columns()
  local root = argparse("palenca")
    :description("Verified income of gig workers: a client for the Palenca API that runs Lua "
      .. "scripts.")
    :help_max_width(width)
    :usage_max_width(width)
    :help_usage_margin(width < WIDE and 1 or 3)
    :help_description_margin(width < WIDE and 3 or 25)
    :command_target("command")
  root:flag("--version", "Print the version and exit."):action(function()
    instead[1] = instead[1] or version.run
  end)
  root:flag("--verbose", "With --version: print those of the libraries, too.")
  add_commands(root, list, width)
  add_epilog(root, "", width, "'palenca help COMMAND' lists the options of a command. Scripts read "
    .. "PALENCA_API_KEY, PALENCA_ENVIRONMENT (sandbox or production) and PALENCA_BASE_URL.")
  add_help(root, instead)
  return root, instead
end

-- The names of the options, or of the commands, that may stand in a command line.
local function names_of(root, field, given)
  local names, element = {}, root
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

-- Without those that are there already.
local function list_of(names, given)
  for _, one in ipairs(given) do
    names[one] = nil
  end
  return table.concat(argcheck.words(names), ", ")
end

--- Replaces the suggestions of argparse, so that all names are compared in the same way.
-- @tparam string message of argparse
-- @param root the parser
-- @tparam {string,...} given the arguments
-- @treturn string
function parser.with_suggestion(message, root, given)
  local kind, name = message:match("^unknown (%l+) '(.-)'")
  if message == "a command is required" then
    return "a command is required, one of " .. list_of(names_of(root, "_commands", given), given)
  elseif not kind then
    return message
  elseif kind == "command" and name:find("%.lua$") then
    return string.format("unknown command '%s'; a script is run by 'palenca dev %s', or by serve, "
      .. "run or check", name, name)
  end
  local known = names_of(root, kind == "option" and "_options" or "_commands", given)
  if name == "--api-key" and known["--api-key-file"] then -- any process can read a command line
    return "unknown option '--api-key'; a key is given in a file, by --api-key-file, or in "
      .. "$PALENCA_API_KEY"
  end
  return string.format("unknown %s '%s'%s", kind, name, suggest.text(name, known))
end

return parser
