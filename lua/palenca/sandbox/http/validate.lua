--- Checks the fields of a request against declared ones, and reports every fault.
-- @module palenca.sandbox.http.validate
--
-- A field is a table: `name`, and `check` (one of the functions below) or `fields` (a nested
-- object), and optionally `required`, and `default`. Fields that are not declared are ignored,
-- as by the API, unless a function says otherwise, and null counts as absent. A fault is
-- {loc, msg, type} as FastAPI words it.
local argcheck = require("palenca.util.argcheck")
local core = require("palenca.core")
local date = require("palenca.util.date")
local json = require("palenca.util.json")
local suggest = require("palenca.util.suggest")

local validate = {}

-- A check returns nil and the value to keep, or a fault without its place.
local function fault(kind, message, position)
  return { type = kind, msg = message, position = position }
end

--- Accepts any string.
function validate.string(value)
  if type(value) ~= "string" then
    return fault("type_error.str", "must be a string")
  end
  return nil, value
end

--- Accepts true and false.
function validate.boolean(value)
  if type(value) ~= "boolean" then
    return fault("value_error.boolean", "must be true or false")
  end
  return nil, value
end

--- Accepts a UUID, and keeps it in lower case.
function validate.uuid(value)
  if not argcheck.is_uuid(value) then
    return fault("type_error.uuid", "must be a UUID")
  end
  return nil, value:lower()
end

--- Accepts a day of the calendar as YYYY-MM-DD.
function validate.date(value)
  if type(value) ~= "string" then
    return fault("type_error.date", "must be a date, as a string")
  elseif not date.parse(value) then
    return fault("value_error.date", "must be a date that exists, as YYYY-MM-DD")
  end
  return nil, value
end

--- Accepts an http or https address with a host.
function validate.http_url(value)
  if type(value) ~= "string" then
    return fault("type_error.str", "must be a string")
  end
  local scheme, host = value:match("^(%a+)://([^/?#]+)")
  if not host or value:find("[%s%c]") then
    return fault("value_error.url", "must be an absolute URL")
  elseif scheme:lower() ~= "http" and scheme:lower() ~= "https" then
    return fault("value_error.url.scheme", "must be an http or https URL")
  elseif not core.check_url(scheme:lower() .. value:sub(#scheme + 1)) then
    return fault("value_error.url", "must have a valid host and port")
  end
  return nil, value
end

--- Accepts the name of an event, also of one that is not documented.
function validate.event_name(value)
  if type(value) ~= "string" or not value:find("^[%w_]+%.[%w_]+$") then
    return fault("value_error.str.regex", "must be an event's name, such as login.success")
  end
  return nil, value
end

--- Makes a check for an integer.
-- @tparam integer low the smallest accepted
-- @tparam ?integer high the largest accepted
-- @treturn function the check
function validate.integer(low, high)
  return function(value)
    if math.type(value) ~= "integer" then
      return fault("type_error.integer", "must be a whole number")
    elseif value < low then
      return fault("value_error.number.not_ge", ("must be at least %d"):format(low))
    elseif high and value > high then
      return fault("value_error.number.not_le", ("must be at most %d"):format(high))
    end
    return nil, value
  end
end

--- Makes a check for any number.
-- @tparam number low the smallest accepted
-- @tparam number high the largest accepted
-- @treturn function the check
function validate.number(low, high)
  return function(value)
    if type(value) ~= "number" then
      return fault("type_error.float", "must be a number")
    elseif value < low or value > high then
      return fault("value_error.number", ("must be from %g to %g"):format(low, high))
    end
    return nil, value
  end
end

--- Makes a check for the length of a history: a number of days, or the platform's typical one.
-- @tparam integer high the largest number of days
-- @treturn function the check
function validate.history(high)
  local check = validate.integer(0, high)
  return function(value)
    if value == "typical" then
      return nil, value
    elseif type(value) == "string" then
      return fault("type_error.integer", 'must be a whole number, or "typical"')
    end
    return check(value)
  end
end

--- Makes a check for one of a set of words.
-- @tparam table known the words, as keys
-- @tparam string what what they are, for the message
-- @treturn function the check
function validate.one_of(known, what)
  return function(value)
    if type(value) ~= "string" or not known[value] then
      return fault("type_error.enum", "must be a known " .. what .. suggest.text(value, known))
    end
    return nil, value
  end
end

--- What is wrong with the name of an event, if it is not a documented one: a mistyped name would
-- have no effect.
-- @tparam string name
-- @tparam table known the documented ones, as keys
-- @treturn ?string
function validate.undocumented(name, known)
  if not known[name] then
    return "must be one of " .. table.concat(argcheck.words(known), ", ")
      .. suggest.text(name, known)
  end
end

--- Makes a check for one of a few words, whose message lists them.
-- @tparam table known the words, as keys
-- @treturn function the check
function validate.one_of_few(known)
  local message = "must be one of " .. table.concat(argcheck.words(known), ", ")
  return function(value)
    if type(value) ~= "string" or not known[value] then
      return fault("type_error.enum", message .. suggest.text(value, known))
    end
    return nil, value
  end
end

--- Makes a check for a list.
-- @tparam function check the check of one item
-- @treturn function the check
function validate.list_of(check)
  return function(value)
    local count = 0
    for _ in pairs(type(value) == "table" and value or {}) do
      count = count + 1
    end
    -- An object, or a list with a null in it, has fields that # does not count.
    if type(value) ~= "table" or count ~= #value then
      return fault("type_error.list", "must be a list")
    end
    local kept = {}
    for index, item in ipairs(value) do
      local wrong
      wrong, kept[index] = check(item)
      if wrong then
        -- JSON counts from 0, Lua from 1.
        return fault(wrong.type, wrong.msg, index - 1)
      end
    end
    return nil, kept
  end
end

local function place(loc, ...)
  local longer = table.move(loc, 1, #loc, 1, {})
  for _, part in ipairs({ ... }) do
    longer[#longer + 1] = part
  end
  return longer
end

local function report(faults, loc, wrong)
  local at = place(loc, wrong.position)
  faults[#faults + 1] = { loc = at, msg = wrong.msg, type = wrong.type }
end

local read_object

local function read_field(field, value, loc, faults)
  if value == nil then
    if field.required then
      report(faults, loc, fault("value_error.missing", "is required"))
    end
    if field.fields then
      return read_object(field.fields, {}, loc, faults)
    end
    return field.default
  elseif not field.fields then
    local wrong, kept = field.check(value)
    if wrong then
      report(faults, loc, wrong)
    end
    return kept
  elseif type(value) ~= "table" or #value > 0 then
    report(faults, loc, fault("type_error.dict", "must be an object"))
    return nil
  end
  return read_object(field.fields, value, loc, faults)
end

function read_object(fields, given, loc, faults)
  local values = {}
  for _, field in ipairs(fields) do
    values[field.name] = read_field(field, given[field.name], place(loc, field.name), faults)
  end
  return values
end

local function check_object(fields, given, origin, faults)
  local values = read_object(fields, given, { origin }, faults)
  if #faults > 0 then
    return nil, faults
  end
  return values
end

--- Checks a table that was decoded already.
-- @tparam table fields the declared fields
-- @tparam table given what came
-- @tparam string origin where it came from: "body", "path" or "query"
-- @treturn ?table the checked values, with defaults filled in; nil if anything was wrong
-- @treturn ?table the faults
function validate.object(fields, given, origin)
  return check_object(fields, given, origin, {})
end

local function unreadable(kind, message)
  return nil, { { loc = { "body" }, msg = message, type = kind } }
end

-- An integer beyond 2^53 has been read as text, which a field of text would take. In `rounded` it
-- is a number.
local function restore_numbers(given, rounded)
  for name, value in pairs(rounded) do
    if type(value) == "table" then
      restore_numbers(given[name], value)
    elseif type(value) == "number" and type(given[name]) == "string" then
      given[name] = math.tointeger(tonumber(given[name])) or value
    end
  end
end

--- Reads the body of a request.
-- @tparam string text the body
-- @treturn ?table the object that it is
-- @treturn ?table the faults, if it is none
function validate.decode(text)
  if text == "" then
    return unreadable("value_error.missing", "is required")
  end
  local given, why = json.decode_strictly(text)
  -- lua-cjson lets any bytes pass inside a string, and they would come back in our responses.
  if why or not utf8.len(text) then
    return unreadable("value_error.jsondecode", "must be JSON")
  elseif type(given) ~= "table" or not text:find("^%s*{") then
    return unreadable("type_error.dict", "must be an object")
  end
  if core.rewrite_json(text) ~= text then
    restore_numbers(given, json.decode_rounded(text))
  end
  return given
end

local function check_body(check, fields, text, may_be_empty)
  local given, faults = validate.decode(text == "" and may_be_empty and "{}" or text)
  if not given then
    return nil, faults
  end
  return check(fields, given, "body")
end

--- Checks the body of a request.
-- @tparam table fields the declared fields
-- @tparam string text the body
-- @tparam[opt=false] boolean may_be_empty whether no body at all stands for an empty object
-- @treturn ?table the checked values, with defaults filled in; nil if anything was wrong
-- @treturn ?table the faults
function validate.body(fields, text, may_be_empty)
  return check_body(validate.object, fields, text, may_be_empty)
end

--- The faults of undeclared names, for the sandbox's own API.
-- @tparam table given the names that came, as keys
-- @tparam table known those that are declared, as keys
-- @tparam string origin where they came from
-- @treturn table the faults, none if all are known
function validate.strangers(given, known, origin)
  local faults = {}
  for name in pairs(given) do
    if not known[name] then
      report(faults, { origin, tostring(name) },
        fault("value_error.extra", "is not known here" .. suggest.text(name, known)))
    end
  end
  table.sort(faults, function(one, other)
    return one.loc[2] < other.loc[2]
  end)
  return faults
end

--- Checks a table whose names must all be declared, for the sandbox's own API, where
-- a misspelled name would have no effect.
-- @tparam table fields the declared fields
-- @tparam table given what came
-- @tparam string origin where it came from
-- @treturn ?table the checked values, with defaults filled in; nil if anything was wrong
-- @treturn ?table the faults, those of unknown names first
function validate.strict_object(fields, given, origin)
  local known = {}
  for _, field in ipairs(fields) do
    known[field.name] = true
  end
  return check_object(fields, given, origin, validate.strangers(given, known, origin))
end

--- Checks the body of a request whose names must all be declared.
-- @tparam table fields the declared fields
-- @tparam string text the body
-- @tparam[opt=false] boolean may_be_empty whether no body at all stands for an empty object
-- @treturn ?table the checked values, with defaults filled in; nil if anything was wrong
-- @treturn ?table the faults
function validate.strict_body(fields, text, may_be_empty)
  return check_body(validate.strict_object, fields, text, may_be_empty)
end

return validate
