--- JSON as the module's users see it: null is nil, whole numbers are integers.
-- @module palenca.json
local cjson = require("cjson")

local json = {}

-- An instance of our own: settings of the shared one belong to the user's script.
local codec = cjson.new()
codec.decode_invalid_numbers(false)
codec.encode_invalid_numbers(false)
codec.encode_sparse_array(true)

local null = cjson.null
local to_integer = math.tointeger -- luacheck: ignore 143

-- lua-cjson gives every number as a float on Lua 5.3 and later, and null as a
-- userdata that is true in a condition; both are put right in place.
local function normalize(value)
  for key, item in pairs(value) do
    if item == null then
      value[key] = nil
    elseif type(item) == "table" then
      normalize(item)
    elseif to_integer and type(item) == "number" then
      value[key] = to_integer(item) or item
    end
  end
  return value
end

--- Decodes a JSON text.
-- @tparam string text the JSON text
-- @return the value: null as nil, whole numbers as integers (where the Lua has them); or nil
-- @treturn ?string why the text is not JSON
function json.decode(text)
  local ok, value = pcall(codec.decode, text)
  if not ok then
    return nil, tostring(value)
  end
  if value == null then
    return nil
  end
  if type(value) == "table" then
    return normalize(value)
  end
  if to_integer and type(value) == "number" then
    return to_integer(value) or value
  end
  return value
end

--- Encodes a value as JSON text. Raises on what JSON cannot say (functions, NaN).
-- @param value a string, number, boolean, table or nil (as null)
-- @treturn string the JSON text
function json.encode(value)
  if value == nil then
    return "null"
  end
  return codec.encode(value)
end

--- Stands for null inside a table that is encoded.
json.null = null

return json
