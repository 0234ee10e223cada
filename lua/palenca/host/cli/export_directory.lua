--- The directory of an export, or of reports: a file for each account, which is there in full or
-- not at all, and a manifest of what they are.
-- @module palenca.host.cli.export_directory
local core = require("palenca.core")
local host = require("palenca.host")
local json = require("palenca.util.json")
local user_error = require("palenca.host.user_error")

local Directory = {}
Directory.__index = Directory

local export_directory = {}

-- Accounts that are named in a message.
local NAMED_MAX = 3

local function exists(path)
  local file = io.open(path)
  if file then
    file:close()
  end
  return file ~= nil
end

local function must(ok, problem)
  if not ok then
    user_error("%s", problem)
  end
  return ok
end

local function read_manifest(path, product)
  local file = io.open(path)
  local text = file and file:read("a")
  if file then
    file:close()
  end
  if not text then
    return nil
  end
  local manifest = json.decode(text)
  if type(manifest) ~= "table" or type(manifest.accounts) ~= "table" then
    user_error("%s is not the manifest of %s", path, product)
  end
  return manifest
end

local function set_of(list)
  local set = {}
  for _, one in ipairs(list) do
    set[one] = true
  end
  return set
end

-- Those of one list that the other has not.
local function missing(list, from)
  local set, found = set_of(from), {}
  for _, one in ipairs(list) do
    if not set[one] then
      found[#found + 1] = one
    end
  end
  return found
end

local function name_some(found)
  return #found == 0 and "-" or table.concat(found, ", ", 1, math.min(#found, NAMED_MAX))
    .. (#found > NAMED_MAX and ", …" or "")
end

local function check_accounts(self, manifest, accounts)
  local added, removed = missing(accounts, manifest.accounts), missing(manifest.accounts, accounts)
  if #added + #removed > 0 then
    user_error("%s holds %s of other accounts: the file has %d more now (%s) and %d no longer "
      .. "(%s); use another --out", self.path, self.product, #added, name_some(added), #removed,
      name_some(removed))
  end
end

-- What was not set goes on as before: the day of today is another one tomorrow.
local function check_settings(self, manifest, settings)
  for _, setting in ipairs(settings) do
    local name, value = setting.name, setting.value
    if value and value ~= manifest[name] then
      user_error("%s holds %s with another %s: %s then, %s now; use another --out",
        self.path, self.product, setting.label or "--" .. name, tostring(manifest[name]), value)
    end
  end
end

local function new_manifest(accounts, settings)
  local manifest = { accounts = json.array(accounts), version = core.version }
  for _, setting in ipairs(settings) do
    manifest[setting.name] = setting.value or setting.default
  end
  return manifest
end

-- Without a manifest nothing says what these are.
local function check_no_files(self, accounts)
  for _, account in ipairs(accounts) do
    if self:has(account) then
      user_error("%s has no manifest.json, but %s: use another --out", self.path,
        self:file_of(account))
    end
  end
end

--- Opens the directory, which is made if need be, and its manifest. Raises if another process
-- writes there, or if it holds what was made of other accounts or with other settings.
-- @tparam string path
-- @tparam {string,...} accounts ids
-- @tparam {table,...} settings what the files depend on, texts: `name`; `value`, if it was set;
-- `default`, for a new directory; `label`, for a message. The first is the format, such as `csv`
-- @tparam string product what it holds, for a message: such as "an export"
-- @treturn Directory with the `settings` by their names
function export_directory.open(path, accounts, settings, product)
  local self = setmetatable({ path = path, format = settings[1].value, product = product },
    Directory)
  must(host.make_directory(path))
  local problem
  self.lock, problem = host.lock(path .. "/.lock")
  must(self.lock, problem)
  local name = path .. "/manifest.json"
  local manifest = read_manifest(name, product)
  if manifest then
    check_settings(self, manifest, settings)
    check_accounts(self, manifest, accounts)
  else
    check_no_files(self, accounts)
    manifest = new_manifest(accounts, settings)
    must(host.replace_file(name, json.canonical(manifest) .. "\n"))
  end
  self.settings = manifest
  return self
end

--- The name of an account's file.
-- @tparam string account
-- @treturn string
function Directory:file_of(account)
  return ("%s/%s.%s"):format(self.path, account, self.format)
end

--- Whether an account has its file.
-- @tparam string account
-- @treturn boolean
function Directory:has(account)
  return exists(self:file_of(account))
end

--- Writes an account's file. Raises if it cannot be written.
-- @tparam string account
-- @tparam string text all of it
function Directory:write(account, text)
  must(host.replace_file(self:file_of(account), text))
end

return export_directory
