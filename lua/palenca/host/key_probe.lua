--- Asks the API whether it takes a key that it has rejected, if somebody watches the program: so
-- that it is ready again without an event.
-- @module palenca.host.key_probe
local client = require("palenca.client")
local host = require("palenca.host")
local runtime = require("palenca.runtime")

local key_probe = {}

-- An operation that changes nothing.
local PATH = "/v1/webhooks"
-- Seconds for its response.
local TIMEOUT = 5
-- Seconds between two looks at whether it is time for one.
local INTERVAL = 0.25

local function nothing() end

--- Starts a probe if it is time for one.
-- @tparam Scheduler schedule of a worker
-- @treturn ?number seconds until the next look; nil: none is needed
function key_probe.step(schedule)
  if not host.metrics.is_key_rejected() then
    return nil
  end
  -- of a script that was just loaded, maybe with another key, its own one
  local asked = schedule.rejected or client.latest()
  if not asked then
    return nil
  end
  if host.metrics.claim_key_probe() then
    schedule:spawn("a probe of the API's key", function(task)
      schedule:limit(task, TIMEOUT)
      runtime.wait(asked:_submit("GET", PATH, nil, { idempotent = true }))
    end, nothing)
  end
  return INTERVAL
end

return key_probe
