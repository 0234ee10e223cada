--- Loads a user's script, which cannot end the process, and lists the files it consists of.
-- @module palenca.host.script_loader
local traceback = require("palenca.host.traceback")
local user_error = require("palenca.host.user_error")

local script_loader = {}

-- The directory of the script, if its name is one that package.path cannot hold.
local unusual_directory

-- The file of a module beside such a script; or nil, and those that there are not.
local function find_beside(name)
  if not unusual_directory then
    return nil, ""
  end
  local base = unusual_directory .. "/" .. name:gsub("%.", "/")
  local tried = ""
  for _, path in ipairs({ base .. ".lua", base .. "/init.lua" }) do
    local file = io.open(path)
    if file then
      file:close()
      return path
    end
    tried = tried .. "\n\tno file '" .. path .. "'"
  end
  return nil, tried
end

local function load_beside(name)
  local path, tried = find_beside(name)
  if not path then
    return tried
  end
  local chunk, problem = loadfile(path)
  if not chunk then
    error(string.format("error loading module '%s' from file '%s':\n\t%s", name, path, problem), 0)
  end
  return chunk, path
end

-- What stands beside a script can be required by it. Two characters have a meaning in package.path.
local function search_beside(path)
  local directory = path:match("^(.*)/[^/]*$") or "."
  if directory:find("[?;]") then
    unusual_directory = directory
    table.insert(package.searchers, 2, load_beside)
  else
    package.path = string.format("%s/?.lua;%s/?/init.lua;%s", directory, directory, package.path)
  end
end

--- Has os.exit raise: it would end all that runs beside the script.
function script_loader.forbid_exit()
  os.exit = function() -- luacheck: ignore 122
    error("os.exit is not available in a script that is served; raise an error instead", 2)
  end
end

local function with_trace(value)
  if type(value) ~= "string" then
    return value
  end
  local frames = traceback(debug.traceback("", 2), value)
  return frames and value .. "\n" .. frames or value
end

--- The files of the modules that were required, but for those of this project.
-- @treturn {string,...}
function script_loader.files()
  local files = {}
  for name in pairs(package.loaded) do
    if type(name) == "string" and not package.preload[name] then
      files[#files + 1] = find_beside(name) or package.searchpath(name, package.path)
    end
  end
  return files
end

--- Compiles a script and runs it once, which registers its handlers.
-- @tparam string path of the file
-- @param ... the script's arguments
function script_loader.load(path, ...)
  local chunk, problem = loadfile(path, "t")
  if not chunk then
    -- the only problem that does not name the file
    user_error("%s%s", problem:find("binary chunk", 1, true) and path .. ": " or "", problem)
  end
  search_beside(path)
  arg = { [0] = path, ... } -- luacheck: ignore 121
  local ok, raised = xpcall(chunk, with_trace, ...)
  if not ok then
    user_error("%s", tostring(raised))
  end
end

return script_loader
