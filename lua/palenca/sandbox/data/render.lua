--- Writes Lua values as the JSON text the API would send.
-- @module palenca.sandbox.data.render
--
-- lua-cjson alone cannot do it: it writes 179.0 as 179 and an empty list as {}, has no cheap
-- way to splice in text that is JSON already, and leaves the order of fields to the hash table,
-- which differs from one run to the next. Strings are still escaped by lua-cjson.
local argcheck = require("palenca.util.argcheck")
local json = require("palenca.util.json")

local render = {}

local Raw = {}
local Array = {}

--- Marks a text as JSON already, to be spliced in as it is.
-- @tparam string text a JSON text
-- @treturn table the marked text
function render.raw(text)
  return setmetatable({ text = text }, Raw)
end

--- Marks a list, so that it stays a list even when it is empty.
-- @tparam table list the items, without holes
-- @treturn table the same list
function render.array(list)
  return setmetatable(list, Array)
end

-- lua-cjson writes "/" as "\/", which is legal but not what the API sends. Every "/" in its
-- output has an escape of its own before it, so no other backslash can be hit.
local function string_text(value)
  return (json.encode(value):gsub("\\/", "/"))
end

-- Two decimals are what money has; more would show the binary noise of the float.
local function decimal_text(value)
  if value ~= value or value == math.huge or value == -math.huge then
    error("JSON has no text for " .. tostring(value), 0)
  end
  local text = ("%.2f"):format(value):gsub("0$", "")
  return text == "-0.0" and "0.0" or text
end

local function array_text(list)
  local parts = {}
  for index, item in ipairs(list) do
    parts[index] = render.text(item)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function object_text(fields)
  local names = argcheck.words(fields)
  for index, name in ipairs(names) do
    names[index] = string_text(name) .. ":" .. render.text(fields[name])
  end
  return "{" .. table.concat(names, ",") .. "}"
end

local function table_text(value)
  local mark = getmetatable(value)
  if mark == Raw then
    return value.text
  elseif mark == Array or json.is_array(value) then
    return array_text(value)
  end
  return object_text(value)
end

--- The JSON text of a value. Integers have all digits; floats one or two decimals; tables
-- as objects with sorted fields unless marked. Raises on what JSON cannot say.
-- @param value nil (as null), boolean, number, string, or a table
-- @treturn string the JSON text
function render.text(value)
  local kind = type(value)
  if kind == "nil" or kind == "boolean" then
    return value == nil and "null" or tostring(value)
  elseif kind == "string" then
    return string_text(value)
  elseif kind == "number" then
    return math.type(value) == "integer" and ("%d"):format(value) or decimal_text(value)
  elseif kind == "table" then
    return table_text(value)
  end
  error("JSON has no text for a " .. kind, 0)
end

--- Declares an object: which fields, in which order. A field that a value lacks is written as
-- an explicit null, as the API does.
-- @tparam table names the names of the fields
-- @treturn function from a table of values to the object, marked as JSON text
function render.shape(names)
  local keys = {}
  for index, name in ipairs(names) do
    keys[index] = (index > 1 and "," or "{") .. string_text(name) .. ":"
  end
  return function(values)
    local parts = {}
    for index, name in ipairs(names) do
      parts[2 * index - 1] = keys[index]
      parts[2 * index] = render.text(values[name])
    end
    parts[#parts + 1] = "}"
    return render.raw(table.concat(parts))
  end
end

return render
