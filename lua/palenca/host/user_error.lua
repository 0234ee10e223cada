--- A failure that a person is told about in a sentence, without a traceback.
-- @module palenca.host.user_error
local UserError = {}

function UserError:__tostring()
  return self.message
end

--- Raises.
-- @tparam string format as for string.format
-- @param ... its arguments
return function(format, ...)
  error(setmetatable({ message = string.format(format, ...) }, UserError), 0)
end
