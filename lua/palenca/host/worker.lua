--- A script worker of `palenca serve`: leases events and runs the script's handlers on them.
-- @module palenca.host.worker
local alert = require("palenca.host.alert")
local attempt = require("palenca.host.attempt")
local attempt_log = require("palenca.host.attempt_log")
local client = require("palenca.client")
local core = require("palenca.core")
local dead_notice = require("palenca.host.dead_notice")
local errors = require("palenca.errors")
local handlers = require("palenca.handlers")
local host = require("palenca.host")
local json = require("palenca.util.json")
local key_probe = require("palenca.host.key_probe")
local ledger = require("palenca.decision.recorder")
local log = require("palenca.log")
local program_log = require("palenca.host.program_log")
local response_recording = require("palenca.host.response_recording")
local retry_policy = require("palenca.host.retry_policy")
local runtime = require("palenca.runtime")
local scheduler = require("palenca.host.scheduler")
local script_event = require("palenca.webhook.script_event")
local script_loader = require("palenca.host.script_loader")
local script_version = require("palenca.host.script_version")
local timers = require("palenca.timers")
local user_error = require("palenca.host.user_error")

local own_thread = host.own_thread

local Worker = {}
Worker.__index = Worker

-- Maximum seconds to load a script, its waits included.
local LOAD_TIMEOUT = 300
-- Above this share of the memory limit, what the script keeps leaves too little to handlers.
local MOSTLY = 0.75
-- Seconds in which handlers are started before running ones continue.
local TURN = 0.01
-- Maximum seconds of an idle wait: a worker is woken by its descriptor.
local IDLE = 60

-- Seconds in which a login that has started may end: connections are open then.
local LOGIN = 600
-- Seconds in which they are for a handler that waits for something else before it calls the API.
local BEFORE_CALL = 10

-- Seconds after which waiting calls are logged, and after which they are again.
local WAITING, WAITING_AGAIN = 5, 60

-- Whoever has mended the script replays the event, and would wonder why it fails as before.
local function warn_of_change(self)
  if not self.is_watched and self.version:has_changed() then
    program_log.line(self.version.path .. " has changed since it was loaded; SIGHUP reloads it",
      { event = "script_changed", script = self.version.path })
  end
end

-- Memory that a script never frees would in the end leave none to its handlers: the state is
-- replaced, once its running handlers have ended.
local function check_memory(self, problem)
  if problem == "not enough memory"
    and collectgarbage("count") > self.memory_limit * 1024 * MOSTLY
  then
    self.is_full = true
  end
end

-- Somebody waits for the outcome of a new login; other events can wait under the API's rate limit.
local function is_low_priority(event)
  return event.action ~= "login.success" or event.attempt > 1 or event.replay ~= nil
end

-- What palenca.decision.record calls: `make` makes the texts of the entry, `fail` raises. The entry
-- is kept until the event's end.
local function record_decision(self, event, make, fail)
  local record = self.events[event]
  if not record then
    fail("event must be the one that the handler was called with, while that runs")
  elseif record.decision then
    fail("a decision was recorded for event %d in this attempt already", record.id)
  end
  local facts, rows, details = make(self.about, record.run.request_ids)
  local entry, problem = own_thread.decision(facts, rows, details, record.account_id or "",
    record.user_id or "")
  if not entry then
    fail("%s", problem)
  end
  record.decision = entry
end

-- What the run's requests are recorded in, with its end; without memory for it, nothing is.
local function begin_recording(self, record)
  record.responses = own_thread.recording(self.recording_limit, host.unix_time())
end

local function preconnect(self, seconds)
  for _, server in ipairs(client.servers) do
    self.schedule:preconnect(server, seconds)
  end
end

-- The handlers that call the API are known from earlier events.
local function preconnect_for(self, entries, run)
  for _, entry in ipairs(entries) do
    if entry.calls_api and not run.calls_api then
      preconnect(self, BEFORE_CALL)
      return
    end
  end
end

-- `failure` is for those of palenca.on_dead.
local function run_handlers(self, event, entries, record, failure)
  self.inspect("Event", event)
  self.inspect("Failure", failure)
  local began = core.steady_time()
  local current
  self.running[record.id] = record
  self.events[event] = record
  self.schedule:spawn(record.label, function(run)
    run.is_low_priority = is_low_priority(event)
    run.trace = record
    record.run = run
    if record.responses then
      run.recording = response_recording.new(record.responses, core.steady_time)
    end
    for _, entry in ipairs(entries) do
      current = entry
      self.schedule:limit(run, entry.timeout or self.timeout)
      entry.handler(event, failure)
      entry.calls_api = entry.calls_api or run.calls_api
    end
  end, function(ok, problem, trace)
    local seconds = core.steady_time() - began
    host.metrics.handled(record.action, seconds)
    if ok then
      attempt.succeed(record, seconds)
    else
      attempt.fail(record, self.hint(problem, record.last_failure),
        current and current.retry_wait, trace)
      pcall(warn_of_change, self) -- there may be no memory
      check_memory(self, problem)
    end
    self.running[record.id] = nil
    self.events[event] = nil
  end)
  if self.running[record.id] then
    preconnect_for(self, entries, record.run)
  end
end

local function finish_timer(record, ok, problem, trace)
  own_thread.finish(record.id, "released")
  if ok then
    program_log.timed(record, core.steady_time() - record.began)
  else
    program_log.timer_failed(record, retry_policy.describe(problem), trace)
  end
end

local function start_timer(self, lease)
  local timer = timers.find(lease.body)
  local record = {
    id = lease.id,
    timer = lease.body,
    label = program_log.timer_label(lease.body),
    began = core.steady_time(),
  }
  if not timer then -- of another version of the script, whose workers do not take it any more
    own_thread.finish(lease.id, "released")
    return
  end
  self.running[record.id] = record
  self.schedule:spawn(record.label, function(run)
    run.is_low_priority = true
    self.schedule:limit(run, timer.timeout or self.timeout)
    timer.body()
  end, function(ok, problem, trace)
    finish_timer(record, ok, problem, trace)
    self.running[record.id] = nil
    if not ok then
      check_memory(self, problem)
    end
  end)
end

-- Of a notice the functions of palenca.on_dead are the handlers.
local function start_notice(self, lease, event, failure)
  local entries = handlers.for_dead()
  local record = attempt.new(lease, event, entries, self)
  record.action, record.is_notice, failure.call = dead_notice.ACTION, true, lease.attempt
  record.label = program_log.label(record)
  if attempt.is_spent(record) then
    attempt.end_spent(record)
  elseif #entries == 0 then
    attempt.succeed(record, 0)
  else
    run_handlers(self, event, entries, record, failure)
  end
end

-- The program's own request, with a limit of its own. Without an address, alerts are no longer
-- wanted.
local function start_alert(self, lease, about)
  local entries = self.alert and { { handler = function()
    alert.send(self.alert, lease.id, about)
  end, max_attempts = alert.MAX_ATTEMPTS, timeout = alert.TIMEOUT } } or {}
  local event = { action = alert.ACTION, attempt = lease.attempt }
  local record = attempt.new(lease, event, entries, self)
  record.is_notice = true
  if attempt.is_spent(record) then
    attempt.end_spent(record)
  elseif #entries == 0 then
    attempt.succeed(record, 0)
  else
    run_handlers(self, event, entries, record)
  end
end

local function start(self, lease)
  if lease.id < 0 then
    start_timer(self, lease)
    return
  end
  local event, entries, reason = script_event.scan(lease.body)
  if not event then
    local dead, failure = dead_notice.read(lease.body)
    local about = alert.read(lease.body)
    if dead then
      start_notice(self, lease, dead, failure)
      return
    elseif about then
      start_alert(self, lease, about)
      return
    end
  end
  local record = attempt.new(lease, event, entries, self)
  if attempt.is_spent(record) then
    attempt.end_spent(record)
    return
  end
  if self.recording_limit then
    begin_recording(self, record)
  end
  if not event then
    attempt.fail(record, errors.new({ kind = "invalid", message = reason }))
  elseif #entries == 0 then
    attempt.succeed(record, 0)
  else
    script_event.complete(event, lease)
    run_handlers(self, event, entries, record)
  end
end

local function want(self)
  own_thread.prefetch(self.concurrency - self.schedule.running)
end

-- Each is started before the next one is leased: the events after a handler that blocks can be
-- leased by other workers. More are requested before the last one is leased, so that the worker
-- does not wait for them. Returns whether there was any.
local function start_events(self)
  want(self)
  local until_time = core.steady_time() + TURN
  local half = math.max(1, self.concurrency // 2)
  local started = 0
  local lease = own_thread.take()
  while lease do
    start(self, lease)
    started = started + 1
    if started % half == 0 then
      want(self)
    end
    local may_lease = not self.is_full and core.steady_time() < until_time
      and own_thread.requested() == "run"
    lease = may_lease and own_thread.take() or nil
  end
  return started > 0
end

-- Under the rate limit, handlers take long without an error. Returns whether any call waits.
local function log_waiting_calls(self)
  local count, now = self.schedule:waiting_calls(), core.steady_time()
  self.waiting_since = count > 0 and (self.waiting_since or now) or nil
  if count > 0 and now - self.waiting_since >= WAITING and now >= (self.log_waiting_at or now) then
    self.log_waiting_at = now + WAITING_AGAIN
    program_log.line(string.format("palenca: %d calls of a worker wait for the rate limit, or for "
      .. "their next attempt", count), { event = "waiting", calls = count })
  end
  return count > 0
end

local function work(self)
  key_probe.start(self.schedule)
  while true do
    own_thread.clear_fd()
    if own_thread.take_announcement() and self.awaits_logins then
      preconnect(self, LOGIN)
    end
    local any, probe_in
    local is_spent = self.is_full or host.limits.has_stopped_finalizer()
    local wish = is_spent and "drain" or own_thread.requested()
    local is_idle = self.schedule.running == key_probe.running()
    if wish == "stop" or (wish == "drain" and is_idle) then
      break
    elseif wish == "run" then
      any = start_events(self)
      probe_in = key_probe.step(self.schedule)
    else
      own_thread.prefetch(0)
    end
    local max_wait = log_waiting_calls(self) and WAITING or IDLE
    program_log.flush()
    self.schedule:step(any and 0 or math.min(max_wait, probe_in or IDLE), own_thread.fd())
  end
  for id in pairs(self.running) do
    own_thread.finish(id, "released")
  end
  program_log.flush()
  if host.limits.has_stopped_finalizer() then
    user_error("a finalizer (__gc) of the script was stopped: CPU timeout exceeded")
  elseif self.is_full then
    user_error("the script keeps nearly all of the %d MiB it may take (--memory-limit)",
      self.memory_limit)
  end
end

-- One of its events may be the reason why this worker has ended, so their attempts count.
local function fail_running(self, problem)
  self.schedule = nil
  collectgarbage()
  local text = "its worker has failed: " .. tostring(problem)
  for id, record in pairs(self.running) do
    local is_recorded
    if record.timer then
      is_recorded = pcall(finish_timer, record, false, text)
    else
      record.responses = nil -- those until now
      is_recorded = pcall(attempt.fail, record, text)
    end
    if is_recorded then
      self.running[id] = nil
    end
  end
  program_log.flush()
end

-- What a handler logs and prints is kept with its attempt as well.
local function keep_lines(self)
  local native = print
  local function keep(text)
    local record = self.schedule:trace()
    if record then
      record.lines = attempt_log.add(record.lines, text)
    end
  end
  log.use_writer(function(line, level)
    program_log.script_line(line, level)
    keep(line)
  end)
  print = function(...) -- luacheck: ignore 121
    local texts = table.pack(...)
    for i = 1, texts.n do
      texts[i] = tostring(texts[i])
    end
    local text = table.concat(texts, "\t")
    native(text)
    keep(text)
  end
end

-- Returns the files of the modules that it has required.
local function load(self, path)
  local files
  local ok, problem = pcall(self.schedule.run, self.schedule, "the script", function()
    script_loader.load(path)
    files = script_loader.files()
  end, LOAD_TIMEOUT)
  if not ok then
    user_error("%s", type(problem) == "table" and problem.text or path .. ": " .. problem)
  end
  return files
end

-- What those of `palenca dev` have, and others do without: see palenca.strict.
function Worker.inspect() end

function Worker.hint(problem)
  return problem
end

-- Has the script's reading of fields that there are not raise.
local function make_strict(self)
  local strict = require("palenca.strict")
  strict.begin(error, function(err)
    local record = self.schedule:trace()
    if record then
      record.last_failure = err
    end
  end)
  self.hint = strict.hint
  self.inspect = function(class, value)
    strict.examine(error, class, value)
  end
end

-- What the script has registered, for the log.
local function handled()
  local names = handlers.actions()
  local texts = timers.descriptions()
  return table.concat(table.move(texts, 1, #texts, #names + 1, names), ", ")
end

--- Runs the worker; the options are a JSON object: `script`, `client`, `concurrency`,
-- `max_attempts`, `retry_wait`, `timeout` and `cpu_timeout` (of a handler, in seconds),
-- `memory_limit` (MiB), `recording_limit` (the max bytes of an event's recorded responses; nil:
-- they are not recorded), `is_watched`, whether a changed script is loaded by itself, `is_strict`,
-- whether its reading of a field that there is not raises, `json`, `log_level`, `log_has_dates`,
-- `alert` (see palenca.host.alert; nil: none are sent).
-- @tparam string text the options
return function(text)
  local options = json.decode(text)
  program_log.use_json(options.json, nil, options.log_has_dates)
  program_log.hold_lines()
  program_log.use_level(options.log_level)
  client.set_defaults(options.client or {}, "name a file with --api-key-file")
  local self = setmetatable({
    schedule = scheduler.new(options.cpu_timeout, options.memory_limit, retry_policy.plain),
    concurrency = options.concurrency,
    max_attempts = options.max_attempts,
    retry_wait = options.retry_wait,
    timeout = options.timeout,
    memory_limit = options.memory_limit,
    recording_limit = options.recording_limit,
    is_watched = options.is_watched,
    alert = options.alert,
    running = {}, -- by id, what is logged of the events whose handlers run
    events = {}, -- the same, by the tables that the handlers have
  }, Worker)
  if options.is_strict then
    make_strict(self)
  end
  log.use_context(function()
    return self.schedule:trace()
  end)
  keep_lines(self)
  runtime.use(self.schedule:runtime())
  timers.serve()
  handlers.set_max_limits(own_thread.LIMITS_MAX)
  script_loader.forbid_exit()
  local files = load(self, options.script)
  self.version = script_version.new(options.script, files)
  self.about = self.version.digests
  self.awaits_logins = #handlers.matching("login.success") > 0
  ledger.use(function(event, make, fail)
    record_decision(self, event, make, fail)
  end)
  for action, count in pairs(handlers.concurrency_limits()) do
    own_thread.limit(action, count)
  end
  for _, timer in ipairs(timers.list()) do
    own_thread.every(timer.name, math.floor(timer.interval * 1000 + 0.5))
  end
  own_thread.ready(handled(), table.concat(files, "\n"))
  local ok, problem = pcall(work, self)
  if not ok then
    fail_running(self, problem)
    error(problem, 0)
  end
end
