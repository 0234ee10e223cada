--- A script worker of `palenca serve`: leases events and runs the script's handlers on them.
-- @module palenca.worker
local client = require("palenca.client")
local events = require("palenca.events")
local host = require("palenca.host")
local json = require("palenca.json")
local redact = require("palenca.redact")
local report = require("palenca.report")
local runtime = require("palenca.runtime")
local scheduler = require("palenca.runtime.host")
local script = require("palenca.script")
local webhook = require("palenca.webhook")

local task = host.task

local MAX_ATTEMPTS = 8
local FIRST_WAIT = 5
local LONGEST_WAIT = 3600
-- An idle worker wakes up for its descriptor; this bound is for nothing else.
local IDLE = 60

-- 5 s, 20 s, 80 s, … with a quarter of jitter, so that what failed together does
-- not come back together.
local function retry_wait(attempt)
  local wait = FIRST_WAIT * 4 ^ (attempt - 1) * (0.875 + 0.25 * math.random())
  return math.min(wait, LONGEST_WAIT)
end

local function read_event(lease)
  local event, err = webhook.parse(lease.body)
  if not event then
    return nil, err
  end
  event.id = lease.id
  event.attempt = lease.attempt
  event.received_at = lease.received_at
  return event
end

-- Written with every event that is stored, so that a long one would delay their answers.
local ERROR_MAX = 4000

local function finish_failed(lease, problem)
  if lease.attempt >= MAX_ATTEMPTS then
    task.finish(lease.id, "dead", problem)
    return "dead"
  end
  local wait = retry_wait(lease.attempt)
  task.finish(lease.id, "retry", problem, host.unix_time() + wait)
  return "retry", wait
end

-- What a script raises may be an object whose __tostring raises as well.
local function describe(problem)
  local ok, text = pcall(tostring, problem)
  if not ok then
    return "an error that cannot be shown: " .. type(problem)
  end
  if #text <= ERROR_MAX then
    return redact.identity(text)
  end
  -- cut first, since it may be megabytes; and not within a number, which would not be known then
  local kept = text:sub(1, ERROR_MAX):gsub("[\xC0-\xFF][\x80-\xBF]*$", "")
  for _ = 1, 20 do
    kept = kept:gsub("[%w.-]$", "")
  end
  return redact.identity(kept) .. " […]"
end

local function run_handlers(event, handlers)
  for _, handler in ipairs(handlers) do
    handler(event)
  end
end

-- An event that ended the process again and again would never come to its end otherwise.
local function give_up(lease, told)
  local problem = string.format("the program ended %d times while this ran", lease.attempt - 1)
  task.finish(lease.id, "dead", problem)
  report.failed(told, "dead", nil, problem)
end

local function start(schedule, lease, running)
  local event, err = read_event(lease)
  local handlers = event and events.matching(event.action)
  local began = host.steady_time()
  -- what is told of it at the end, whatever the script has done to its event
  local told = {
    id = lease.id,
    action = event and event.action,
    platform = event and event.platform,
    account_id = event and event.account_id,
    attempt = lease.attempt,
    handlers = handlers and #handlers,
  }
  if lease.attempt > MAX_ATTEMPTS then
    give_up(lease, told)
    return
  end
  running[lease.id] = true
  schedule:spawn(function()
    if not event then
      error(err, 0)
    end
    run_handlers(event, handlers)
  end, function(ok, problem, trace)
    running[lease.id] = nil
    if ok then
      task.finish(lease.id, "done")
      report.handled(told, host.steady_time() - began)
    else
      local text = describe(problem)
      local state, wait = finish_failed(lease, text)
      report.failed(told, state, wait, text, trace)
    end
  end)
end

local function lease_events(schedule, concurrency, running)
  task.want(concurrency - schedule.running)
  local lease = task.take()
  while lease do
    start(schedule, lease, running)
    lease = task.take()
  end
end

local function work(schedule, concurrency)
  local running = {}
  while true do
    task.clear_fd()
    local wish = task.wished()
    if wish == "stop" or (wish == "drain" and schedule.running == 0) then
      break
    elseif wish == "run" then
      lease_events(schedule, concurrency, running)
    else
      task.want(0)
    end
    schedule:step(IDLE, task.fd())
  end
  for id in pairs(running) do
    task.finish(id, "released")
  end
end

-- A script that ends the process would take the other workers' handlers with it.
local function forbid_exit()
  os.exit = function() -- luacheck: ignore 122
    error("os.exit is not available in a script that is served; raise an error instead", 2)
  end
end

--- Runs the worker; the options are a JSON object: `script`, `client`, `concurrency`, `json`.
-- @tparam string text the options
return function(text)
  local options = json.decode(text)
  report.use_json(options.json)
  client.set_defaults(options.client or {})
  local schedule = scheduler.new()
  runtime.use(schedule:runtime())
  forbid_exit()
  script.load(options.script)
  task.ready(table.concat(events.actions(), ", "))
  work(schedule, options.concurrency)
end
