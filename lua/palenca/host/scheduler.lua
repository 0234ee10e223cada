--- The runtime inside the program: while a handler's coroutine waits, its worker runs others.
-- @module palenca.host.scheduler
local calls = require("palenca.runtime.calls")
local core = require("palenca.core")
local host = require("palenca.host")
local sleepers = require("palenca.host.sleepers")
local task_body = require("palenca.host.task_body")
local task_calls = require("palenca.host.task_calls")
local traceback = require("palenca.host.traceback")

local Scheduler = {}
Scheduler.__index = Scheduler

local scheduler = {}

local limits, own_thread = host.limits, host.own_thread

-- Seconds that the to-be-closed variables of a failed task may wait and compute.
local CLOSE_TIMEOUT = 1

local NEVER = math.huge
-- The nanoseconds left of a task whose CPU time is exceeded (0: no limit).
local NONE_LEFT = 1
-- Nanoseconds of CPU time that a yield of the script itself costs in addition: about the time of a
-- resume.
local YIELD_COST = 20000

-- Once, whatever it waits for: several calls and a time may come together.
local function wake(self, task)
  if not task.is_ready then
    task.is_ready = true
    self.ready[#self.ready + 1] = task
  end
end

--- Creates a scheduler.
-- @tparam number cpu_time seconds that a task may compute without waiting
-- @tparam number memory MiB that the state may take
-- @tparam function describe converts what a task has raised to text or a table without methods
-- @tparam[opt] table world in the place of an engine of its own and of the monotonic clock:
-- `engine`, as `palenca.runtime.calls` asks for it, and `now`, which returns seconds
function scheduler.new(cpu_time, memory, describe, world)
  limits.set(cpu_time, memory)
  limits.confine()
  local self = setmetatable({
    cpu_time = cpu_time,
    describe = describe,
    calls = calls.new(world and world.engine or core.engine()),
    now = world and world.now or core.steady_time,
    tasks = {}, -- coroutines made here → their tasks
    ready = {}, -- tasks to be resumed
    sleepers = sleepers.new(), -- the tasks that wait for a time
    soonest = NEVER, -- no task's deadline is before this time
    current = nil, -- the task whose code runs
    running = 0,
    rejected = nil, -- the client whose key the API has rejected last
  }, Scheduler)
  self.on_done = task_calls.on_done(self, wake)
  self.on_error = task_body.error_handler(self)
  self.body = task_body.new(self)
  return self
end

local function park(task)
  task.parked = true
  coroutine.yield()
end

-- Only coroutines of the scheduler are resumed by it. A call from a coroutine of
-- the script, or from where no yield is possible, blocks.
local function may_park(self)
  local task = self.current
  return task and not task.in_place and task.thread == coroutine.running()
    and coroutine.isyieldable() and task or nil
end

local function timed_out(task)
  return string.format("timed out after %g s", task.limit)
end

-- Blocks for up to `timeout` seconds; raises if the running code has exceeded its time, or if the
-- thread is to end.
local function step_in_place(self, seconds)
  local task = self.current
  if own_thread.requested() == "stop" then
    error("aborted: the program is ending", 0)
  elseif task and task.deadline then
    local left = task.deadline - self.now()
    if left <= 0 then
      task.is_late = true
      error(timed_out(task), 0)
    end
    seconds = math.min(seconds, left)
  end
  if task and task.close_deadline then
    local left = task.close_deadline - self.now()
    if left <= 0 then
      error(("timed out after %g s"):format(CLOSE_TIMEOUT), 0)
    end
    seconds = math.min(seconds, left)
  end
  self.calls:step(seconds, self.on_done, own_thread.fd())
  own_thread.clear_fd()
end

local function wait(self, call)
  local task = may_park(self)
  while not calls.result(call) do
    if task then
      assert(not call.waiter, "two coroutines wait for the same call")
      call.waiter = task
      park(task)
    else
      step_in_place(self, 3600)
    end
  end
  return call.result
end

-- Parks until one of the calls has ended, or until a time if there is one.
local function park_for_any(self, task, list, due)
  for _, call in ipairs(list) do
    call.waiter = task
  end
  if due ~= NEVER then
    self.sleepers:add(due, task)
  end
  park(task)
  for _, call in ipairs(list) do
    call.waiter = nil -- else it would wake the task from what it waits for next
  end
  if due ~= NEVER then
    self.sleepers:remove(task)
  end
end

local function wait_any(self, list, seconds)
  local due = self.now() + (seconds or NEVER)
  local task, call = may_park(self), calls.first_ended(list)
  while not call do
    if task then
      park_for_any(self, task, list, due)
    else
      step_in_place(self, math.min(math.max(0, due - self.now()), 3600))
    end
    call = calls.first_ended(list)
    if self.now() >= due then
      break
    end
  end
  return call
end

local function sleep(self, seconds)
  local due = self.now() + seconds
  local task = may_park(self)
  if task then
    self.sleepers:add(due, task)
    park(task)
    return
  end
  local left = seconds
  while left > 0 do
    step_in_place(self, left)
    left = due - self.now()
  end
end

-- Closes the variables of a branch, in the time that those of a task have.
local function close_branch(self, thread)
  local task = self.current or {} -- a finalizer's
  local before = task.close_deadline
  task.close_deadline = math.min(before or NEVER, self.now() + CLOSE_TIMEOUT)
  coroutine.close(thread)
  task.close_deadline = before
end

--- The interface that palenca.runtime asks for.
function Scheduler:runtime()
  return {
    submit = function(request)
      return task_calls.submit(self, request)
    end,
    wait = function(call)
      return wait(self, call)
    end,
    wait_any = function(list, seconds)
      return wait_any(self, list, seconds)
    end,
    cancel = function(call)
      task_calls.cancel(self, call, wake)
    end,
    sleep = function(seconds)
      sleep(self, seconds)
    end,
    close = function(thread)
      close_branch(self, thread)
    end,
    now = self.now,
    on_error = self.on_error,
  }
end

--- What the event of the running task is known by elsewhere.
-- @treturn ?table `id`, and maybe `traceparent`, `request_id` and `http_failure`, of the last
-- `palenca.http` that failed; nil if none runs
function Scheduler:trace()
  return self.current and self.current.trace
end

--- Has connections to a server open before there is a request; see `palenca_engine_preconnect`.
-- @tparam table server one of `palenca.client`'s
-- @tparam number seconds for how long
function Scheduler:preconnect(server, seconds)
  self.calls.engine:preconnect(server, seconds)
end

local function new_task(self, label, body, at_end)
  local task = {
    thread = coroutine.create(self.body),
    label = label,
    body = body,
    at_end = at_end,
    cpu_left = 0, -- nanoseconds of CPU time; 0: no limit
    calls = {},
    request_ids = {}, -- of the API's responses
    parked = false,
    ok = false,
  }
  self.tasks[task.thread] = task
  return task
end

--- Sets a task's deadline to `seconds` from now; it is ended then, whatever it waits for.
-- @tparam table task as its body got it
-- @tparam number seconds
function Scheduler:limit(task, seconds)
  task.limit, task.deadline = seconds, self.now() + seconds
  self.soonest = math.min(self.soonest, task.deadline)
end

-- Runs the to-be-closed variables, which are code of the script.
local function close(self, task)
  self.current = {
    in_place = true,
    is_low_priority = task.is_low_priority,
    calls = task.calls,
    request_ids = task.request_ids,
    recording = task.recording,
    trace = task.trace,
    limit = CLOSE_TIMEOUT,
    deadline = self.now() + CLOSE_TIMEOUT,
  }
  limits.close(task.thread, task.label, CLOSE_TIMEOUT)
  self.current = nil
  for call in pairs(task.calls) do
    task_calls.cancel(self, call, wake)
  end
end

-- Ends a task where it is, with `problem` as its error if there is one, and its frames if they are
-- known.
local function finish(self, task, problem, frames)
  if problem then
    task.ok, task.problem = false, problem
    task.frames = frames or traceback(debug.traceback(task.thread), problem)
  elseif not task.ok and task.is_late then
    task.problem = timed_out(task) -- whatever the script has made of the error
  end
  self.tasks[task.thread] = nil
  if not task.ok then
    self.sleepers:remove(task)
    close(self, task)
    if task.problem == "not enough memory" then
      collectgarbage() -- so that its garbage does not count against the next task
    end
  end
end

-- What is said of a task whose CPU time is exceeded, and its frames. After the hook that has
-- stopped it, the line of the innermost frame is that of the instruction before.
local function stopped(self, task, first, last)
  local frames = debug.traceback(task.thread)
  local file = last ~= "" and last:match("^(.*):%d+$")
  if file then
    local from, to = frames:find("\n\t" .. file .. ":", 1, true)
    if from then
      frames = frames:sub(1, from) .. "\t" .. last .. frames:sub(to + 1):gsub("^%d+", "", 1)
    end
  end
  local shown = traceback(frames, "")
  local place = first ~= "" and first or shown and shown:match("^\t([^\n]-:%d+):")
  return string.format("stopped after %g s of CPU time%s", self.cpu_time,
    place and ", at " .. place or ""), shown
end

-- Runs a task until it waits; returns whether it has not ended.
local function turn(self, task)
  task.parked = false
  self.current = task
  local state, problem, last = limits.resume(task.thread, task.label, task.cpu_left)
  self.current = nil
  if state == "yielded" then
    -- a yield of the script is no wait: its CPU time continues
    local is_counted = problem > 0 and not task.parked
    task.cpu_left = is_counted and math.max(NONE_LEFT, problem - YIELD_COST) or 0
  end
  local frames
  if state == "stopped" then
    problem, frames = stopped(self, task, problem, last)
  elseif task.cpu_left == NONE_LEFT then
    problem, frames = stopped(self, task, "", "")
  elseif state == "yielded" then
    return true
  end
  finish(self, task, problem, frames)
  return false
end

local function report_end(self, task)
  self.running = self.running - 1
  task.at_end(task.ok, task.problem, task.frames)
end

local function resume(self, task)
  task.is_ready = false
  if not self.tasks[task.thread] then
    return -- ended before it was resumed
  elseif not turn(self, task) then
    report_end(self, task)
  elseif not task.parked then
    -- a script that yields lets other tasks run, and continues
    wake(self, task)
  end
end

--- Starts a coroutine, which runs at once until it waits for something.
-- @tparam string label what it is, for the log
-- @tparam function body what it does; called with its task, whose `is_low_priority` lets the calls
-- of other tasks go first, whose `recording` gets each of its requests and responses, and whose
-- `trace` has what @{Scheduler:trace} returns
-- @tparam function at_end called with true, or with false, what was raised as `describe` has it,
-- and where if that is known
function Scheduler:spawn(label, body, at_end)
  self.running = self.running + 1
  resume(self, new_task(self, label, body, at_end))
end

--- Runs a function at once, to its end, within the same limits; blocks while it waits. Raises its
-- error, as returned by `describe`.
-- @tparam string label what it is, for the log
-- @tparam function body
-- @tparam number seconds its timeout
function Scheduler:run(label, body, seconds)
  local task = new_task(self, label, body)
  task.in_place = true
  self:limit(task, seconds)
  if turn(self, task) then
    finish(self, task, "yielded, where nothing is there to go on with")
  end
  if not task.ok then
    error(task.problem, 0)
  end
end

local function wake_sleepers(self)
  local now = self.sleepers:due() < NEVER and self.now()
  while now and self.sleepers:due() <= now do
    wake(self, self.sleepers:take())
  end
end

-- Ends the tasks whose deadline is over; returns whether there were any.
local function end_late_ones(self)
  local now = self.now()
  if now < self.soonest then
    return false
  end
  local late = {}
  self.soonest = NEVER
  for _, task in pairs(self.tasks) do
    if task.deadline and task.deadline <= now then
      late[#late + 1] = task
    elseif task.deadline then
      self.soonest = math.min(self.soonest, task.deadline)
    end
  end
  for _, task in ipairs(late) do
    finish(self, task, timed_out(task))
    report_end(self, task)
  end
  return #late > 0
end

-- The seconds until the next deadline.
local function rest(self, max_wait)
  local due = math.min(self.sleepers:due(), self.soonest)
  if due == NEVER then
    return max_wait
  end
  return math.max(0, math.min(max_wait, due - self.now()))
end

--- The number of calls that wait for the rate limit, or for their next attempt.
-- @treturn integer
function Scheduler:waiting_calls()
  local engine = self.calls.engine
  return engine:active() - engine:in_flight()
end

--- Runs what is ready, or else waits for up to `max_wait` seconds for something to happen.
-- @tparam number max_wait seconds
-- @param ... descriptors that end the wait when they become readable
function Scheduler:step(max_wait, ...)
  wake_sleepers(self)
  local ready = self.ready
  self.ready = {}
  for at = 1, #ready do
    resume(self, ready[at])
  end
  -- a task that has run may have ended, which the caller checks before the next wait
  if end_late_ones(self) or #ready > 0 or #self.ready > 0 then
    max_wait = 0
  else
    max_wait = rest(self, max_wait)
  end
  self.calls:step(max_wait, self.on_done, ...)
end

return scheduler
