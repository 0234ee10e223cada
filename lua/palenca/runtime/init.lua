--- How a caller waits for its call: chosen by where the code runs, the same interface for all.
--
-- A runtime is a table with `submit(request) → call`, `wait(call) → result`, `cancel(call)` and
-- `sleep(seconds)`. The program sets the host's; in nginx and OpenResty it is theirs, and
-- elsewhere the blocking one, unless another one is set, as `examples/luv.lua` does.
--
-- `wait_any(calls, seconds) → call` serves @{palenca.gather}: it returns when one of the calls, of
-- which there is at least one, has its result or was cancelled, and that call; or nil after that
-- many seconds (nil: no limit). Without it, gather looks at the calls every few milliseconds if
-- they are those of @{palenca.runtime.calls}, and else waits for them one after the other.
-- @module palenca.runtime
local argcheck = require("palenca.util.argcheck")
local gather = require("palenca.runtime.gather")
local shown = require("palenca.util.shown")

local runtime = {}

local current

local function chosen()
  if not current then
    local name = rawget(_G, "ngx") and "nginx" or "blocking"
    current = require("palenca.runtime." .. name).new()
  end
  return current
end

--- Sets another runtime; before the first call is made.
-- @tparam ?table new the runtime; nil: the one that fits, when it is needed
-- @treturn ?table the one before, if there was one
function runtime.use(new)
  local before = current
  current = new
  return before
end

--- Queues a request. Raises if it is not a valid one: a mistake in the calling code.
-- @tparam table request of the engine
-- @return the call
function runtime.submit(request)
  local call = chosen().submit(request)
  gather.add(call)
  return call
end

--- Waits until a call has its result.
-- @param call of @{submit}
-- @treturn table the engine's result
function runtime.wait(call)
  local result = gather.wait(call)
  if result == nil then
    result = chosen().wait(call)
  end
  gather.remove(call)
  return result
end

--- Forgets a call.
-- @param call of @{submit}
function runtime.cancel(call)
  chosen().cancel(call)
  gather.remove(call)
end

--- Waits.
-- @tparam number seconds how long
function runtime.sleep(seconds)
  argcheck.dot("palenca.sleep", seconds, 2)
  if type(seconds) ~= "number" or not (seconds >= 0 and seconds <= 86400) then
    error("palenca.sleep: seconds must be a number from 0 to 86400, got " .. shown(seconds), 2)
  end
  local own = chosen()
  if not gather.sleep(own, seconds) then
    own.sleep(seconds)
  end
end

--- Runs functions side by side: while one waits, in calls of the API, `palenca.http` or
-- `palenca.sleep`, the others go on.
--
-- The first error cancels the others: what they wait for is aborted, and no code of theirs runs any
-- more but the `__close` of their variables (Lua 5.4 on). An error that a function raises is raised
-- here, the same value; where one returns nil and something else, as a call that failed does, that
-- is returned, all of it.
-- @tparam function ... called without arguments
-- @return the first value that each has returned, in the order of the functions
-- @usage local account, profile = palenca.gather(
--   function() return client.accounts:get(id) end,
--   function() return client.accounts:profile(id) end)
-- if not account then error(profile) end
function runtime.gather(...)
  local count = select("#", ...)
  local bodies = { ... }
  argcheck.dot("palenca.gather", bodies[1], 2)
  for at = 1, count do
    local body = bodies[at]
    if type(body) ~= "function" then
      local is_plain = type(body) == "number" or type(body) == "boolean"
      error(("palenca.gather: argument %d must be a function, got %s"):format(at,
        is_plain and tostring(body) or type(body)), 2)
    end
  end
  return gather.run(chosen(), bodies, count)
end

return runtime
