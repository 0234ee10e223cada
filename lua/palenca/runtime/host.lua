--- The runtime inside the program: a handler's coroutine waits, its worker goes on.
-- @module palenca.runtime.host
local calls = require("palenca.runtime.calls")
local core = require("palenca.core")
local host = require("palenca.host")
local trace = require("palenca.trace")

local Scheduler = {}
Scheduler.__index = Scheduler

local scheduler = {}

--- A scheduler with an engine of its own.
function scheduler.new()
  return setmetatable({
    calls = calls.new(core.engine()),
    tasks = {}, -- coroutines made here → what to do at their end
    ready = {}, -- coroutines to be resumed
    sleepers = {}, -- {due=, thread=}, the soonest first
    parked = {}, -- coroutines made here that have yielded until somebody wakes them
    running = 0,
  }, Scheduler)
end

local function wake(self, thread)
  self.ready[#self.ready + 1] = thread
end

local function on_done(self)
  return function(call)
    if call.waiter then
      wake(self, call.waiter)
      call.waiter = nil
    end
  end
end

local function park(self, thread)
  self.parked[thread] = true
  coroutine.yield()
end

-- Only a coroutine made here can be resumed from here. A call from a coroutine of
-- the user's own, or from where no yield is possible, waits in place.
local function own_thread(self)
  local thread = coroutine.running()
  if self.tasks[thread] and coroutine.isyieldable() then
    return thread
  end
  return nil
end

--- The interface that palenca.runtime asks for.
function Scheduler:runtime()
  return {
    submit = function(request)
      return self.calls:submit(request)
    end,
    wait = function(call)
      local thread = own_thread(self)
      while not call.result do
        if thread then
          assert(not call.waiter, "two coroutines wait for the same call")
          call.waiter = thread
          park(self, thread)
        else
          self.calls:step(3600, on_done(self))
        end
      end
      return call.result
    end,
    cancel = function(call)
      self.calls:cancel(call)
    end,
    sleep = function(seconds)
      local due = host.steady_time() + seconds
      local thread = own_thread(self)
      if thread then
        self:add_sleeper(due, thread)
        park(self, thread)
        return
      end
      while host.steady_time() < due do
        self.calls:step(due - host.steady_time(), on_done(self))
      end
    end,
  }
end

function Scheduler:add_sleeper(due, thread)
  local at = #self.sleepers
  while at > 0 and self.sleepers[at].due > due do
    at = at - 1
  end
  table.insert(self.sleepers, at + 1, { due = due, thread = thread })
end

--- Starts a coroutine; it runs from the next @{step} on.
-- @tparam function body what it does
-- @tparam function at_end called with true, or with false, what was raised, and where if that
-- is known
function Scheduler:spawn(body, at_end)
  local thread = coroutine.create(body)
  self.tasks[thread] = at_end
  self.running = self.running + 1
  wake(self, thread)
end

local function resume(self, thread)
  self.parked[thread] = nil
  local ok, problem = coroutine.resume(thread)
  if coroutine.status(thread) ~= "dead" then
    -- a script that yields by itself lets others take their turn, and goes on
    if not self.parked[thread] then
      wake(self, thread)
    end
    return
  end
  local at_end = self.tasks[thread]
  self.tasks[thread] = nil
  self.running = self.running - 1
  local frames = not ok and type(problem) == "string"
    and trace(debug.traceback(thread), problem) or nil
  if not ok then
    coroutine.close(thread)
  end
  at_end(ok, problem, frames)
end

local function wake_sleepers(self)
  local now = host.steady_time()
  while self.sleepers[1] and self.sleepers[1].due <= now do
    wake(self, table.remove(self.sleepers, 1).thread)
  end
end

--- Runs what is ready, or else waits for at most `max_wait` seconds for something to happen.
-- @tparam number max_wait seconds
-- @param ... descriptors that end the wait when they become readable
function Scheduler:step(max_wait, ...)
  wake_sleepers(self)
  local ready = self.ready
  self.ready = {}
  for _, thread in ipairs(ready) do
    resume(self, thread)
  end
  -- what has run may have ended, which the caller has to see before the next wait
  if #ready > 0 or #self.ready > 0 then
    max_wait = 0
  elseif self.sleepers[1] then
    max_wait = math.max(0, math.min(max_wait, self.sleepers[1].due - host.steady_time()))
  end
  self.calls:step(max_wait, on_done(self), ...)
end

return scheduler
