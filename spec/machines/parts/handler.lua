-- The script of the hosts: writes a line when a handler starts, and one when it ends, to a file
-- that all of them share, and logs, for the store to keep it with the attempt, which run it was.
local palenca = require("palenca")

local function read(path, format)
  local file = assert(io.open(path))
  local value = file:read(format)
  file:close()
  return value
end

local state, runs = read("/proc/sys/kernel/random/uuid", "l"), 0
local at = ("%s/%d"):format(os.getenv("MACHINES_HOST"), read("/proc/self/stat", "n"))
local file = assert(io.open(os.getenv("MACHINES_HANDLED"), "a"))
file:setvbuf("no")

palenca.on("*", function(event)
  runs = runs + 1
  local run = state .. "-" .. runs
  local line = (" %s %s %d %s %s %s\n"):format(event.account_id, event.external_id, event.attempt,
    at, event.data.seconds, run)
  palenca.log.info({ run = run })
  file:write("starts" .. line)
  palenca.sleep(tonumber(event.data.seconds))
  file:write("ends" .. line)
end)
