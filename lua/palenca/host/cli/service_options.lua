--- The options of those who serve a script.
-- @module palenca.host.cli.service_options
local options = require("palenca.host.cli.options")
local store_options = require("palenca.host.cli.store_options")

local service_options = {}

local function processors()
  local count = 0
  local file = io.open("/proc/cpuinfo")
  for line in file and file:lines() or function() end do
    count = count + (line:find("^processor%s*:") and 1 or 0)
  end
  return math.max(count, 1)
end

--- Adds them, but for those of the receiver.
-- @param command of argparse
function service_options.define(command)
  command:argument("script", "The Lua file with the handlers."):argname("SCRIPT")
  options.add_all(command, {
    { "--workers", "Threads that run the script.", processors(), options.whole(1, 1024), "N" },
    { "--concurrency", "Events that each worker handles at once.", 64, options.whole(1, 100000),
      "N" },
    { "--max-attempts", "How often an event is tried before it is kept aside as dead.", 8,
      options.positive, "N" },
    { "--handler-timeout", "Seconds that a handler may take, its waits included; its attempt has "
      .. "failed then.", 3600, options.duration, "SECONDS" },
    { "--cpu-timeout", "Seconds that a handler may compute without waiting; its attempt has failed "
      .. "then. The same holds for the loading of the script.", 5, options.duration, "SECONDS" },
    { "--memory-limit", "MiB of memory that the script may take in each worker.", 256,
      options.whole(16, 1048576, "MiB"), "MIB" },
    { "--drain-timeout", "Seconds that running handlers get to end after Ctrl-C or SIGTERM.", 30,
      options.seconds, "SECONDS" },
  })
  store_options.define(command)
end

return service_options
