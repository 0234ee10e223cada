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
require("luv")

-- Likewise the database server that all files share.
if os.getenv("SPEC_DB") == "postgresql" then
  local postgres = require("spec.support.postgres")
  busted.subscribe({ "suite", "end" }, function()
    postgres.close_shared()
    return nil, true
  end)
end
