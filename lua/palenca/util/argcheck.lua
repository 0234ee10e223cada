--- Checks what a caller passes in, before anything is sent; every failure names the field.
-- @module palenca.util.argcheck
local core = require("palenca.core")
local date = require("palenca.util.date")
local http_method = require("palenca.util.http_method")
local is_uuid = require("palenca.util.uuid")
local shown = require("palenca.util.shown")
local suggest = require("palenca.util.suggest")

local argcheck = {}

local function is_integer(value)
  return type(value) == "number" and value == math.floor(value) and math.abs(value) < 2 ^ 53
end

-- Each returns nil for a valid value, else what was expected.
local types = {
  string = function(value)
    return not (type(value) == "string" and value ~= "") and "a string that is not empty"
  end,
  -- as a string, but what was passed is not shown
  secret = function(value)
    return not (type(value) == "string" and value ~= "") and "a string that is not empty"
  end,
  text = function(value)
    return type(value) ~= "string" and "a string"
  end,
  table = function(value)
    return type(value) ~= "table" and "a table"
  end,
  any = function()
    return nil
  end,
  uuid = function(value)
    return not is_uuid(value) and "an id in UUID form"
  end,
  date = function(value)
    return not (date.parse(value)) and "an existing date, YYYY-MM-DD"
  end,
  tls = function(value)
    return value ~= "1.2" and value ~= "1.3" and "'1.2' or '1.3'"
  end,
  ["function"] = function(value)
    return type(value) ~= "function" and "a function"
  end,
  language = function(value)
    return not (type(value) == "string" and value:find("^%a%a[%a%d-]*$"))
      and "a language tag, such as es"
  end,
  boolean = function(value)
    return type(value) ~= "boolean" and "true or false"
  end,
  seconds = function(value)
    return not (type(value) == "number" and value > 0 and value <= 86400)
      and "a number of seconds above 0, up to 86400"
  end,
  count = function(value)
    return not (is_integer(value) and value >= 0) and "a whole number from 0"
  end,
  retries = function(value)
    return not (is_integer(value) and value >= 0 and value <= core.max_retries_max)
      and "a whole number, at most " .. core.max_retries_max
  end,
  rate = function(value)
    return not (is_integer(value) and value >= 0 and value <= core.rate_limit_max)
      and "a whole number, at most " .. core.rate_limit_max
  end,
  method = function(value)
    return not http_method.is_valid(value) and "capital letters, such as GET"
  end,
  pages = function(value)
    return not (is_integer(value) and value >= 1 and value <= 100)
      and "a whole number from 1 to 100"
  end,
  positive = function(value)
    return not (is_integer(value) and value >= 1) and "a whole number from 1"
  end,
  actions = function(value)
    local ok = type(value) == "table" and #value > 0
    for _, action in ipairs(ok and value or {}) do
      ok = ok and type(action) == "string" and action ~= ""
    end
    return not ok and "a list of event names, such as {'*'}"
  end,
}

--- Whether a value is an id in UUID form; see @{palenca.util.uuid}.
argcheck.is_uuid = is_uuid

--- Writes a value for a message; see @{palenca.util.shown}.
argcheck.shown = shown

-- The module and its parts.
local is_module = setmetatable({}, { __mode = "k" })

--- Adds the module, or a part of it, to those that functions are called of with a dot.
-- @tparam table part
function argcheck.add_module(part)
  is_module[part] = true
end

--- Raises if the module, or a part of it, was passed as the first argument, by a call with a colon.
-- @tparam string what the function, with or without a field behind it, for the message
-- @param value the first argument
-- @tparam number level of the caller to blame
function argcheck.dot(what, value, level)
  if value ~= nil and is_module[value] then
    local name = what:match("^[^:]+")
    error(("%s: call it with a dot, as in %s(...)"):format(name, name), level + 1)
  end
end

--- Raises unless a value is of a type.
-- @tparam string what the call and field, for the message
-- @param value the value
-- @tparam string kind `string` (not empty), `secret` (the same, not shown), `text`, `uuid`, `date`,
-- `boolean`, `seconds`, `count`, `language`, `retries`, `rate`, `method`, `positive`, `actions`,
-- `table`, `tls`, `function` or `any`
-- @tparam number level of the caller to blame, as in `error`
function argcheck.value(what, value, kind, level)
  local expected = types[kind](value)
  if expected then
    argcheck.dot(what, value, level + 1)
    local got = kind == "secret" and "a " .. type(value) or shown(value)
    error(string.format("%s must be %s, got %s", what, expected, got), level + 1)
  end
end

--- The keys of a set of words, in order.
-- @tparam table set the words, as keys
-- @treturn table the words, as a list
function argcheck.words(set)
  local list = {}
  for word in pairs(set) do
    list[#list + 1] = word
  end
  table.sort(list)
  return list
end

--- Raises unless a value is nil or one of a set of words.
-- @tparam string what the call and field, for the message
-- @param value the value
-- @tparam table known the words, as keys
-- @tparam number level of the caller to blame
function argcheck.one_of(what, value, known, level)
  if value ~= nil and not known[value] then
    error(("%s must be one of %s, got %s%s"):format(what, table.concat(argcheck.words(known), ", "),
      shown(value), suggest.text(value, known)), level + 1)
  end
end

local NONE = {}

local function missing_text(names)
  return #names == 1 and ("field '%s' is missing"):format(names[1])
    or ("fields '%s' are missing"):format(table.concat(names, "', '"))
end

--- Raises unless a table has only the fields of a spec, each of its type. Each is read once: the
-- table may have methods, which may return something else the next time.
-- @tparam string what the call, for the message
-- @tparam ?table values the caller's table; nil counts as empty
-- @tparam table spec field → type, with `!` behind it if the field must be there
-- @tparam number level of the caller to blame
-- @treturn table the fields
function argcheck.fields(what, values, spec, level)
  if values == nil then
    values = NONE
  elseif type(values) ~= "table" then
    -- a text in place of the options may be a key
    local got = type(values) == "string" and "a string" or shown(values)
    error(string.format("%s takes a table, got %s", what, got), level + 1)
  end
  argcheck.dot(what, values, level + 1)
  for name in pairs(values) do
    if not spec[name] then
      error(
        string.format("%s: unknown field '%s' (known: %s)%s", what, tostring(name),
          table.concat(argcheck.words(spec), ", "), suggest.text(name, spec)),
        level + 1
      )
    end
  end
  local fields, missing = {}, nil
  for name, kind in pairs(spec) do
    local required = kind:sub(-1) == "!"
    local value = values[name]
    if value ~= nil then
      argcheck.value(what .. ": " .. name, value, required and kind:sub(1, -2) or kind, level + 1)
    elseif required then
      missing = missing or {}
      missing[name] = true
    end
    fields[name] = value
  end
  if missing then
    error(what .. ": " .. missing_text(argcheck.words(missing)), level + 1)
  end
  return fields
end

return argcheck
