--- The runtime of a plain script: the caller waits, and works the engine while it does; so calls
-- that were submitted go on while it sleeps.
-- @module palenca.runtime.blocking
local calls = require("palenca.runtime.calls")
local core = require("palenca.core")

local blocking = {}

-- The engine wakes up by itself for whatever it has to do.
local LONG = 3600

local function nothing() end

--- A runtime with an engine of its own.
-- @param[opt] engine another one, for tests, and
-- @tparam[opt] function now its clock in seconds; default: the monotonic clock
-- @treturn table the runtime
function blocking.new(engine, now)
  local own = calls.new(engine or core.engine())
  now = now or core.steady_time
  return {
    submit = function(request)
      return own:submit(request)
    end,
    wait = function(call)
      while not calls.result(call) do
        own:step(LONG, nothing)
      end
      return call.result
    end,
    wait_any = function(list, seconds)
      local due = seconds and now() + seconds
      local call = calls.first_ended(list)
      while not call do
        own:step(due and math.max(0, due - now()) or LONG, nothing)
        call = calls.first_ended(list)
        if due and now() >= due then
          break
        end
      end
      return call
    end,
    cancel = function(call)
      own:cancel(call)
    end,
    now = now, -- the clock of sleep
    -- A signal, or a call that moves on, ends a step early. A signal has to come back to Lua, whose
    -- interpreter may have to end the script.
    sleep = function(seconds)
      local due = now() + seconds
      local left = seconds
      while left > 0 do
        own:step(left, nothing)
        left = due - now()
      end
    end,
  }
end

return blocking
