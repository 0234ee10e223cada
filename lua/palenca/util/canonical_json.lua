--- JSON text that is the same bytes for the same value, on every Lua and under every locale.
-- Numbers and strings are written as in RFC 8785.
-- @module palenca.util.canonical_json
local core = require("palenca.core")

local byte, floor, format = string.byte, math.floor, string.format

local canonical_json = {}

-- If there is one. It is not loaded here: lua-cjson ends the process under some locales.
local function cjson_field(name)
  local cjson = package.loaded.cjson
  return type(cjson) == "table" and cjson[name] or nil
end

--- Marks a table as a list, so that it is written as one even if it is empty. It is that of
-- OpenResty's lua-cjson where that is loaded.
canonical_json.array_metatable = cjson_field("array_mt") or { __jsontype = "array" }

-- Comparing with `<` would follow the locale's order.
local function is_before(a, b)
  local length = math.min(#a, #b)
  for at = 1, length do
    local x, y = byte(a, at), byte(b, at)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end

--- The shortest decimal that reads back as a number.
-- @tparam number size above 0, finite
-- @treturn string its digits, the last of which is not 0
-- @treturn integer where the point is among them: 0.25 is "25" and 0, 1500 is "15" and 4
function canonical_json.shortest(size)
  local text
  -- Fifteen digits are those of the shortest and zeros, but for numbers that have fewer bits.
  for precision = size < 2 ^ -1022 and 0 or 14, 16 do
    text = format("%." .. precision .. "e", size)
    if tonumber(text) == size then
      break
    end
  end
  -- the point between the first two digits is the locale's, and may have several bytes
  local first, rest, exponent = text:match("^(%d)[^%de]*(%d*)e([-+]%d+)$")
  return ((first .. rest):gsub("0+$", "")), tonumber(exponent) + 1
end

local function layout(digits, point)
  local count = #digits
  if point > 21 or point < -5 then
    local exponent = point - 1
    return digits:sub(1, 1) .. (count > 1 and "." .. digits:sub(2) or "")
      .. "e" .. (exponent < 0 and "-" or "+") .. format("%d", math.abs(exponent))
  elseif count <= point then
    return digits .. ("0"):rep(point - count)
  elseif point > 0 then
    return digits:sub(1, point) .. "." .. digits:sub(point + 1)
  end
  return "0." .. ("0"):rep(-point) .. digits
end

--- Writes a number: the shortest decimal that reads back as it; whole numbers without a point.
-- @tparam number value finite
-- @treturn string
-- @raise when it is not finite
function canonical_json.number(value)
  if value ~= value or value == math.huge or value == -math.huge then
    error("JSON has no number that is not finite", 0)
  elseif value == 0 then
    return "0"
  elseif value == floor(value) and value > -2 ^ 53 and value < 2 ^ 53
    or math.type and math.type(value) == "integer" then -- luacheck: ignore 143
    return format("%d", value)
  end
  -- Of at most 15 digits no two read back as the same number: these are the shortest. Where there
  -- are more, or an exponent, or the locale has another point, it is laid out below.
  local text = format("%.15g", value)
  if tonumber(text) == value and text:find("^%-?%d+%.%d+$") then
    return text
  end
  return (value < 0 and "-" or "") .. layout(canonical_json.shortest(math.abs(value)))
end

local function is_array(value)
  local metatable = getmetatable(value)
  return type(metatable) == "table" and (metatable == canonical_json.array_metatable
    or metatable == cjson_field("array_mt") or metatable == cjson_field("empty_array_mt")
    or metatable.__jsontype == "array")
end

--- Compares texts by their bytes, whatever the locale.
-- @tparam string a
-- @tparam string b
-- @treturn boolean whether `a` comes first
-- @function is_before
canonical_json.is_before = is_before

--- Encodes a value: no blanks; keys sorted by their bytes; numbers the shortest that read back,
-- laid out as ECMAScript does (179, 53.25, 1e-7); strings as they are but for `"`, `\` and control
-- characters. A table without keys is an object unless it is marked as a list.
-- @param value a string, number, boolean, table or nil (as null)
-- @treturn string JSON text
-- @raise on what JSON cannot say: functions, numbers that are not finite, lists with holes, keys
-- that are neither names nor a list's numbers, a table within itself
function canonical_json.encode(value)
  return (core.canonical_json(value, is_array, canonical_json.number))
end

--- As @{encode}, for what is to be read again.
-- @param value
-- @treturn string JSON text
-- @treturn boolean whether @{palenca.json.decode} returns the same value for it: it has no number
-- beyond 2^53, no null, and no metatable but those of lists
-- @raise as @{encode}
function canonical_json.encode_checked(value)
  return core.canonical_json(value, is_array, canonical_json.number)
end

return canonical_json
