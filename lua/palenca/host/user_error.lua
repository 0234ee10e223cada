--- An error that is shown to a person as a sentence, without a traceback.
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
