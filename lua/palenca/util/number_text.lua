--- Writes numbers as text, and reads them, the same in every process: with a point.
--
-- Lua's own `tostring`, `string.format` and `..` write a fraction with the decimal point of the
-- process's locale, and 5.1 reads it with that only. LuaJIT always writes and reads a point.
-- @module palenca.util.number_text
local core = require("palenca.core")

local number_text = {}

-- As in_c_locale, but raises what is raised.
local function call(f, ...)
  local ok, value = core.in_c_locale(f, ...)
  if not ok then
    error(value, 3)
  end
  return value
end

--- As `string.format`.
-- @tparam string pattern
-- @param ... what is put into it
-- @treturn string
function number_text.format(pattern, ...)
  return call(string.format, pattern, ...)
end

--- The shortest text of a number that is read as just that number; a whole one has no fraction. The
-- locale must be C.
-- @tparam number value
-- @treturn string
function number_text.exact(value)
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

--- As `tostring`, but of a number no digit is lost.
-- @param value any value
-- @treturn string
function number_text.text(value)
  return call(type(value) == "number" and number_text.exact or tostring, value)
end

--- As `tonumber`.
-- @param value any value
-- @treturn ?number
function number_text.parse(value)
  return call(tonumber, value)
end

return number_text
