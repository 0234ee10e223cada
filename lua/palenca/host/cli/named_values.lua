--- Reads NAME=VALUE[,NAME=VALUE…] from the command line.
-- @module palenca.host.cli.named_values

--- Reads the values into a table. What is written as a number becomes one.
-- @tparam string text the values
-- @tparam table given where they are put
-- @treturn ?string what is wrong with them
return function(text, given)
  for part in text:gmatch("[^,]+") do
    local name, value = part:match("^([%l_]+)=(.+)$")
    if not name then
      return string.format("'%s' is not NAME=VALUE", part)
    end
    given[name] = math.tointeger(tonumber(value)) or tonumber(value) or value
  end
  return nil
end
