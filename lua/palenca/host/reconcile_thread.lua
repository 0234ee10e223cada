--- Reconciles once, on a thread of its own beside a service that has started.
-- @module palenca.host.reconcile_thread
local client = require("palenca.client")
local host = require("palenca.host")
local json = require("palenca.util.json")
local observed_runtime = require("palenca.host.observed_runtime")
local program_log = require("palenca.host.program_log")
local reconcile = require("palenca.host.reconcile")
local reconcile_turn = require("palenca.host.reconcile_turn")
local runtime = require("palenca.runtime")

--- Runs it; the options are a JSON object: `db`, `since` (Unix seconds), `client` (defaults of
-- `palenca.new`), `json`, `log_level`.
-- @tparam string text the options
return function(text)
  local options = json.decode(text)
  program_log.use_json(options.json)
  program_log.use_level(options.log_level)
  client.set_defaults(options.client or {})
  local turn, is_stopped = reconcile_turn.new(options.db), false
  local own, on_attempt = observed_runtime.new(function()
    if host.own_thread.requested() ~= "run" then
      is_stopped = true
      error("the process ends", 0)
    end
    turn:keep()
  end)
  runtime.use(own)
  host.own_thread.ready("")
  local ok, result = pcall(function()
    if not turn:take(function(seconds) own.wait_any({}, seconds) end) then
      return nil
    end
    local found = reconcile.run(options.db, client.new({ on_attempt = on_attempt }), options.since)
    turn:finish(true)
    return found
  end)
  pcall(turn.finish, turn, false) -- if it is still this process's
  if ok and not result then
    program_log.line("another process has reconciled since this one was started",
      { event = "reconciled_by_other" })
  elseif ok then
    program_log.line(("reconciled %d logins of the API: queued %d events%s"):format(result.logins,
      result.queued, reconcile.left_out_text(result)), { event = "reconciled",
      logins = result.logins, queued = result.queued, left_out = result.left_out })
  elseif not is_stopped then
    program_log.line(("palenca: error: cannot reconcile: %s; 'palenca reconcile' can do it later")
      :format(tostring(result)), { event = "reconcile_failed", level = "error",
      error = tostring(result) })
  end
end
