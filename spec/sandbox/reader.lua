--- Reads JSON so that nothing of its text is lost: null, the empty list and the empty object, and
-- whether a number was written with a point. A client wants none of that, a check of types does.
local json = require("palenca.util.json")

local reader = {}

--- Stands for null.
reader.null = setmetatable({}, { __tostring = function() return "null" end })

local List = {}

--- Whether a value was read from a list; any other table but null was an object.
function reader.is_list(value)
  return getmetatable(value) == List
end

--- Marks a table as a list.
function reader.list(items)
  return setmetatable(items, List)
end

local words = { ["true"] = true, ["false"] = false, null = reader.null }

local function fail(text, at)
  error(("not JSON at byte %d: %s"):format(at, text:sub(at, at + 20)), 0)
end

local function skip(text, at)
  return text:match("^[ \t\r\n]*()", at)
end

local function read_string(text, at)
  local last = text:find('["\\]', at + 1)
  while last and text:sub(last, last) == "\\" do
    last = text:find('["\\]', last + 2)
  end
  if not last then
    fail(text, at)
  end
  local value = json.decode(text:sub(at, last))
  if type(value) ~= "string" then
    fail(text, at)
  end
  return value, last + 1
end

local function read_plain(text, at)
  local word, after = text:match("^([%w.+-]+)()", at)
  if words[word] ~= nil then
    return words[word], after
  end
  -- tonumber alone would take hexadecimal digits and a point with nothing before it
  local number = word and word:find("^%-?%d") and not word:find("x") and tonumber(word)
  if not number then
    fail(text, at)
  end
  return number, after
end

local read_value

-- What stands between two brackets, one item after the other.
local function read_items(text, at, closing, read_item)
  at = skip(text, at + 1)
  if text:sub(at, at) == closing then
    return at + 1
  end
  while true do
    at = skip(text, read_item(at))
    local mark = text:sub(at, at)
    if mark == closing then
      return at + 1
    elseif mark ~= "," then
      fail(text, at)
    end
    at = skip(text, at + 1)
  end
end

local function read_list(text, at)
  local items = reader.list {}
  return items, read_items(text, at, "]", function(place)
    items[#items + 1], place = read_value(text, place)
    return place
  end)
end

local function read_object(text, at)
  local fields = {}
  return fields, read_items(text, at, "}", function(place)
    local name, after = read_string(text, place)
    after = skip(text, after)
    if text:sub(after, after) ~= ":" or fields[name] ~= nil then
      fail(text, place)
    end
    fields[name], after = read_value(text, after + 1)
    return after
  end)
end

function read_value(text, at)
  at = skip(text, at)
  local mark = text:sub(at, at)
  if mark == "{" then
    return read_object(text, at)
  elseif mark == "[" then
    return read_list(text, at)
  elseif mark == '"' then
    return read_string(text, at)
  end
  return read_plain(text, at)
end

--- Reads a text; raises if it is not JSON, or if an object has a name twice.
function reader.read(text)
  local value, after = read_value(text, 1)
  if skip(text, after) <= #text then
    fail(text, after)
  end
  return value
end

return reader
