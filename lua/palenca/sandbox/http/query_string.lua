--- Parses the query of a request.
-- @module palenca.sandbox.http.query_string
local query_string = {}

--- Decodes the percent-escapes of a text.
-- @tparam string text as in a path or query
-- @treturn string the text
function query_string.decode(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

--- Reads a query.
-- @tparam ?string text as sent, without the question mark
-- @treturn table the parameters by name; of several with one name the first
function query_string.parameters(text)
  local found = {}
  for name, value in (text or ""):gmatch("([^&=]+)=?([^&]*)") do
    name = query_string.decode((name:gsub("+", " ")))
    found[name] = found[name] or query_string.decode((value:gsub("+", " ")))
  end
  return found
end

return query_string
