--- Loads a test's script, as the program does, with the modules beside it.
-- @module palenca.testing.script
local script = {}

local function exists(path)
  local file = io.open(path)
  if file then
    file:close()
  end
  return file ~= nil
end

-- The file of a module beside the script; nil if there is none.
local function file_beside(directory, name)
  local base = directory .. "/" .. name:gsub("%.", "/")
  for _, path in ipairs { base .. ".lua", base .. "/init.lua" } do
    if exists(path) then
      return path
    end
  end
end

local searchers = package.searchers or package.loaders -- luacheck: ignore 143

-- Directories of scripts are searched first, and what was loaded from them is loaded anew in the
-- next test, in which it may register handlers again.
local function search(self)
  return function(name)
    for _, directory in ipairs(self.directories) do
      local path = file_beside(directory, name)
      if path then
        local chunk, problem = loadfile(path)
        if not chunk then
          error(("error loading module '%s' from file '%s':\n\t%s"):format(name, path, problem),
            0)
        end
        self.loaded[name] = true
        return chunk, path
      end
    end
    return "\n\tno file beside the script"
  end
end

--- Makes a loader.
-- @treturn table
function script.new()
  local self = { directories = {}, loaded = {} }
  self.searcher = search(self)
  table.insert(searchers, 2, self.searcher)
  return self
end

--- Reads a script, so that it can be run.
-- @tparam table self of @{new}
-- @tparam string path
-- @treturn ?function the script
-- @treturn ?string why it cannot be read
function script.read(self, path)
  local chunk, problem = loadfile(path)
  if chunk then
    table.insert(self.directories, 1, path:match("^(.*)/[^/]*$") or ".")
  end
  return chunk, problem
end

--- Ends it: what it has loaded is loaded anew by the next test.
function script.close(self)
  for at = #searchers, 1, -1 do
    if searchers[at] == self.searcher then
      table.remove(searchers, at)
    end
  end
  for name in pairs(self.loaded) do
    package.loaded[name] = nil
  end
end

return script
