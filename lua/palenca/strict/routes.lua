--- Finds which operation of the API a request is, and so what its result is made of.
-- @module palenca.strict.routes
local reference = require("palenca.strict.reference")
local resources = require("palenca.client.resources")

local routes = {}

local function escape(path)
  return path:gsub("%p", "%%%0"):gsub("%%{id%%}", "[^/]+")
end

local list = {}
for name, operation in pairs(resources.operations()) do
  list[#list + 1] = {
    method = operation.method, pattern = "^" .. escape(operation.path) .. "$",
    search = operation.search, class = reference.returns[name],
  }
end

--- Finds what the result of a request is made of.
-- @tparam string method
-- @tparam string path with or without a query
-- @treturn ?string a class of the reference, with `[]` behind it for a list; nil if the request is
-- not one of an operation, or its result is not known
-- @treturn ?string of a search, the field of the data that has the rows, which are of that class
function routes.class_of(method, path)
  path = path:match("^[^?]*")
  for _, route in ipairs(list) do
    if route.method == method and path:find(route.pattern) then
      return route.class, route.search
    end
  end
end

return routes
