--- The calls of one engine that have no result yet; what all runtimes share.
-- @module palenca.runtime.calls
local Calls = {}
Calls.__index = Calls

local calls = {}

--- @param engine of palenca.core
function calls.new(engine)
  return setmetatable({ engine = engine, pending = {} }, Calls)
end

--- Queues a request; raises if it is not valid.
function Calls:submit(request)
  local id, problem = self.engine:submit(request)
  if not id then
    error(problem, 0)
  end
  local call = { id = id }
  self.pending[id] = call
  return call
end

--- Works for at most `max_wait` seconds; gives every call that completed its result.
-- @tparam number max_wait seconds
-- @tparam function on_done called with each such call
-- @param ... descriptors that end the wait when they become readable
function Calls:step(max_wait, on_done, ...)
  self.engine:step(max_wait, ...)
  local result = self.engine:take()
  while result do
    local call = self.pending[result.id]
    self.pending[result.id] = nil
    call.result = result
    on_done(call)
    result = self.engine:take()
  end
end

--- Forgets a call.
function Calls:cancel(call)
  if not call.result and self.pending[call.id] then
    self.pending[call.id] = nil
    self.engine:cancel(call.id)
  end
end

return calls
