--- Reads a file with options: a Lua table.
--
-- At its top stand the options that an environment variable can set, for all commands: `db` is what
-- PALENCA_DB is. A table with the name of a command has options of that command alone, by their
-- names without the dashes: `serve = { workers = 4 }`, `events = { list = { limit = 20 } }`. A flag
-- outweighs a variable, and a variable the file.
-- @module palenca.host.cli.config_file
local options = require("palenca.host.cli.options")
local suggest = require("palenca.util.suggest")
local user_error = require("palenca.host.user_error")

local config_file = {}

-- The name of an option in the file, such as `max_body`.
local function key_of(option)
  return (option._name:gsub("^%-+", ""):gsub("%-", "_"))
end

local function variable_of(option)
  local spec = options.spec_of(option)
  return spec.env or spec.own_env
end

local function is_configurable(option)
  local key = key_of(option)
  return key ~= "h" and key ~= "help" and key ~= "config"
end

-- The options of a command, by their keys.
local function options_of(command)
  local found = {}
  for _, option in ipairs(command._options) do
    if is_configurable(option) then
      found[key_of(option)] = option
    end
  end
  return found
end

-- The name for all commands: the variable's, but a file remains one.
local function common_key(option)
  local variable = variable_of(option)
  local key = variable and variable:match("^PALENCA_(.*)$"):lower()
  return key and option._name:find("%-file$") and key .. "_file" or key
end

-- The options of a command and all its parts that a variable sets, by the common key.
local function add_common(command, found)
  for _, option in ipairs(command._options) do
    local key = common_key(option)
    if key then
      found[key] = found[key] or {}
      table.insert(found[key], option)
    end
  end
  for _, part in ipairs(command._commands) do
    add_common(part, found)
  end
  return found
end

local function parts_of(command)
  local parts = {}
  for _, part in ipairs(command._commands) do
    parts[part._name] = part
  end
  return parts
end

local function load_table(path)
  local file, problem = io.open(path, "rb")
  local text
  if file then
    text, problem = file:read("a")
    file:close()
  end
  if not text then
    user_error("--config: %s", problem)
  end
  local chunk
  chunk, problem = load(text, "@" .. path, "t", {})
  local ok, result
  if chunk then
    ok, result = pcall(chunk)
    problem = result
  end
  if not ok then
    user_error("--config: %s", problem)
  elseif type(result) ~= "table" then
    user_error("--config: %s does not return a table", path)
  end
  return result
end

local function is_flag(option)
  return option._minargs == 0 and option._maxargs == 0
end

local function describe(value)
  return type(value) == "string" and ("'%s'"):format(value) or tostring(value)
end

-- The text of a value as it would stand in the command line; or nil and what is wrong.
local function text_of(option, value)
  if type(value) == "number" then
    value = math.type(value) == "integer" and ("%d"):format(value) or ("%.14g"):format(value)
  elseif type(value) ~= "string" then
    return nil, ("%s is not a text or a number"):format(describe(value))
  end
  local convert = options.spec_of(option).convert
  if convert then
    local converted, problem = convert(value)
    if converted == nil then
      return nil, problem
    end
  end
  return value
end

-- Appends what the value of an option is in a command line.
local function append(list, option, value)
  if is_flag(option) then
    if type(value) ~= "boolean" then
      return ("%s is not true or false"):format(describe(value))
    end
    list[#list + 1] = value and option._name or nil
    return nil
  end
  local values = options.spec_of(option).is_list and type(value) == "table" and value or { value }
  for _, one in ipairs(values) do
    local text, problem = text_of(option, one)
    if not text then
      return problem
    end
    list[#list + 1] = option._name .. "=" .. text
  end
end

local function check(path, place, option, value)
  local problem = append({}, option, value)
  if problem then
    user_error("--config: %s: %s: %s", path, place, problem)
  end
end

local function unknown(path, place, key, known)
  user_error("--config: %s: unknown option '%s'%s", path, place .. tostring(key),
    suggest.text(tostring(key), known))
end

-- Checks the table of a command, and those of its parts.
local function check_command(path, place, command, given)
  local known, parts = options_of(command), parts_of(command)
  for key, value in pairs(given) do
    if parts[key] and type(value) == "table" then
      check_command(path, place .. key .. ".", parts[key], value)
    elseif known[key] then
      check(path, place .. key, known[key], value)
    else
      for name in pairs(parts) do
        known[name] = true
      end
      unknown(path, place, key, known)
    end
  end
end

local function check_all(path, parser, given)
  local common, commands = add_common(parser, {}), parts_of(parser)
  for key, value in pairs(given) do
    if commands[key] and type(value) == "table" then
      check_command(path, key .. ".", commands[key], value)
    elseif common[key] then
      local problem
      for _, option in ipairs(common[key]) do
        problem = append({}, option, value)
        if not problem then
          break -- of those that a variable sets in several commands, one takes it
        end
      end
      if problem then
        user_error("--config: %s: %s: %s", path, key, problem)
      end
    else
      local known = commands
      for name in pairs(common) do
        known[name] = true
      end
      unknown(path, "", key, known)
    end
  end
end

local function has_flag(given, option)
  for _, text in ipairs(given) do
    for _, name in ipairs(option._aliases) do
      if text == name or text:sub(1, #name + 1) == name .. "=" then
        return true
      end
    end
  end
  return false
end

-- A variable counts as set as it does without a file: see options.add.
local function has_variable(option)
  local variable = variable_of(option)
  local value = variable and os.getenv(variable)
  return value and (value ~= "" or options.spec_of(option).guards) and true or false
end

local function is_set(given, option)
  return has_flag(given, option) or has_variable(option)
end

-- Whether it, or another one that is instead of it, is set.
local function is_decided(given, command, option)
  local other = options.spec_of(option).instead_of
  return is_set(given, option) or (other and is_set(given, options_of(command)[other])) or false
end

local function value_of(config, names, option)
  local own = config
  for _, name in ipairs(names) do
    own = type(own) == "table" and own[name] or nil
  end
  if type(own) == "table" and own[key_of(option)] ~= nil then
    return own[key_of(option)]
  end
  local key = common_key(option)
  return key and config[key]
end

--- The file that a command line or $PALENCA_CONFIG names.
-- @tparam {string,...} given the arguments
-- @treturn ?string
function config_file.path(given)
  for at, text in ipairs(given) do
    local path = text:match("^%-%-config=(.*)$") or text == "--config" and given[at + 1]
    if path then
      return path
    end
  end
  local path = os.getenv("PALENCA_CONFIG")
  return path ~= "" and path or nil
end

--- Adds to a command line what the file says, if neither a flag nor a variable does. Raises if the
-- file cannot be read, or has a name or a value that no command takes.
-- @param parser of argparse, with all commands
-- @tparam string path the file
-- @tparam {string,...} given the arguments; what the file says is put behind the command's name
function config_file.apply(parser, path, given)
  local config = load_table(path)
  check_all(path, parser, config)
  local names, command = {}, parser
  while parts_of(command)[given[#names + 1]] do
    names[#names + 1] = given[#names + 1]
    command = parts_of(command)[names[#names]]
  end
  local added = {}
  for _, option in ipairs(command._options) do
    local value
    if is_configurable(option) and not is_decided(given, command, option) then
      value = value_of(config, names, option)
    end
    if value ~= nil then
      append(added, option, value)
    end
  end
  table.move(given, #names + 1, #given, #names + 1 + #added)
  table.move(added, 1, #added, #names + 1, given)
end

return config_file
