--- JSON text that is the same bytes for the same value, on every Lua and under every locale.
-- Pure Lua; numbers and strings are written as in RFC 8785.
-- @module palenca.util.canonical_json
local byte, floor, format = string.byte, math.floor, string.format

local DEPTH_MAX = 100
local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f",
  ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

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

local function encode_string(text)
  if not text:find('[%z\1-\31"\\]') then
    return '"' .. text .. '"'
  end
  return '"' .. text:gsub('[%z\1-\31"\\]', function(character)
    return ESCAPES[character] or format("\\u%04x", byte(character))
  end) .. '"'
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

local encode

local function encode_list(value, count, depth, orders)
  local parts = {}
  for at = 1, count do
    if value[at] == nil then
      error("JSON has no list with holes", 0)
    end
    parts[at] = encode(value[at], depth, orders)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function new_order(names)
  local texts = {}
  table.sort(names, is_before)
  for at, name in ipairs(names) do
    texts[at] = encode_string(name) .. ":"
  end
  return { names = names, texts = texts }
end

-- Rows of a list have the same names, which are sorted once: `orders` has the sorted ones, and how
-- each is written, by all of them as they come. Names that hold what joins them are sorted each
-- time: joined, they are like others, of which there are more.
local function order_of(names, orders)
  local key = table.concat(names, "\0")
  local order = orders[key]
  if not order or #order.names ~= #names then
    order = new_order(names)
    for _, name in ipairs(names) do
      if name:find("%z") then
        return order
      end
    end
    orders[key] = order
  end
  return order
end

local function encode_table(value, depth, orders)
  if depth > DEPTH_MAX then
    error("JSON is nested too deeply, or holds itself", 0)
  end
  local names, numbers = {}, 0
  for key in pairs(value) do
    if type(key) == "string" then
      names[#names + 1] = key
    elseif type(key) == "number" then
      numbers = numbers + 1
    else
      error("JSON has no name for a key of type " .. type(key), 0)
    end
  end
  if numbers > 0 or #names == 0 and is_array(value) then
    if #names > 0 then
      error("JSON has no table with both names and numbers for keys", 0)
    end
    return encode_list(value, numbers, depth + 1, orders)
  end
  local order, parts = order_of(names, orders), {}
  for at = 1, #names do
    parts[at] = order.texts[at] .. encode(value[order.names[at]], depth + 1, orders)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

function encode(value, depth, orders)
  local kind = type(value)
  if kind == "table" then
    return encode_table(value, depth, orders)
  elseif kind == "number" then
    return canonical_json.number(value)
  elseif kind == "string" then
    return encode_string(value)
  elseif kind == "boolean" then
    return tostring(value)
  elseif value == nil or value == cjson_field("null") then
    return "null"
  end
  error("JSON has no value for a " .. kind, 0)
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
  return encode(value, 1, {})
end

return canonical_json
