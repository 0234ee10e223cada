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
function blocking.new()
  local own = calls.new(core.engine())
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
    cancel = function(call)
      own:cancel(call)
    end,
    -- A signal, or a call that moves on, ends a step early. A signal has to come back to Lua, whose
    -- interpreter may have to end the script.
    sleep = function(seconds)
      local due = core.steady_time() + seconds
      local left = seconds
      while left > 0 do
        own:step(left, nothing)
        left = due - core.steady_time()
      end
    end,
  }
end

return blocking
