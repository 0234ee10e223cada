--- Loads a script for `palenca check`, on a thread of its own.
-- @module palenca.host.cli.check_script
local client = require("palenca.client")
local errors = require("palenca.errors")
local handlers = require("palenca.handlers")
local host = require("palenca.host")
local json = require("palenca.util.json")
local output = require("palenca.host.cli.output")
local retry_policy = require("palenca.host.retry_policy")
local runtime = require("palenca.runtime")
local scheduler = require("palenca.host.scheduler")
local script_loader = require("palenca.host.script_loader")
local timers = require("palenca.timers")
local user_error = require("palenca.host.user_error")

-- Nothing waits while it is checked.
local LOAD_TIMEOUT = 86400

local function reject()
  error(errors.new({ kind = "network", message = "palenca check sends no requests" }), 0)
end

local function load(options)
  local schedule = scheduler.new(options.cpu_timeout, options.memory_limit, retry_policy.plain)
  local ok, problem = pcall(schedule.run, schedule, "the script", function()
    script_loader.load(options.script)
  end, LOAD_TIMEOUT)
  if not ok then
    user_error("%s", type(problem) == "table" and problem.text or options.script .. ": " .. problem)
  end
end

--- Loads the script; raises if it does not load. The details of what is ready are a JSON object:
-- `actions`, a list of names, `timers`, one of texts, and `dead`, whether it has functions for dead
-- letters. It is ready as "closed" if nobody reads
-- what the script prints.
-- @tparam string text the options as JSON: `script`, its path, `cpu_timeout` (seconds),
-- `memory_limit` (MiB)
return function(text)
  local options = json.decode(text)
  runtime.use({ submit = reject, wait = reject, cancel = reject, sleep = reject })
  if (os.getenv("PALENCA_API_KEY") or "") == "" then
    client.set_defaults({ api_key = "checked-without-a-key" })
  end
  timers.serve()
  handlers.set_max_limits(host.own_thread.LIMITS_MAX)
  script_loader.forbid_exit()
  output.watch_script()
  local ok, problem = pcall(load, options)
  if not pcall(output.check_reader) then
    host.own_thread.ready("closed")
    return
  elseif not ok then
    error(problem, 0)
  end
  host.own_thread.ready("", json.encode({
    actions = json.array(handlers.actions()),
    timers = json.array(timers.descriptions()),
    dead = #handlers.for_dead() > 0,
  }))
end
