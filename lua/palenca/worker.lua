--- A script worker of `palenca serve`: leases events and runs the script's handlers on them.
-- @module palenca.worker
local client = require("palenca.client")
local events = require("palenca.events")
local failure = require("palenca.worker.failure")
local host = require("palenca.host")
local json = require("palenca.json")
local report = require("palenca.report")
local runtime = require("palenca.runtime")
local scheduler = require("palenca.runtime.host")
local script = require("palenca.script")
local webhook = require("palenca.webhook")

local task = host.task

local Worker = {}
Worker.__index = Worker

-- An idle worker wakes up for its descriptor; this bound is for nothing else.
local IDLE = 60

local function read_event(lease)
  local event, err = webhook.parse(lease.body)
  if not event then
    return nil, err
  end
  event.id = lease.id
  event.attempt = lease.attempt
  event.replay = lease.replay > 0 and lease.replay or nil
  event.received_at = lease.received_at
  return event
end

local function max_attempts(self, handlers)
  local least
  for _, entry in ipairs(handlers) do
    local own = entry.max_attempts or self.max_attempts
    least = math.min(least or own, own)
  end
  return least or self.max_attempts
end

-- What is told of an event at the end, whatever the script has done to it.
local function summary(lease, event, handlers)
  return {
    id = lease.id,
    action = event and event.action,
    platform = event and event.platform,
    account_id = event and event.account_id,
    attempt = lease.attempt,
    handlers = #handlers,
  }
end

local function finish_done(told, began)
  task.finish(told.id, "done")
  report.handled(told, began and host.steady_time() - began or 0)
end

local function finish_failed(told, most, problem, first_wait, trace)
  local text = failure.describe(problem)
  if told.attempt >= most then
    task.finish(told.id, "dead", text)
    report.failed(told, "dead", nil, text, trace)
  else
    local wait = failure.wait(told.attempt, problem, first_wait)
    task.finish(told.id, "retry", text, host.unix_time() + wait)
    report.failed(told, "retry", wait, text, trace)
  end
end

local function run_handlers(self, event, handlers, told)
  local began = host.steady_time()
  local most = max_attempts(self, handlers)
  local current
  self.running[told.id] = true
  self.schedule:spawn(function(run)
    for _, entry in ipairs(handlers) do
      current = entry
      self.schedule:limit(run, entry.timeout or self.timeout)
      entry.handler(event)
    end
  end, function(ok, problem, trace)
    self.running[told.id] = nil
    if ok then
      finish_done(told, began)
    else
      finish_failed(told, most, problem, current and current.retry_wait, trace)
    end
  end)
end

local function start(self, lease)
  local event, problem = read_event(lease)
  local handlers = event and events.matching(event.action) or {}
  local told = summary(lease, event, handlers)
  local most = max_attempts(self, handlers)
  if lease.attempt > most then
    -- an event that ended the process again and again would never come to its end otherwise
    finish_failed(told, most, string.format("not tried for the %dth time: %d times are allowed, "
      .. "the last of which the program did not survive", lease.attempt, most))
  elseif not event then
    finish_failed(told, most, problem)
  elseif #handlers == 0 then
    finish_done(told)
  else
    run_handlers(self, event, handlers, told)
  end
end

local function lease_events(self)
  task.want(self.concurrency - self.schedule.running)
  local lease = task.take()
  while lease do
    start(self, lease)
    lease = task.take()
  end
end

local function work(self)
  while true do
    task.clear_fd()
    local wish = task.wished()
    if wish == "stop" or (wish == "drain" and self.schedule.running == 0) then
      break
    elseif wish == "run" then
      lease_events(self)
    else
      task.want(0)
    end
    report.flush()
    self.schedule:step(IDLE, task.fd())
  end
  for id in pairs(self.running) do
    task.finish(id, "released")
  end
  report.flush()
end

-- A script that ends the process would take the other workers' handlers with it.
local function forbid_exit()
  os.exit = function() -- luacheck: ignore 122
    error("os.exit is not available in a script that is served; raise an error instead", 2)
  end
end

--- Runs the worker; the options are a JSON object: `script`, `client`, `concurrency`,
-- `max_attempts`, `timeout` (of a handler, in seconds), `json`.
-- @tparam string text the options
return function(text)
  local options = json.decode(text)
  report.use_json(options.json)
  report.hold_lines()
  client.set_defaults(options.client or {})
  local self = setmetatable({
    schedule = scheduler.new(),
    concurrency = options.concurrency,
    max_attempts = options.max_attempts,
    timeout = options.timeout,
    running = {}, -- the ids of the events whose handlers run
  }, Worker)
  runtime.use(self.schedule:runtime())
  forbid_exit()
  script.load(options.script)
  task.ready(table.concat(events.actions(), ", "))
  work(self)
end
