--- How a caller waits for its call: chosen by where the code runs, the same interface for all.
--
-- A runtime is a table with `submit(request) → call`, `wait(call) → result`, `cancel(call)` and
-- `sleep(seconds)`. The program sets the host's; in nginx and OpenResty it is theirs, and
-- elsewhere the blocking one, unless another one is set, as `examples/luv.lua` does.
-- @module palenca.runtime
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
-- @tparam table new the runtime
function runtime.use(new)
  current = new
end

--- Queues a request. Raises if it is not a valid one: a mistake in the calling code.
-- @tparam table request of the engine
-- @return the call
function runtime.submit(request)
  return chosen().submit(request)
end

--- Waits until a call has its result.
-- @param call of @{submit}
-- @treturn table the engine's result
function runtime.wait(call)
  return chosen().wait(call)
end

--- Forgets a call.
-- @param call of @{submit}
function runtime.cancel(call)
  chosen().cancel(call)
end

--- Waits.
-- @tparam number seconds how long
function runtime.sleep(seconds)
  if type(seconds) ~= "number" or not (seconds >= 0 and seconds <= 86400) then
    error("palenca.sleep: seconds must be a number from 0 to 86400", 2)
  end
  chosen().sleep(seconds)
end

return runtime
