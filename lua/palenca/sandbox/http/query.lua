--- Reads what a request's address brings.
-- @module palenca.sandbox.http.query
local url = {}

--- Takes the percent-escapes out of a text.
-- @tparam string text as in a path or query
-- @treturn string the text
function url.decode(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

--- Reads a query.
-- @tparam ?string query as sent, without the question mark
-- @treturn table the parameters by name; of several with one name the first
function url.parameters(query)
  local found = {}
  for name, value in (query or ""):gmatch("([^&=]+)=?([^&]*)") do
    name = url.decode((name:gsub("+", " ")))
    found[name] = found[name] or url.decode((value:gsub("+", " ")))
  end
  return found
end

return url
