--- Ids in UUID form.
-- @module palenca.util.uuid
local UUID = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"

--- Whether a value is an id in UUID form.
-- @param value anything
-- @treturn boolean
return function(value)
  return type(value) == "string" and value:find(UUID) ~= nil
end
