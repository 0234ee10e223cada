--- The runtime of a plain script: the caller waits, and works the engine while it does.
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
    sleep = function(seconds)
      local waited = core.engine()
      waited:step(seconds)
      waited:close()
    end,
  }
end

return blocking
