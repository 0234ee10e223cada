--- Reads the filters of the admin page's requests: of a query, and of JSON.
-- @module palenca.host.admin_filter
local host = require("palenca.host")
local json = require("palenca.util.json")

local admin_filter = {}

local LIMIT, LIMIT_MAX = 50, 200
-- Bytes of a text that is looked for.
local TEXT_MAX = 200

local function fail(name, what)
  error({ invalid = ("'%s' %s"):format(name, what) }, 0)
end

local function text(name, value)
  if type(value) ~= "string" or value == "" or #value > TEXT_MAX
    or value:find("[%z\1-\31\127]")
  then
    fail(name, ("must be text of 1 to %d bytes, without control characters"):format(TEXT_MAX))
  end
  return value
end

local function state(name, value)
  for _, one in ipairs(host.events.states) do
    if one == value then
      return value
    end
  end
  fail(name, "must be one of: " .. table.concat(host.events.states, ", "))
end

-- A whole number, also as text.
local function whole(name, value, min, max)
  local number = type(value) == "number" and value
    or type(value) == "string" and value:find("^%d+$") and tonumber(value)
  if not number or number ~= math.floor(number) or number < min or number > max then
    fail(name, ("must be a whole number from %d to %d"):format(min, max))
  end
  return math.tointeger(number)
end

-- 2^53: what JSON has of whole numbers.
local NUMBER_MAX = 9007199254740992

local function time(name, value)
  return whole(name, value, 1, NUMBER_MAX) / 1000
end

local function id(name, value)
  return whole(name, value, 1, NUMBER_MAX)
end

local FIELDS = { action = text, account_id = text, platform = text, state = state, error = text,
  since = time, ["until"] = time }
local PAGE_FIELDS = { before = id, limit = function(name, value)
  return whole(name, value, 1, LIMIT_MAX)
end }

local function read(values, more)
  local filter = {}
  for name, value in pairs(values) do
    local convert = FIELDS[name] or more[name]
    if not convert then
      fail(name, "is not known")
    end
    filter[name] = convert(name, value)
  end
  return filter
end

local function unescape(part)
  return (part:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

--- Reads an id.
-- @tparam string name of what it is the value of
-- @param value
-- @treturn integer; raises `{ invalid = message }`
function admin_filter.id(name, value)
  return id(name, value)
end

--- Reads the query of a search.
-- @tparam ?string query as it was sent
-- @treturn table for `host.events.list`; raises `{ invalid = message }`
function admin_filter.of_query(query)
  local values, seen = {}, {}
  for pair in (query or ""):gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    name = unescape(name)
    if seen[name] then
      fail(name, "is there more than once")
    end
    seen[name] = true
    values[name] = value ~= "" and unescape(value) or nil -- a form sends all of its fields
  end
  local filter = read(values, PAGE_FIELDS)
  filter.limit = filter.limit or LIMIT
  return filter
end

--- Reads the filter of a replay or a purge.
-- @param values as JSON is decoded
-- @treturn table for `host.events.replay_matching`; raises `{ invalid = message }`
function admin_filter.of_json(values)
  if type(values) ~= "table" or json.is_array(values) then
    fail("filter", "must be an object")
  end
  return read(values, {})
end

--- The filter for people, such as `action=login.* state=dead`.
-- @tparam table filter as it was read
-- @treturn string
function admin_filter.describe(filter)
  local names, parts = {}, {}
  for name in pairs(filter) do
    names[#names + 1] = name
  end
  table.sort(names)
  for i, name in ipairs(names) do
    parts[i] = type(filter[name]) == "number" and ("%s=%.3f"):format(name, filter[name])
      or ("%s=%q"):format(name, filter[name])
  end
  return parts[1] and table.concat(parts, " ") or "all events"
end

return admin_filter
