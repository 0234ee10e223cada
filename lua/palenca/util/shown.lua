--- Writes what a caller has passed for a message about it.
-- @module palenca.util.shown
local number_text = require("palenca.util.number_text")
local redact = require("palenca.util.redact")

local TEXT_MAX = 60

--- Writes a value on one line: a text in quotes, without identity numbers and not longer than 60
-- bytes, a number or boolean as it is, of all else its type.
-- @param value anything but what may be a secret
-- @treturn string
return function(value)
  local kind = type(value)
  if kind == "string" then
    return "'" .. redact.escape_line(redact.problem(value, TEXT_MAX)) .. "'"
  elseif kind == "number" then
    return number_text.text(value)
  elseif kind == "boolean" or kind == "nil" then
    return tostring(value)
  end
  return "a " .. kind
end
