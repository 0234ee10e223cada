--- Has a test fail where a script reads a field that there is not: of `palenca` and its parts, of a
-- client, an event, an error, and of what the API returns.
-- @module palenca.testing.strict
local client = require("palenca.client")
local errors = require("palenca.errors")
local palenca = require("palenca")
local reference = require("palenca.testing.reference")
local suggest = require("palenca.util.suggest")

local strict = {}

local function names_of(fields)
  local names = {}
  for name in pairs(fields) do
    if type(name) == "string" and not name:find("^_") then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

local function problem(what, name, known)
  return ("%s has no field '%s' (known: %s)%s"):format(what, name,
    table.concat(names_of(known), ", "), suggest.text(name, known))
end

-- `report` is called with the text of what is wrong and the level of the code to blame; it raises.
local function reject(report, what, known)
  return function(_, name)
    if type(name) == "string" and not rawget(known, name) then
      report(problem(what, name, known), 2)
    end
  end
end

local function article(name)
  return name == "HttpResponse" and "a response of palenca.http"
    or "the API's" .. name:gsub("%u", function(letter)
      return " " .. letter:lower()
    end)
end

local examine

local function examine_list(report, class, list)
  for _, item in ipairs(type(list) == "table" and list or {}) do
    examine(report, class, item)
  end
end

--- Makes a result of the API strict: reading a field that it does not have, and that is not in the
-- reference, is reported.
-- @tparam function report called with a text and the level of the code to blame
-- @tparam string class of the reference, such as `Account`
-- @param value the result
function strict.examine(report, class, value)
  local fields = reference.classes[class]
  if not fields or type(value) ~= "table" or getmetatable(value) ~= nil then
    return
  end
  setmetatable(value, { __index = reject(report, article(class), fields) })
  for name, kind in pairs(fields) do
    local inner = rawget(value, name)
    if type(kind) == "string" and kind:sub(-2) == "[]" then
      examine_list(report, kind:sub(1, -3), inner)
    elseif type(kind) == "string" then
      examine(report, kind, inner)
    end
  end
end

examine = strict.examine

--- The same for a list.
function strict.examine_list(report, class, list)
  examine_list(report, class, list)
end

--- Raises unless a table has fields of a class only; nil has none.
-- @tparam string what it is, for the message
-- @tparam string class
-- @tparam ?table value
-- @tparam number level of the caller to blame
function strict.check_fields(what, class, value, level)
  local known = reference.classes[class]
  if value == nil then
    return
  elseif type(value) ~= "table" then
    error(("%s must be a table, got %s"):format(what, type(value)), level + 1)
  end
  for name in pairs(value) do
    if not known[name] then
      error(("%s: unknown field '%s' (known: %s)%s"):format(what, tostring(name),
        table.concat(names_of(known), ", "), suggest.text(name, known)), level + 1)
    end
  end
end

--- Makes an event strict.
function strict.event(report, event)
  return setmetatable(event, { __index = reject(report, "an event", reference.classes.Event) })
end

local parts = { "advice", "decision", "income", "json", "log", "webhook" }

local function known_of_client()
  local one = client.new { api_key = "testing" }
  local own = getmetatable(one).__index
  local known = { users = true, accounts = true, logins = true, webhooks = true, widgets = true,
    platforms = true, countries = true, consents = true }
  for _, from in ipairs { client.option_names, own, getmetatable(own).__index } do
    for name in pairs(from) do
      known[name] = true
    end
  end
  return known, getmetatable(own).__index
end

-- What there is to make strict while a session is open: the table, how a message calls it, and what
-- is known beside what it has.
local function shared_tables()
  local known, methods = known_of_client()
  local err = getmetatable(errors.new { kind = "network", message = "" })
  local list = {
    { palenca, "palenca", palenca },
    { methods, "a client", known },
    { err, "an error", reference.classes.Error },
  }
  for _, name in ipairs(parts) do
    list[#list + 1] = { palenca[name], "palenca." .. name, palenca[name] }
  end
  return list
end

--- Makes what all scripts share strict.
-- @tparam function report called with a text and the level of the code to blame
-- @treturn function undoes it
function strict.begin(report)
  local list = shared_tables()
  for _, entry in ipairs(list) do
    setmetatable(entry[1], { __index = reject(report, entry[2], entry[3]) })
  end
  local before = client.unknown_operation(function(resource, name, known)
    report(problem("client." .. resource, name, known), 3)
  end)
  return function()
    for _, entry in ipairs(list) do
      setmetatable(entry[1], nil)
    end
    client.unknown_operation(before)
  end
end

return strict
