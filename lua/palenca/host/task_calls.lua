--- The calls of a scheduler's tasks: begins one for the task that runs, and keeps what that has to
-- know of its end.
-- @module palenca.host.task_calls
local metrics = require("palenca.host").metrics

local task_calls = {}

-- Of a task's request ids: those of later responses are not kept.
local REQUEST_IDS_MAX = 1000

-- An event that ends as done may have lost something of its own: `palenca.http` does not raise.
local function note_failure(task, result)
  if task.trace and (result.kind or (result.status or 0) >= 400) then
    task.trace.http_failure = result.kind or ("HTTP %d"):format(result.status)
  end
end

local function note_response(self, task, call)
  local result = call.result
  metrics.requested(result.status, result.attempts, result.turn_wait, result.rate_remaining)
  if result.status == 401 then -- what fails otherwise says nothing of the key
    self.rejected = call.client
  end
  if #task.request_ids < REQUEST_IDS_MAX then
    task.request_ids[#task.request_ids + 1] = result.request_id
  end
end

local function note_end(self, task, call)
  task.calls[call] = nil
  if call.is_api then
    note_response(self, task, call)
  else
    note_failure(task, call.result)
  end
  if task.recording then
    task.recording:response(call.number, call.is_api, call.result)
  end
end

--- What is called with each call that has ended.
-- @tparam Scheduler self
-- @tparam function wake called with the scheduler and the task that waits for the call
-- @treturn function
function task_calls.on_done(self, wake)
  return function(call)
    local waiter = call.waiter
    if call.task then
      note_end(self, call.task, call)
    end
    if waiter then
      call.waiter = nil
      wake(self, waiter)
    end
  end
end

-- The user's own systems can find their own requests by them; a header that the script has passed
-- stays as it is.
local function add_trace(headers, trace)
  local seen = {}
  for name in pairs(headers) do
    seen[name:lower()] = true
  end
  if trace.traceparent and not seen["traceparent"] then
    headers["traceparent"] = trace.traceparent
  end
  if trace.request_id and not seen["x-request-id"] then
    headers["X-Request-Id"] = trace.request_id
  end
end

--- Begins a call.
-- @tparam Scheduler self whose `current` task it is for, if one runs
-- @tparam table request as `palenca.runtime.calls` takes it
-- @treturn table the call
function task_calls.submit(self, request)
  local task = self.current
  if task and task.trace and not request.template and request.headers then
    add_trace(request.headers, task.trace)
  end
  request.low_priority = request.low_priority or (task and task.is_low_priority)
  local call = self.calls:submit(request)
  if task then
    call.task = task
    call.is_api = request.template ~= nil -- only the client's requests have one
    call.client = request.client
    task.calls_api = task.calls_api or call.is_api
    task.calls[call] = true
    if task.recording then
      call.number = task.recording:request(request)
    end
  end
  return call
end

--- Cancels a call. The task that waits for it is resumed with the error.
-- @tparam Scheduler self
-- @tparam table call
-- @tparam function wake as for @{on_done}
function task_calls.cancel(self, call, wake)
  if call.task then
    call.task.calls[call] = nil
  end
  self.calls:cancel(call)
  if call.waiter then
    wake(self, call.waiter)
    call.waiter = nil
  end
end

return task_calls
