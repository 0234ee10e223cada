--- JSON as the module's users see it: null is nil, whole numbers are integers.
-- @module palenca.json
local cjson = require("cjson")
local core = require("palenca.core")

local json = {}

-- An instance of our own: settings of the shared one belong to the user's script.
local codec = cjson.new()
codec.decode_invalid_numbers(false)

local null = cjson.null

--- Decodes a JSON text.
-- @tparam string text the JSON text
-- @return the value: null as nil, whole numbers as integers (where the Lua has them); or nil
-- @treturn ?string why the text is not JSON
function json.decode(text)
  local ok, value = pcall(codec.decode, text)
  if not ok then
    return nil, tostring(value)
  end
  return core.plain(value)
end

-- lua-cjson writes 14 digits of a number at most: event ids have more, and so may sums.
local function encode_number(value)
  if value ~= value or value == math.huge or value == -math.huge then
    error("JSON has no number for " .. tostring(value), 0)
  end
  if value == math.floor(value) and math.abs(value) < 2 ^ 53 then
    return string.format("%d", value) -- a zero has no sign then
  end
  if math.type and math.type(value) == "integer" then -- luacheck: ignore 143
    return tostring(value)
  end
  for digits = 15, 16 do
    local text = string.format("%." .. digits .. "g", value)
    if tonumber(text) == value then
      return text
    end
  end
  return string.format("%.17g", value)
end

local DEPTH_MAX = 100

local encode_value

-- The length if the table is a list without holes, else nil. An empty one is an object.
local function list_length(value)
  local count = 0
  for key in pairs(value) do
    if type(key) ~= "number" then
      return nil
    end
    count = count + 1
  end
  return count > 0 and count == #value and count or nil
end

local function encode_table(value, depth)
  if depth > DEPTH_MAX then
    error("JSON is nested too deeply, or holds itself", 0)
  end
  local parts = {}
  local length = list_length(value)
  for at = 1, length or 0 do
    parts[at] = encode_value(value[at], depth + 1)
  end
  if length then
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for key, item in pairs(value) do
    if type(key) ~= "string" and type(key) ~= "number" then
      error("JSON has no name for a key of type " .. type(key), 0)
    end
    parts[#parts + 1] = codec.encode(tostring(key)) .. ":" .. encode_value(item, depth + 1)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

function encode_value(value, depth)
  local kind = type(value)
  if kind == "table" then
    return encode_table(value, depth)
  elseif kind == "number" then
    return encode_number(value)
  elseif kind == "string" then
    return codec.encode(value)
  elseif kind == "boolean" then
    return tostring(value)
  elseif value == nil or value == null then
    return "null"
  end
  error("JSON has no value for a " .. kind, 0)
end

--- Encodes a value as JSON text. Raises on what JSON cannot say: functions, NaN, a table within
-- itself. No digit of a number is lost, but a zero has no sign. An empty table is an object.
-- @param value a string, number, boolean, table or nil (as null)
-- @treturn string the JSON text
function json.encode(value)
  if type(value) == "table" and core.is_simple(value) then
    return codec.encode(value)
  end
  return encode_value(value, 1)
end

--- Stands for null inside a table that is encoded.
json.null = null

return json
