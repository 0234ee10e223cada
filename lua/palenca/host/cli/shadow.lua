--- palenca shadow: what another version of a script would have done with recorded events.
-- @module palenca.host.cli.shadow
local host = require("palenca.host")
local json = require("palenca.util.json")
local options = require("palenca.host.cli.options")
local output = require("palenca.host.cli.output")
local program_log = require("palenca.host.program_log")
local shadow_format = require("palenca.host.cli.shadow_format")
local store_options = require("palenca.host.cli.store_options")
local time_argument = require("palenca.host.cli.time_argument")

local shadow = {
  name = "shadow",
  summary = "Run a script over stored events, with the responses recorded then, and compare its "
    .. "outcomes; send and store nothing.",
  handles_signals = true,
}

local FAILED, WRONG_USAGE = 1, 2
-- As if the signal had ended the process.
local SIGNALED = { SIGHUP = 129, SIGINT = 130, SIGTERM = 143 }
-- Maximum seconds in a call that cannot be interrupted.
local BLOCKED_MAX = 60
-- Seconds for the thread to end after a signal.
local STOP_TIMEOUT = 1

local function add_time(command, name, help)
  options.add(command, name, {
    help = help .. ": 2026-03-01, 2026-03-01T12:30:00Z (UTC), or 90s, 15m, 6h, 7d ago.",
    convert = time_argument.parse,
    argname = "TIME",
  })
end

function shadow.define(command)
  command:argument("script", "The Lua file with the handlers."):argname("SCRIPT")
  add_time(command, "--since", "Only events received since")
  add_time(command, "--until", "Only events received before")
  options.add_limit(command)
  -- as serve has them
  options.add_all(command, {
    { "--handler-timeout", "Maximum seconds of a handler, its waits included, by the clock of "
      .. "then.", 3600, options.duration, "SECONDS" },
    { "--cpu-timeout", "Maximum CPU seconds of a handler between two waits, and of loading the "
      .. "script.", 5, options.duration, "SECONDS" },
    { "--memory-limit", "Maximum MiB of memory of the script.", 256,
      options.integer(16, 1048576, "MiB"), "MIB" },
  })
  store_options.add_db(command, "The database that 'palenca serve --record-responses' writes to.")
  options.add_json(command)
end

local function end_by(running, signal)
  running:ask("stop")
  pcall(running.join, running, STOP_TIMEOUT)
  if host.is_terminal() then
    io.stderr:write("\r\27[K")
  end
  program_log.problem(signal .. ": stopped before the end")
  host.exit_now(SIGNALED[signal])
end

-- Returns what was found; or nil and what is wrong.
local function play(given)
  local running, problem = host.start("palenca.host.cli.shadow_run", json.encode({
    script = given.script,
    timeout = given.handler_timeout,
    cpu_timeout = given.cpu_timeout,
    memory_limit = given.memory_limit,
    db = given.db,
    since = given.since,
    ["until"] = given["until"],
    limit = given.limit,
    is_terminal = host.is_terminal(),
    as_json = given.json,
  }))
  local ready, details = running and false, nil
  while ready == false do
    ready, problem, details = running:wait_ready(0.1)
    local signal = ready == false and host.wait_signal(0)
    local seconds, label = running:blocked()
    if signal then
      end_by(running, signal)
    elseif (seconds or 0) > BLOCKED_MAX then
      program_log.problem(("%s: blocked for %d s by %s"):format(given.script, BLOCKED_MAX, label))
      host.exit_now(FAILED)
    end
  end
  if not ready then
    return nil, problem
  end
  running:close()
  local found = json.decode(details)
  if found.is_closed then
    output.end_with_reader()
  end
  return found
end

function shadow.run(given)
  if given.since and given["until"] and given.since >= given["until"] then
    program_log.problem("--until must be after --since", "Try 'palenca shadow --help'.")
    return WRONG_USAGE
  end
  store_options.require_db(given)
  local found, problem = play(given)
  if not found then
    program_log.problem(problem)
    return FAILED
  end
  output.line((given.json and shadow_format.summary_object or shadow_format.summary)(found))
  if found.played == 0 then
    program_log.problem(found.total == 0
      and ("%s holds no event of that time that could be played: 'palenca serve "
        .. "--record-responses' records"):format(host.events.shown_name(given.db))
      or "none of the events could be played")
    return FAILED
  end
end

return shadow
