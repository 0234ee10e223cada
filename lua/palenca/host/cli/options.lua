--- Reads options that several commands have: a flag, else an environment variable, else a default.
-- @module palenca.host.cli.options
local secret_file = require("palenca.host.cli.secret_file")
local suggest = require("palenca.util.suggest")

local options = {}

local function number(kind, fits)
  return function(text)
    local value = tonumber(text)
    if not value or not fits(value) then
      return nil, string.format("'%s' is not %s", text, kind)
    end
    return math.tointeger(value) or value
  end
end

--- Lists words for a person.
-- @tparam {string,...} words two or more
-- @treturn string such as `received, running or done`
function options.alternatives(words)
  return table.concat(words, ", ", 1, #words - 1) .. " or " .. words[#words]
end

--- Makes a converter for one of a few words.
-- @tparam {string,...} words
-- @treturn function
function options.one_of(words)
  return suggest.one_of(words, "'%s' must be one of '" .. table.concat(words, "', '") .. "'")
end

--- Makes a converter for a word of which the API may have more than are documented: one that is
-- almost a known one is a mistake.
-- @tparam string noun what it is, such as "platform"
-- @tparam {string,...} words that are known
-- @treturn function
function options.no_typo(noun, words)
  local is_known = {}
  for _, word in ipairs(words) do
    is_known[word] = true
  end
  return function(text)
    local meant = not is_known[text] and suggest.text(text, words) or ""
    if meant ~= "" then
      return nil, string.format("'%s' is not a known %s%s", text, noun, meant)
    end
    return text
  end
end

--- Converters for argparse.
options.count = number("a whole number from 0", function(value)
  return math.tointeger(value) and value >= 0 and value <= 2 ^ 31
end)
options.positive = number("a whole number from 1", function(value)
  return math.tointeger(value) and value >= 1 and value <= 2 ^ 31
end)
options.id = number("an event's id, a whole number from 1", function(value)
  return math.tointeger(value) and value >= 1
end)
options.days = number("a number of days from 0", function(value)
  return value >= 0 and value <= 1e5
end)
options.seconds = number("a number of seconds from 0", function(value)
  return value >= 0 and value <= 1e6
end)
options.duration = number("a number of seconds from 0.001 to 86400", function(value)
  return value >= 0.001 and value <= 86400
end)

--- The first of some options that is not there.
-- @tparam table given the parsed options
-- @tparam string ... their names there
-- @treturn ?string what is said of it
function options.missing(given, ...)
  for _, name in ipairs({ ... }) do
    if not given[name] then
      return "missing option --" .. name:gsub("_", "-")
    end
  end
end

--- A converter for whole numbers.
-- @tparam integer min
-- @tparam integer max
-- @tparam ?string unit of what
function options.integer(min, max, unit)
  local what = unit and " of " .. unit or ""
  return number(string.format("a whole number%s from %d to %d", what, min, max), function(value)
    return math.tointeger(value) and value >= min and value <= max
  end)
end

--- The name of a file. One of blanks is what is left of a variable that was not set.
function options.file(text)
  if not text:find("%S") then
    return nil, string.format("'%s' is not the name of a file", text)
  end
  return text
end

local arguments = {}

--- Knows the words of the command line.
-- @tparam {string,...} list
function options.use_arguments(list)
  arguments = list
end

--- Whether a value stands on the command line, where all processes can read it.
-- @tparam string value
-- @treturn boolean
function options.is_argument(value)
  for _, argument in ipairs(arguments) do
    if argument:sub(-#value) == value then
      return true
    end
  end
  return false
end

--- An address and port to listen on.
function options.address(text)
  local port = text:match("^[^%s]+:(%d+)$")
  if not port or tonumber(port) > 65535 then
    return nil, string.format("'%s' is not an address and port, such as 127.0.0.1:8080", text)
  end
  return text
end

--- The path of a URL.
function options.path(text)
  if not text:find("^/[%w%-%._~/]*$") then
    return nil, string.format("'%s' is not a path, such as /webhooks/palenca", text)
  end
  return text
end

-- A value may come from the environment, so an error names its source.
local function named(name, spec)
  local source = spec.env and name .. " (or $" .. spec.env .. ")" or name
  return function(text)
    local value, problem = spec.convert(text)
    if value == nil then
      return nil, source .. ": " .. problem
    end
    return value
  end
end

-- What options were added with, by the option: their environment variable, and their words.
local specs = setmetatable({}, { __mode = "k" })

--- What is known of an option.
-- @param option of argparse
-- @treturn table the `spec` of @{add}; an empty one if it was added in another way
function options.spec_of(option)
  return specs[option] or {}
end

--- Adds the options that a function adds under a heading of their own in the help.
-- @param command of argparse
-- @tparam string title of the heading
-- @tparam function define adds options to the command
-- @param ... passed on to it, after the command
function options.group(command, title, define, ...)
  local before = #command._options
  define(command, ...)
  command:group(title, table.unpack(command._options, before + 1))
end

--- Adds an option.
-- @param command of argparse
-- @tparam string name such as `--listen`
-- @tparam table spec `help`, `default`, `env`, `convert`, `argname`; `words`: those that it may be,
-- for completion; `guards`: whether it is about whom to admit, so that an empty variable, which
-- otherwise counts as not set, is a mistake, and so is the option given twice, of which otherwise
-- the last one counts; `is_list`: whether it may be repeated; `own_env`: a variable that is read by
-- those who read the option; `instead_of`: the key of an option of which only one can count
-- @return the option
function options.add(command, name, spec)
  local help = spec.help
  if spec.env then
    help = help .. string.format(" Else $%s.", spec.env)
  end
  if spec.default ~= nil then
    help = help .. string.format(" Default: %s.", spec.default)
  end
  local option = command:option(name, help):overwrite(not spec.guards)
  specs[option] = spec
  if spec.is_list then
    option:count("*")
  end
  if spec.argname then
    option:argname(spec.argname)
  end
  if spec.convert then
    option:convert(named(name, spec))
  end
  local from_environment = spec.env and os.getenv(spec.env)
  if from_environment == "" and not spec.guards then
    from_environment = nil
  end
  local default = from_environment or spec.default
  if default ~= nil then
    option:default(tostring(default)):show_default(false)
  end
  return option
end

--- Adds options that are all settings of a server: each may come from the variable of its name.
-- @param command of argparse
-- @tparam table list of `{name, help, default, convert, argname}`; the default may be nil
-- @tparam ?boolean guards as for @{add}
function options.add_all(command, list, guards)
  for _, entry in ipairs(list) do
    local name, help, default, convert, argname = table.unpack(entry, 1, 5)
    options.add(command, name, {
      help = help,
      env = "PALENCA_" .. name:sub(3):upper():gsub("%-", "_"),
      default = default,
      convert = convert,
      argname = argname,
      guards = guards,
    })
  end
end

--- The option for how many rows are listed.
function options.add_limit(command)
  options.add(command, "--limit", {
    help = "The newest N; 0: all.",
    default = 0,
    convert = options.count,
    argname = "N",
  })
end

--- The flag for lines of JSON.
function options.add_json(command)
  command:flag("--json", "Write lines of JSON instead of text.")
end

local function environment(text)
  if text ~= "sandbox" and text ~= "production" then
    return nil, string.format("'%s' is not sandbox or production%s", text,
      suggest.text(text, { "sandbox", "production" }))
  end
  return text
end

-- On this machine the API is spoken to without TLS.
local function is_local(host)
  return host:find("^localhost%f[:/\0]") or host:find("^127%.") or host:find("^%[::1%]")
end

-- What is wrong beyond that, a client says.
local function base_url(text)
  if text:find("^https?://%S+$") then
    return text
  elseif text:find("@", 1, true) then -- one with a password in it is not shown
    return nil, "this is not a URL, such as https://api.palenca.com"
  elseif text:find("^[%w%[][%w%.:%-%]]*%f[/\0]%S*$") and not text:find("://", 1, true) then
    return nil, string.format("'%s' is not a URL; write %s://%s", text,
      is_local(text) and "http" or "https", text)
  end
  return nil, string.format("'%s' is not a URL, such as https://api.palenca.com", text)
end

--- The options of those who run a script: how its clients reach the API. The module itself reads
-- the environment, where a flag for one of these outweighs a variable for the other.
function options.add_client(command)
  options.add(command, "--api-key-file", {
    help = "A file with the API key. Else $PALENCA_API_KEY, else the credential palenca.api-key.",
    convert = options.file,
    own_env = "PALENCA_API_KEY",
    argname = "FILE",
  })
  options.add(command, "--environment", {
    help = "The API's environment: sandbox, the vendor's hosted one, or production. Else "
      .. "$PALENCA_ENVIRONMENT. Default: sandbox.",
    convert = environment,
    own_env = "PALENCA_ENVIRONMENT",
    instead_of = "base_url",
    words = { "sandbox", "production" },
    argname = "NAME",
  })
  options.add(command, "--base-url", {
    help = "Where the API is, instead of an environment. Else $PALENCA_BASE_URL.",
    convert = base_url,
    own_env = "PALENCA_BASE_URL",
    instead_of = "environment",
    argname = "URL",
  })
  options.add(command, "--rate-limit", {
    help = "Requests a minute to the API; 0: no limit. The API allows 120 for a key, over all "
      .. "machines.",
    env = "PALENCA_RATE_LIMIT",
    convert = options.count,
    argname = "N",
  })
end

-- What a client of these options says of one, with where the option is from.
local of_environment = {
  { "^base_url: (.*)$", "$PALENCA_BASE_URL (or --base-url)" },
  { "^environment (must be .*)$", "$PALENCA_ENVIRONMENT (or --environment)" },
  { "^(the API key .*)$", "$PALENCA_API_KEY (or the file of --api-key-file)" },
}

--- Names the option that a client does not take, as the shell has it.
-- @tparam string problem what `palenca.new` raised
-- @treturn string
function options.client_problem(problem)
  local text = problem:match("^palenca%.new: (.*)$")
  if not text then
    return problem
  elseif text:find("^base_url and environment are both set") then
    return "$PALENCA_BASE_URL and $PALENCA_ENVIRONMENT are both set; only one can be meant"
  end
  for _, one in ipairs(of_environment) do
    local rest = text:match(one[1])
    if rest then
      local url = os.getenv("PALENCA_BASE_URL")
      local _, wrong = base_url(one[2]:find("BASE_URL", 1, true) and url or "https://x")
      return ("%s: %s"):format(one[2], wrong or rest)
    end
  end
  local name, rest = text:match("^([%l%d_]+) (must .*)$")
  local variable = name and "PALENCA_" .. name:upper()
  return variable and os.getenv(variable) and ("$%s %s"):format(variable, rest) or problem
end

--- What they mean for palenca.client. Raises if the file of the key cannot be read, or holds none.
-- @tparam table given the parsed options
-- @treturn table defaults for `palenca.new`
function options.client(given)
  local path = given.api_key_file
  if not path and (os.getenv("PALENCA_API_KEY") or "") == "" then
    path = secret_file.credential("api-key")
  end
  return {
    api_key = path and secret_file.read("--api-key-file", path, "key") or nil,
    environment = given.environment,
    base_url = given.base_url,
    rate_limit = given.rate_limit,
  }
end

return options
