--- What a script was when it was loaded: digests of its files.
-- @module palenca.host.script_version
local host = require("palenca.host")

local ScriptVersion = {}
ScriptVersion.__index = ScriptVersion

local script_version = {}

local function digest_of(path)
  local file = io.open(path, "rb")
  local text = file and file:read("a")
  if file then
    file:close()
  end
  return text and host.sha256(text) or nil
end

-- What the entries of the ledger say of the script: digests of its file, and of those of its
-- modules, whatever their names are.
local function describe(path, files)
  local digests = {}
  for _, file in ipairs(files) do
    digests[#digests + 1] = digest_of(file)
  end
  table.sort(digests)
  return {
    script = digest_of(path),
    modules = digests[1] and host.sha256(table.concat(digests, "\n") .. "\n") or nil,
  }
end

--- Describes a script that was loaded.
-- @tparam string path
-- @tparam {string,...} files of the modules that it has required
-- @treturn ScriptVersion with its `path`, and the `digests` of `script` and `modules`
function script_version.new(path, files)
  return setmetatable({ path = path, files = files, digests = describe(path, files) },
    ScriptVersion)
end

--- Whether the files have changed since; true once for each change.
-- @treturn boolean
function ScriptVersion:has_changed()
  local now, seen = describe(self.path, self.files), self.seen or self.digests
  self.seen = now
  return now.script ~= nil and (now.script ~= seen.script or now.modules ~= seen.modules)
end

return script_version
