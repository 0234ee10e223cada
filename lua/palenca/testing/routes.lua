--- Finds which operation of the API a request is, and so what its result is made of.
-- @module palenca.testing.routes
local reference = require("palenca.testing.reference")
local resources = require("palenca.client.resources")
local strict = require("palenca.testing.strict")

local routes = {}

local function escape(path)
  return path:gsub("%p", "%%%0"):gsub("%%{id%%}", "[^/]+")
end

local list = {}
for name, operation in pairs(resources.operations()) do
  list[#list + 1] = {
    name = name, method = operation.method, pattern = "^" .. escape(operation.path) .. "$",
    search = operation.search,
  }
end

local function find(request)
  for _, route in ipairs(list) do
    if route.method == request.method and request.path:find(route.pattern) then
      return route
    end
  end
end

--- Makes a function that makes the result of a request strict.
-- @tparam function report as of `strict.examine`
-- @tparam table request `method`, `path`
-- @treturn ?function called with the result; nil if the request is not one of an operation
function routes.examiner(report, request)
  local route = find(request)
  local class = route and reference.returns[route.name]
  if not class then
    return nil
  end
  return function(data, meta)
    strict.examine(report, "Meta", meta)
    if route.search then
      strict.examine_list(report, class, data[route.search])
    elseif class:sub(-2) == "[]" then
      strict.examine_list(report, class:sub(1, -3), data)
    else
      strict.examine(report, class, data)
    end
  end
end

return routes
