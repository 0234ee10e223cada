--- Loads a user's script.
-- @module palenca.script
local failure = require("palenca.failure")
local trace = require("palenca.trace")

local script = {}

-- What stands beside a script can be required by it.
local function search_beside(path)
  local directory = path:match("^(.*)/[^/]*$") or "."
  package.path = string.format("%s/?.lua;%s/?/init.lua;%s", directory, directory, package.path)
end

local function with_trace(value)
  if type(value) ~= "string" then
    return value
  end
  local frames = trace(debug.traceback("", 2), value)
  return frames and value .. "\n" .. frames or value
end

--- Compiles a script and runs it once, which registers its handlers.
-- @tparam string path of the file
-- @param ... the script's arguments
function script.load(path, ...)
  local chunk, problem = loadfile(path, "t")
  if not chunk then
    -- the only problem that does not name the file
    failure("%s%s", problem:find("binary chunk", 1, true) and path .. ": " or "", problem)
  end
  search_beside(path)
  arg = { [0] = path, ... } -- luacheck: ignore 121
  local ok, raised = xpcall(chunk, with_trace, ...)
  if not ok then
    failure("%s", tostring(raised))
  end
end

return script
