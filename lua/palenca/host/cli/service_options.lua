--- Declares the options of the commands that serve a script.
-- @module palenca.host.cli.service_options
local host = require("palenca.host")
local options = require("palenca.host.cli.options")
local store_options = require("palenca.host.cli.store_options")

local service_options = {}

local function define_workers(command)
  options.add_all(command, {
    { "--workers", "Threads that run the script.", host.processors(), options.integer(1, 1024),
      "N" },
    { "--concurrency", "Events that each worker handles at once.", 64, options.integer(1, 100000),
      "N" },
    { "--max-attempts", "Attempts before an event becomes a dead letter.", 8,
      options.positive, "N" },
    { "--retry-wait", "Seconds from an event's first attempt to the next; each further wait is "
      .. "four times as long, up to an hour.", 5, options.duration, "SECONDS" },
    { "--handler-timeout", "Maximum seconds of a handler, its waits included; beyond, its attempt "
      .. "fails.", 3600, options.duration, "SECONDS" },
    { "--cpu-timeout", "Maximum CPU seconds of a handler between two waits; beyond, its attempt "
      .. "fails. The same applies to loading the script.", 5, options.duration, "SECONDS" },
    { "--memory-limit", "Maximum MiB of memory of the script in each worker.", 256,
      options.integer(16, 1048576, "MiB"), "MIB" },
    { "--drain-timeout", "Seconds to wait for running handlers after Ctrl-C or SIGTERM.", 30,
      options.seconds, "SECONDS" },
  })
end

--- Adds them, but for those of the receiver.
-- @param command of argparse
function service_options.define(command)
  command:argument("script", "The Lua file with the handlers."):argname("SCRIPT")
  options.group(command, "Workers", define_workers)
  options.group(command, "What is kept", store_options.define)
end

return service_options
