--- Reads files with secrets: keys, and what webhooks are signed with.
-- @module palenca.host.cli.secret_file
local host = require("palenca.host")
local program_log = require("palenca.host.program_log")
local user_error = require("palenca.host.user_error")

local secret_file = {}

local READABLE_BY_OTHERS = 4

local function warn(path)
  local mode = host.file_mode(path) or 0
  if mode & READABLE_BY_OTHERS ~= 0 then
    program_log.line(("warning: %s can be read by every user of this machine; chmod 600 %s")
      :format(path, path), { event = "secret_readable", level = "warning", file = path })
  end
end

--- The file of a credential that a service manager, such as systemd, has made for this process.
-- @tparam string name what comes after `palenca.` in its name
-- @treturn ?string nil: there is none
function secret_file.credential(name)
  local directory = os.getenv("CREDENTIALS_DIRECTORY") or ""
  local path = directory .. "/palenca." .. name
  return directory ~= "" and host.file_mode(path) and path or nil
end

--- Reads the secrets in a file, one a line; blanks around them are removed. Logs a warning if other
-- users can read the file; raises if it cannot be read.
-- @tparam string option that names the file, for the message
-- @tparam string path
-- @treturn {string,...} none, if there are only blank lines
function secret_file.lines(option, path)
  local file, problem = io.open(path)
  local text
  if file then
    text, problem = file:read("a")
    file:close()
  end
  if not text then
    user_error("%s: %s", option, problem or path .. " cannot be read")
  end
  warn(path)
  local list = {}
  for line in text:gmatch("[^\r\n]+") do
    list[#list + 1] = line:match("^%s*(.*%S)")
  end
  return list
end

--- Reads the one secret in a file; raises if there is none, or more than one.
-- @tparam string option likewise
-- @tparam string path
-- @tparam string noun what it is
-- @treturn string
function secret_file.read(option, path, noun)
  local list = secret_file.lines(option, path)
  if #list ~= 1 then
    user_error("%s: %s holds %s", option, path,
      #list == 0 and "no " .. noun or "more than one " .. noun)
  end
  return list[1]
end

return secret_file
