--- Holds the pending calls of one engine, submits them, and hands each its result; common to all
-- runtimes.
-- @module palenca.runtime.calls
local log = require("palenca.log")
local redact = require("palenca.util.redact")

local Calls = {}
Calls.__index = Calls

-- The metatable of a call, which tells it from those of another kind of runtime.
local Call = {}

local calls = {}

local function run_here(body, ...)
  body(...)
end

--- Makes an empty list of calls.
-- @param engine `palenca.core.engine()`, with the methods `submit`, `step`, `take`, `take_attempt`,
-- `cancel`, `next_deadline`, `fd`, `active` and `close`; or `palenca.core.engine_thread()`, which
-- runs by itself, so that its `step` only fetches what is done
-- @tparam[opt] function run calls a function with the arguments that follow it, where it may wait;
-- default: calls it directly
-- @treturn Calls
function calls.new(engine, run)
  return setmetatable({ engine = engine, run = run or run_here, pending = {}, order = 0 }, Calls)
end

--- The result of a call: what a runtime's `wait` checks after each event.
-- @tparam table call of @{Calls:submit}
-- @treturn ?table the engine's result; nil if there is none yet. Raises if the call was aborted:
-- it will never have one
function calls.result(call)
  if call.is_cancelled then
    error("the call was aborted", 0)
  end
  return call.result
end

--- Whether it is a call of @{Calls:submit}.
-- @param call of any runtime
-- @treturn boolean
function calls.is_call(call)
  return getmetatable(call) == Call
end

--- The call of a list that has ended first: a runtime's `wait_any` returns it.
-- @tparam {table,...} list calls of @{Calls:submit}
-- @treturn ?table one that was aborted, or else the first that has got its result; nil if none has
-- ended
function calls.first_ended(list)
  local first
  for _, call in ipairs(list) do
    if call.is_cancelled then
      return call
    elseif call.result and (not first or call.order < first.order) then
      first = call
    end
  end
  return first
end

--- Queues a request; raises if it is not valid.
-- @tparam table request as the runtime was given it
-- @treturn table the call; its `result` is nil until there is one
function Calls:submit(request)
  request.observe = request.on_attempt ~= nil
  local id, problem = self.engine:submit(request)
  if not id then
    error(problem, 0)
  end
  local call = setmetatable({ id = id, order = 0, is_cancelled = false }, Call)
  if request.observe then
    call.observer, call.method, call.path = request.on_attempt, request.method, request.path
    self.is_observed = true
  end
  self.pending[id] = call
  return call
end

-- An observer's error must not change the call.
local function observe(observer, attempt)
  local ok, problem = pcall(observer, attempt)
  if not ok then
    log.error { message = "on_attempt has failed", error = tostring(problem) }
  end
end

local function report_attempts(self)
  if not self.is_observed then
    return
  end
  local attempt = self.engine:take_attempt()
  while attempt do
    local call = self.pending[attempt.id]
    if call then
      self.run(observe, call.observer, {
        method = call.method,
        path = redact.identity(call.path),
        number = attempt.number,
        status = attempt.status,
        kind = attempt.kind,
        seconds = attempt.duration,
        retry_in = attempt.retry_in,
        request_id = attempt.request_id,
      })
    end
    attempt = self.engine:take_attempt()
  end
end

--- Works for up to `max_wait` seconds; sets the result of every call that has completed. If it has
-- a function `on_lost`, that is called with the id of a result whose call is not there any more.
-- @tparam number max_wait seconds
-- @tparam function on_done called with each such call
-- @param ... descriptors that end the wait when they become readable
function Calls:step(max_wait, on_done, ...)
  self.engine:step(max_wait, ...)
  report_attempts(self)
  local result = self.engine:take()
  while result do
    local call = self.pending[result.id]
    if call then -- it may have been cancelled on its way, or who submitted it ended before
      self.pending[result.id] = nil
      self.order = self.order + 1
      call.result, call.order = result, self.order
      on_done(call)
    elseif self.on_lost then
      self.on_lost(result.id)
    end
    result = self.engine:take()
  end
end

--- Forgets a call; its `is_cancelled` is true then.
-- @tparam table call of @{Calls:submit}
function Calls:cancel(call)
  if not call.result and self.pending[call.id] then
    call.is_cancelled = true
    self.pending[call.id] = nil
    self.engine:cancel(call.id)
  end
end

return calls
