--- Reads NAME=VALUE[,NAME=VALUE…] from the command line.
-- @module palenca.host.cli.named_values
local argcheck = require("palenca.util.argcheck")

local named_values = {}

--- Reads the values into a table. What is written as a number becomes one.
-- @tparam string text the values
-- @tparam table given where they are put
-- @tparam ?table texts names, as keys, whose values stay texts
-- @treturn ?string what is wrong with them
function named_values.read(text, given, texts)
  for part in text:gmatch("[^,]+") do
    local name, value = part:match("^([%l_]+)=(.+)$")
    if not name then
      return string.format("'%s' is not NAME=VALUE", part)
    end
    local number = not (texts and texts[name]) and tonumber(value)
    given[name] = number and (math.tointeger(number) or number) or value
  end
  return nil
end

--- What is wrong with a value, by the first fault of @{palenca.sandbox.http.validate}.
-- @tparam table faults
-- @tparam table known the names that there are, as keys
-- @treturn string
function named_values.problem(faults, known)
  local first = faults[1]
  local text = ("%s %s"):format(first.loc[2], first.msg)
  if first.type ~= "value_error.extra" then
    return text
  end
  return (text:gsub("is not known here", function(what)
    return ("%s (known: %s)"):format(what, table.concat(argcheck.words(known), ", "))
  end, 1))
end

return named_values
