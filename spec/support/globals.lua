-- Given to busted as a helper: Lua's own globals reach the specs directly. Otherwise each use of
-- one is looked up in every block around the test, which takes a good part of the time of a spec
-- that computes for long.
local busted = require("busted")
local getfenv = require("busted.compatibility").getfenv
local assert = require("luassert")

local NAMES = { "error", "getmetatable", "ipairs", "math", "next", "os", "pairs", "pcall", "rawget",
  "require", "select", "setmetatable", "string", "table", "tonumber", "tostring", "type" }

-- All files of specs have the same environment.
busted.subscribe({ "file", "start" }, function(file)
  local environment = getfenv(debug.getmetatable(file.run).__call)
  for _, name in ipairs(NAMES) do
    rawset(environment, name, _G[name])
  end
  rawset(environment, "assert", assert)
  return nil, true
end)

-- busted forgets what a file of specs has required. luv's loop would be collected with its module,
-- and be used all the same by the next file that requires it.
local uv = require("luv")

-- Likewise the database server that all files share.
if os.getenv("SPEC_DB") == "postgresql" then
  local postgres = require("spec.support.postgres")
  busted.subscribe({ "suite", "end" }, function()
    postgres.close_shared()
    return nil, true
  end)
end

-- A test that fails leaves programs that run, and handles: luv frees those that are closing before
-- the loop has closed them, and uses them afterwards, in which the report would be lost.
busted.subscribe({ "suite", "end" }, function()
  uv.walk(function(handle)
    if handle:is_closing() then
      return
    elseif uv.handle_get_type(handle) == "process" then
      handle:kill("sigkill") -- its end is waited for
    else
      handle:close()
    end
  end)
  uv.run()
  return nil, true
end)
