--- JSON for the module's users: null is nil, whole numbers are integers.
-- @module palenca.json
local core = require("palenca.core")
local number_text = require("palenca.util.number_text")
local shown = require("palenca.util.shown")

local json = {}

-- lua-cjson remembers the decimal point of the locale in which it was loaded, or in which anybody
-- has called its `new` last; the C functions that it calls go by the locale of now. So it is called
-- under the C locale here. But what it remembers the user's own cjson needs as well: it is left as
-- the process's locale has it. (Where that is not a single byte, lua-cjson would abort.)
local cjson = select(2, assert(core.in_c_locale(require, "cjson")))

-- An instance of our own: settings of the shared one belong to the user's script.
local codec = select(2, assert(core.in_c_locale(cjson.new)))
codec.decode_invalid_numbers(false)
if #core.decimal_point() == 1 then
  cjson.new()
end

local null = cjson.null

-- That of OpenResty's lua-cjson, whose `encode` knows it, where there is one.
local canonical_json = require("palenca.util.canonical_json")
local array_metatable = canonical_json.array_metatable

-- Without memory nothing is known of the text.
local function check_memory(ok, value)
  if not ok and value == "not enough memory" then
    error(value, 0)
  end
  return ok, value
end

local function decode(text)
  local ok, value = check_memory(core.in_c_locale(codec.decode, text))
  if ok or core.in_c_locale(codec.decode, "0.5") then
    return ok, value
  end
  -- The point that lua-cjson remembers is not C's. If it is the process's, that is what it needs.
  if pcall(codec.decode, "0.5") then
    return check_memory(pcall(codec.decode, text))
  end
  core.in_c_locale(cjson.new)
  return check_memory(core.in_c_locale(codec.decode, text))
end

local function check_text(name, text)
  if type(text) ~= "string" then
    error("palenca.json." .. name .. " takes a string, got " .. shown(text), 3)
  end
end

local function decode_with(text, lenient)
  local is_decoded, decoded = core.decode_json(text, array_metatable)
  if is_decoded then
    return decoded
  end
  local rewritten = core.rewrite_json(text, lenient)
  local ok, value = decode(rewritten)
  if not ok and rewritten ~= text then -- which has what is wrong at another place
    ok, value = decode(text)
  end
  if not ok then
    return nil, tostring(value)
  end
  return core.plain(value, array_metatable)
end

--- Decodes a JSON text. An integer beyond 2^53 (either way) is text of the same digits, as is a
-- number that is too large for any (`1e400`). An empty list is written as one again.
-- @tparam string text the JSON text; half of a surrogate pair in it counts as U+FFFD
-- @return the value: null as nil, whole numbers as integers (where the Lua has them); or nil
-- @treturn ?string why the text is not JSON
function json.decode(text)
  check_text("decode", text)
  return decode_with(text, true)
end

--- As @{decode}, but half of a surrogate pair is no JSON.
-- @tparam string text the JSON text
-- @return the value; or nil
-- @treturn ?string why the text is not JSON
function json.decode_strictly(text)
  check_text("decode_strictly", text)
  return decode_with(text, false)
end

--- As @{decode_strictly}, but numbers that lose digits by it are numbers all the same.
-- @tparam string text the JSON text
-- @return the value; or nil
-- @treturn ?string why the text is not JSON
function json.decode_rounded(text)
  check_text("decode_rounded", text)
  local ok, value = decode(text)
  if not ok then
    return nil, tostring(value)
  end
  return core.plain(value, array_metatable)
end

-- lua-cjson writes 14 digits of a number at most: event ids have more, and so may sums.
local function encode_number(value)
  if value ~= value or value == math.huge or value == -math.huge then
    error("JSON has no number for " .. tostring(value), 0)
  end
  return number_text.exact(value)
end

local DEPTH_MAX = 100

local encode_value

local function is_array(value)
  local metatable = getmetatable(value)
  return metatable ~= nil and (metatable == array_metatable or metatable == cjson.array_mt
    or metatable == cjson.empty_array_mt)
end

-- The length if the table is a list without holes, else nil. An empty one is an object, unless it
-- is marked.
local function list_length(value)
  local count = 0
  for key in pairs(value) do
    if type(key) ~= "number" then
      return nil
    end
    count = count + 1
  end
  if count == 0 then -- the length of a strict result cannot be read
    return is_array(value) and 0 or nil
  end
  return count == #value and count or nil
end

local function name_of(key)
  return type(key) == "number" and number_text.exact(key) or key
end

local function is_before(a, b)
  local one, other = name_of(a), name_of(b)
  return one < other or one == other and type(a) == "number" and type(b) == "string"
end

-- The keys in the order of their names' bytes, which is that of `<` under the C locale, and a map
-- from them to the values.
local function members_of(value)
  local keys, items, has_numbers = {}, {}, false
  for key, item in pairs(value) do
    if type(key) ~= "string" and type(key) ~= "number" then
      error("JSON has no name for a key of type " .. type(key), 0)
    end
    has_numbers = has_numbers or type(key) == "number"
    keys[#keys + 1], items[key] = key, item
  end
  table.sort(keys, has_numbers and is_before or nil)
  return keys, items
end

local function encode_table(value, depth)
  if depth > DEPTH_MAX then
    error("JSON is nested too deeply, or holds itself", 0)
  end
  local parts = {}
  local length = list_length(value)
  if not length and getmetatable(value) == array_metatable then
    error("JSON has no list with holes, or with names", 0)
  end
  for at = 1, length or 0 do
    parts[at] = encode_value(value[at], depth + 1)
  end
  if length then
    return "[" .. table.concat(parts, ",") .. "]"
  end
  local keys, items = members_of(value)
  for at, key in ipairs(keys) do
    parts[at] = codec.encode(name_of(key)) .. ":" .. encode_value(items[key], depth + 1)
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
  elseif value == cjson.empty_array then -- of OpenResty's lua-cjson
    return "[]"
  end
  error("JSON has no value for a " .. kind, 0)
end

--- Encodes a value as JSON text, with the names of an object in the order of their bytes: what has
-- the same fields has the same text. Raises on what JSON cannot say: functions, NaN, a table within
-- itself. No digit of a number is lost, but a zero has no sign. An empty table is an object, unless
-- it is an @{array}, or was decoded from an empty list.
-- @param value a string, number, boolean, table or nil (as null)
-- @treturn string the JSON text
function json.encode(value)
  local simple = type(value) == "table" and core.encode_json(value)
  if simple then
    return simple
  end
  local ok, text = core.in_c_locale(encode_value, value, 1)
  if not ok then
    error(text, 0)
  end
  return text
end

--- Marks a table as a list, which is written as one even if it is empty. If it has holes then, or
-- keys that are no numbers, @{encode} raises.
-- @tparam ?table list without a metatable, which it gets; default: a new one
-- @treturn table the same
function json.array(list)
  list = list == nil and {} or list
  if type(list) ~= "table" then
    error("palenca.json.array takes a table, got " .. shown(list), 2)
  end
  local metatable = getmetatable(list)
  if metatable ~= nil and metatable ~= array_metatable then
    error("palenca.json.array: the table has a metatable already", 2)
  end
  return setmetatable(list, array_metatable)
end

--- Whether a table is marked as a list.
-- @param value any value
-- @treturn boolean
function json.is_array(value)
  return type(value) == "table" and is_array(value)
end

--- Stands for null inside a table that is encoded.
json.null = null

--- Encodes a value as the same bytes wherever that is done, on every Lua and under every locale:
-- names sorted by their bytes, no blanks, numbers and strings as in RFC 8785. It raises where
-- @{encode} does.
-- @function canonical
-- @param value a string, number, boolean, table or nil (as null)
-- @treturn string the JSON text
json.canonical = canonical_json.encode

return json
