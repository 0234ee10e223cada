--- HTTP methods: which texts can be one, and which are idempotent.
-- @module palenca.util.http_method
local http_method = {}

local idempotent = { GET = true, HEAD = true, OPTIONS = true, PUT = true, DELETE = true }

--- Whether a text can be a method.
-- @param name anything
-- @treturn boolean
function http_method.is_valid(name)
  return type(name) == "string" and #name <= 16 and name:find("^%u+$") ~= nil
end

--- Whether doing it twice is the same as doing it once, as HTTP has it.
-- @tparam string name the method
-- @treturn boolean
function http_method.is_idempotent(name)
  return idempotent[name] or false
end

return http_method
