--- A runtime that calls a function while it waits, and knows what the calls wait for.
-- @module palenca.host.observed_runtime
local calls = require("palenca.runtime.calls")
local core = require("palenca.core")

local observed_runtime = {}

-- Seconds between two calls of the function.
local INTERVAL = 0.2

local function nothing() end

local KINDS = { network = "a failure of the network", timeout = "a timeout" }

local function describe_retry(attempt)
  return "to try again after " .. (attempt.status and "HTTP " .. attempt.status
    or KINDS[attempt.kind] or "a failure")
end

-- What the next of these retries waits for; nil if there is none. Those that are due are removed.
local function next_retry(retries)
  local now = core.steady_time()
  local first
  for at = #retries, 1, -1 do
    if retries[at].due <= now then
      table.remove(retries, at)
    elseif not first or retries[at].due < first.due then
      first = retries[at]
    end
  end
  return first and first.reason
end

--- Makes it.
-- @tparam function on_wait called with what is waited for, and in how many seconds that is over;
-- nil if a response is under way. What it raises ends the wait
-- @treturn table the runtime
-- @treturn function for `on_attempt` of the client
function observed_runtime.new(on_wait)
  local engine = core.engine()
  local own = calls.new(engine)
  -- Of all calls: the last attempt may be another call's than the one that waits.
  local retries = {}

  local function observe()
    if engine:active() > 0 and engine:in_flight() == 0 then
      on_wait(next_retry(retries) or "for the rate limit", engine:next_deadline() or 0)
    else
      on_wait()
    end
  end

  local function step(seconds)
    own:step(seconds, nothing)
    observe()
  end

  return {
    submit = function(request)
      return own:submit(request)
    end,
    wait = function(call)
      while not calls.result(call) do
        step(INTERVAL)
      end
      return call.result
    end,
    wait_any = function(list, seconds)
      local deadline = core.steady_time() + (seconds or math.huge)
      local ended = calls.first_ended(list)
      while not ended and core.steady_time() < deadline do
        step(math.min(INTERVAL, deadline - core.steady_time()))
        ended = calls.first_ended(list)
      end
      return ended
    end,
    cancel = function(call)
      own:cancel(call)
    end,
    sleep = function()
      error("nothing sleeps here")
    end,
  }, function(attempt)
    if attempt.retry_in and attempt.status ~= 429 then
      retries[#retries + 1] = { due = core.steady_time() + attempt.retry_in,
        reason = describe_retry(attempt) }
    end
  end
end

return observed_runtime
