--- Finds the route of a request in a table of methods, path patterns and handlers.
-- @module palenca.sandbox.http.router
--
-- A route is `{method, pattern, handler, public = true or nil, ids = "any" or nil}`, and for one
-- of the sandbox's own `query` and `body`, as @{palenca.sandbox} reads them. In a pattern
-- `{name}` stands for one segment of the path. The first pattern that fits decides, so a fixed
-- segment goes before a named one. A public route needs no API key. What stands for a name must be
-- a UUID unless `ids` says "any".
local router = {}
router.__index = router

local function compile(pattern)
  local names = {}
  local text = pattern:gsub("[%-%.]", "%%%0"):gsub("{([%w_]+)}", function(name)
    names[#names + 1] = name
    return "([^/]+)"
  end)
  return "^" .. text .. "$", names
end

--- Compiles routes.
-- @tparam table routes the routes
-- @treturn router the router
function router.new(routes)
  local self = setmetatable({ resources = {} }, router)
  local by_pattern = {}
  for _, route in ipairs(routes) do
    local method, pattern, handler = table.unpack(route)
    local resource = by_pattern[pattern]
    if not resource then
      local expression, names = compile(pattern)
      resource = { expression = expression, names = names, methods = {}, allow = {} }
      by_pattern[pattern] = resource
      self.resources[#self.resources + 1] = resource
    end
    resource.methods[method] = {
      handler = handler, public = route.public, ids = route.ids, query = route.query,
      body = route.body,
    }
    table.insert(resource.allow, method)
  end
  return self
end

--- Finds the route of a request.
-- @tparam string method the HTTP method
-- @tparam string path the path, without the query
-- @treturn ?table the route: `handler`, `public`, `ids`, `query`, `body`; nil if there is none
-- @treturn ?table the values of the pattern's names; or the methods that the path does have
function router:match(method, path)
  for _, resource in ipairs(self.resources) do
    local found = { path:match(resource.expression) }
    if found[1] then
      local route = resource.methods[method]
      if not route then
        return nil, resource.allow
      end
      local values = {}
      for index, name in ipairs(resource.names) do
        values[name] = found[index]
      end
      return route, values
    end
  end
  return nil, nil
end

return router
