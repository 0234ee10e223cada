--- Asks the API whether it takes the key: once when a script is loaded with a new one, so that a
-- wrong one is known before the first event; and again and again while it is rejected, if somebody
-- watches the program, so that it is ready again without an event.
-- @module palenca.host.key_probe
local client = require("palenca.client")
local host = require("palenca.host")
local program_log = require("palenca.host.program_log")
local runtime = require("palenca.runtime")

local key_probe = {}

-- An operation that changes nothing.
local PATH = "/v1/webhooks"
-- Seconds for its response: of the first one, which may have to wait for the limit, and of others.
local FIRST_TIMEOUT = 30
local TIMEOUT = 5
-- Seconds between two looks at whether it is time for one.
local INTERVAL = 0.25

local running = 0

local function ask(schedule, asked, timeout, at_response)
  running = running + 1
  schedule:spawn("a probe of the API's key", function(task)
    schedule:limit(task, timeout)
    task.is_low_priority = true
    at_response(runtime.wait(asked:_submit("GET", PATH, nil, { idempotent = true })))
  end, function()
    running = running - 1
  end)
end

local function log_if_rejected(asked, result)
  if result.status ~= 401 then -- 403: the key may lack this right alone
    return -- what else fails concerns the first event at the earliest
  end
  program_log.line(string.format("palenca: error: the API at %s rejects the key (HTTP %d): put a "
    .. "valid one into the file of --api-key-file and send SIGHUP, or into PALENCA_API_KEY and "
    .. "start again", asked.base_url, result.status),
    { event = "key_rejected", level = "error", url = asked.base_url, status = result.status })
end

--- Has the key of the script's first client tried, unless another worker does; to be called once
-- the script is loaded. Without a client it is the configured key, which is sent only to a server
-- that is configured: where else it may be for is not guessed. Whatever else fails than the key is
-- not reported.
-- @tparam Scheduler schedule of a worker
function key_probe.start(schedule)
  local asked = client.first() or client.configured()
  if asked and host.metrics.claim_new_key() then
    ask(schedule, asked, FIRST_TIMEOUT, function(result)
      log_if_rejected(asked, result)
    end)
  end
end

local function nothing() end

--- Starts a probe if it is time for another one.
-- @tparam Scheduler schedule of a worker
-- @treturn ?number seconds until the next look; nil: none is needed
function key_probe.step(schedule)
  if not host.metrics.is_key_rejected() then
    return nil
  end
  -- of a script that was just loaded, maybe with another key, its own one
  local asked = schedule.rejected or client.first()
  if not asked then
    return nil
  end
  if host.metrics.claim_key_probe() then
    ask(schedule, asked, TIMEOUT, nothing)
  end
  return INTERVAL
end

--- The number of probes that have not ended, which nobody has to wait for.
-- @treturn integer
function key_probe.running()
  return running
end

return key_probe
