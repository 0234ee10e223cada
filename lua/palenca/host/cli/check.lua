--- palenca check: reports whether a script can be served, without sending anything; and with
-- --online, whether the API can be used.
-- @module palenca.host.cli.check
local check_online = require("palenca.host.cli.check_online")
local event_names = require("palenca.host.event_names")
local host = require("palenca.host")
local json = require("palenca.util.json")
local options = require("palenca.host.cli.options")
local output = require("palenca.host.cli.output")
local program_log = require("palenca.host.program_log")

local check = {
  name = "check",
  summary = "Load a script that is to be served, without sending anything; list what it handles. "
    .. "With --online: try key, clock, TLS and limit.",
}

local FAILED, WRONG_USAGE = 1, 2
-- Maximum seconds in a call that cannot be interrupted.
local BLOCKED_MAX = 60

function check.define(command)
  command:argument("script", "The Lua file; not needed with --online."):argname("SCRIPT")
    :args("?")
  check_online.define(command)
  -- as serve has them
  options.add_all(command, {
    { "--cpu-timeout", "Maximum CPU seconds of loading the script.", 5,
      options.duration, "SECONDS" },
    { "--memory-limit", "Maximum MiB of memory of the script.", 256,
      options.integer(16, 1048576, "MiB"), "MIB" },
  })
end

-- Within the limits of a worker, so on a thread as workers have it. Returns what the script
-- handles, false if nobody reads what it prints, or nil and what is wrong.
local function load_script(given)
  local loading, problem = host.start("palenca.host.cli.check_script", json.encode({
    script = given.script,
    cpu_timeout = given.cpu_timeout,
    memory_limit = given.memory_limit,
  }))
  local loaded = loading and false
  local details
  while loaded == false do
    loaded, problem, details = loading:wait_ready(0.1)
    if (loading:blocked() or 0) > BLOCKED_MAX then
      program_log.problem(string.format("%s: blocked for %d s", given.script, BLOCKED_MAX))
      host.exit_now(FAILED)
    end
  end
  if not loaded then
    return nil, problem
  end
  loading:close()
  return loaded ~= "closed" and json.decode(details)
end

local function check_script(given)
  local handled, problem = load_script(given)
  if handled == false then
    return output.CLOSED
  elseif not handled then
    program_log.problem(problem)
    return FAILED
  end
  local actions, texts = handled.actions, handled.timers
  event_names.warn(given.script, actions)
  table.move(texts, 1, #texts, #actions + 1, actions)
  if handled.dead then
    actions[#actions + 1] = "dead letters (palenca.on_dead)"
  end
  if #actions == 0 then
    output.text(given.script .. ": ok, but it handles no event (palenca.on is never called)")
  else
    output.text(string.format("%s: ok, handles %s", given.script, table.concat(actions, ", ")))
  end
end

function check.run(given)
  local problem = not given.script and not given.online and "missing argument 'SCRIPT'"
    or given.json and not given.online and "--json goes with --online" or nil
  if problem then
    program_log.problem(problem, "Try 'palenca check --help'.")
    return WRONG_USAGE
  end
  local online = given.online and check_online.run(given) or nil
  local script = given.script and check_script(given) or nil
  return script or online
end

return check
