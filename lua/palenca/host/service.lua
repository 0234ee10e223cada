--- Runs a receiver with its store and script workers, as `palenca serve` and `dev` have it.
-- @module palenca.host.service
local core = require("palenca.core")
local webhook_endpoint = require("palenca.host.webhook_endpoint")
local event_names = require("palenca.host.event_names")
local host = require("palenca.host")
local json = require("palenca.util.json")
local program_log = require("palenca.host.program_log")
local reconcile = require("palenca.host.reconcile")
local reload = require("palenca.host.reload")
local secret_reload = require("palenca.host.secret_reload")
local service_manager = require("palenca.host.service_manager")
local user_error = require("palenca.host.user_error")
local worker_pool = require("palenca.host.worker_pool")

local Service = {}
Service.__index = Service

local service = {}

local finish

-- Seconds for open requests to get a response: they wait for the store only, whose transactions are
-- short.
local RESPONSE_TIMEOUT = 10
-- Minimum seconds to write and close the store, even if the drain timeout is over.
local CLOSE_TIMEOUT_MIN = 5
-- The seconds that the store has for its close after a second signal. An aborted one leaves a
-- journal, and the database cannot be read until the next start.
local CLOSE_AFTER_SIGNAL = 2
-- Seconds without progress after which the store counts as stalled: more than a healthy disk takes.
local STALLED = 2
-- The main loop checks the store at least this often, in seconds; a longer gap means that the
-- process was stopped.
local CHECK_INTERVAL_MAX = 1.5

local DONE, FAILED = 0, 1

local function nothing() end

local function at_once()
  return true
end

-- What the workers are started with.
local function worker_options(given, client)
  return json.encode({
    script = given.script,
    client = next(client) and client or nil,
    concurrency = given.concurrency,
    max_attempts = given.max_attempts,
    retry_wait = given.retry_wait,
    timeout = given.handler_timeout,
    cpu_timeout = given.cpu_timeout,
    memory_limit = given.memory_limit,
    recording_limit = given.max_recording,
    alert = given.alert,
    is_watched = given.watch,
    is_strict = given.is_strict,
    json = given.json,
    log_level = given.log_level,
    log_has_dates = program_log.has_dates(),
  })
end

-- The key and the secret of alerts are the workers', which load the script again with them.
local function reload_secrets(self)
  local files = self.given.secret_files or {}
  secret_reload.run(files.api_key, "key", function(client)
    self.client = client
    host.metrics.set_key_new()
    self.workers:use_options(worker_options(self.given, client))
  end)
  secret_reload.run(files.alert_secret, "secret", function(alert)
    self.given.alert = alert
    self.workers:use_options(worker_options(self.given, self.client))
  end)
  secret_reload.run(files.webhook_secret, "secrets", function(receiving)
    return self.receiver:replace_signature(receiving)
  end)
end

-- SIGHUP reloads the script, the certificate and the files with secrets; one from the kernel, whose
-- terminal is gone, ends the program.
local function wait_signal(self, seconds)
  local signal, from_kernel = host.wait_signal(seconds)
  if signal == "SIGHUP" and not from_kernel then
    reload_secrets(self)
    self.reload:ask()
    webhook_endpoint.reload_tls(self.given, self.receiver)
    return nil
  end
  return signal
end

-- Loads the script, and handles signals meanwhile. Returns the signal that ended this, or nil.
local function load_script(self, given)
  -- watched before it is loaded, so that no change in between is missed
  local unwatched
  self.reload, unwatched = reload.new(given.script, self.workers, given.watch)
  local outcome, detail
  if given.probes_key then
    host.metrics.set_key_new()
  end
  self.workers:load()
  repeat
    local signal = wait_signal(self, 0)
    if signal then
      return signal
    end
    self.reload:start()
    outcome, detail = self.workers:step(0.1)
  until outcome
  if outcome == "failed" then
    user_error("%s", detail)
  elseif unwatched then
    user_error("%s", unwatched)
  end
  self.reload:follow()
  self.actions = detail
  event_names.warn_of_list(given.script, detail)
end

-- The address first: if it is in use, or mistyped, no database must be created.
local function open_parts(self, given)
  local problem
  self.loop, problem = host.loop()
  if not self.loop then
    user_error("%s", problem)
  end
  self.watchdog = service_manager.watchdog()
  self.listener, self.url, self.is_passed = webhook_endpoint.listen(given, self.loop)
  if not self.listener then
    user_error("%s", self.url)
  end
  given.store.loop = self.loop
  self.is_server = host.events.is_server(given.db)
  self.db_name = host.events.shown_name(given.db)
  self.is_new = self.keeps_events and not self.is_server and not host.file_mode(given.db)
  self.store, problem = host.store(given.store)
  if not self.store then
    self.listener:close()
    user_error("%s", problem)
  end
  self.unfinished = self.store:counts().unfinished
end

-- A failure is logged only: events are received without this socket, too.
local function open_admin(self, given)
  local problem
  if self.is_server then
    return -- commands write to the server themselves
  end
  self.admin, problem = host.admin_socket({ loop = self.loop, store = self.store, path = given.db })
  if not self.admin then
    program_log.line(string.format("palenca: cannot listen for commands: %s; 'palenca events "
      .. "replay', 'retry-dead', 'purge' and 'backup', and 'palenca forget' fail while this "
      .. "process serves", problem),
      { event = "admin_failed", level = "warning", error = problem })
  end
end

-- What a start that failed has made goes again, unless an event was received meanwhile.
local function remove_unused(self)
  if self.is_new then
    host.events.remove_empty(self.given.db)
  end
end

--- Starts everything; raises if one part does not start, with nothing left running.
-- @tparam table given the parsed options, with `db`; `store`, for `host.store`; `max_recording`,
-- the max bytes of an event's recorded responses, or nil; `alert`, for palenca.host.alert;
-- `receiving`, see palenca.host.cli.receiver_options; `watch`: reload the script when it changes;
-- `is_strict`: the script's reading of a field that there is not raises, see palenca.strict;
-- `probes_key`: ask the API whether it takes the script's key; `secret_files`, `api_key`,
-- `alert_secret` and `webhook_secret`, for palenca.host.secret_reload;
-- and `before_exit`, called before `exit_now` if the database is temporary
-- @tparam table client defaults for `palenca.new`
-- @treturn ?Service nil if a signal has ended it before the script was loaded
-- @treturn ?boolean whether it ended then without a second signal
function service.start(given, client)
  local self = setmetatable({
    given = given,
    client = client,
    keeps_events = not given.before_exit,
    before_exit = given.before_exit or nothing,
  }, Service)
  -- a mistyped path is reported first, before any other problem
  local file, problem = io.open(given.script)
  if not file then
    user_error("cannot open %s", problem)
  end
  file:close()
  open_parts(self, given)
  open_admin(self, given)
  self.workers = worker_pool.new({
    options = worker_options(given, client),
    count = given.workers,
    cpu_timeout = given.cpu_timeout,
    store = self.store,
    drain_timeout = given.drain_timeout,
  })
  self.receiver, problem = host.receiver(self.loop, self.listener, self.store)
  local ok, raised = self.receiver ~= nil, problem
  if ok then
    ok, raised = pcall(load_script, self, given) -- or the signal that has ended it
  end
  local signal = ok and raised
  if signal then
    program_log.line(signal .. " while the script was being loaded")
    return nil, finish(self)
  end
  if not ok then
    self.workers.drain_timeout = 0
    if select(2, self:stop(at_once)) then
      program_log.problem(tostring(raised))
      self:exit_now(FAILED)
    end
    remove_unused(self)
    user_error("%s", tostring(raised))
  end
  host.metrics.set_phase("running")
  return self
end

--- Logs that the database is a new one, or how many of its events have not ended.
function Service:log_database()
  local count, db = self.unfinished, self.db_name
  if self.is_new then
    program_log.line(db .. " is a new database", { event = "created", db = db })
  end
  if count > 0 then
    local text = self.is_server and "events of all processes that have not ended: %d"
      or "events that had not ended before: %d; they run now"
    program_log.line(text:format(count), { event = "unfinished", events = count })
  end
end

--- The number of events that are not yet done or dead.
function Service:counts()
  return self.store:counts()
end

--- Ends the process without waiting for blocked threads. The store need not be closed: events that
-- are not committed were not acknowledged, and leased ones run again.
-- @tparam integer status
function Service:exit_now(status)
  self.before_exit()
  host.exit_now(status)
end

-- Waits until a part has ended. Each of them needs the loop, which a hanging disk blocks.
local function wait_for(is_ended, deadline, on_wait)
  repeat
    if is_ended() then
      return true
    end
  until on_wait() or core.steady_time() >= deadline
  return false
end

local function stop_receiver(self, deadline, on_wait)
  if not self.receiver then
    self.listener:close()
    return true
  end
  self.receiver:ask_stop(RESPONSE_TIMEOUT)
  return wait_for(function()
    return self.receiver:join(0.05)
  end, deadline + RESPONSE_TIMEOUT, on_wait)
end

-- Writes the outcomes of the handlers and closes the store. The socket first: waiting commands get
-- an error.
local function close_store(self, deadline, on_wait)
  if self.admin then
    self.admin:close()
  end
  local end_at
  return wait_for(function()
    local is_closed, unfinished = self.store:close(0.05)
    self.unfinished = unfinished
    return is_closed
  end, deadline, function()
    if on_wait() then
      end_at = end_at or core.steady_time() + CLOSE_AFTER_SIGNAL
    end
    return end_at and core.steady_time() >= end_at
  end)
end

-- With a passed socket events are received until the handlers have ended: its clients would wait
-- for the next process, which cannot start before. Returns whether the receiver and the handlers
-- have ended.
local function end_work(self, deadline, on_wait)
  -- first, so that no handler is started for events that still arrive
  self.workers:ask_drain()
  if self.is_passed and self.receiver then
    self.receiver:end_connections()
    local drained = self.workers:drain(on_wait)
    return stop_receiver(self, deadline(), on_wait), drained
  end
  local received = stop_receiver(self, deadline(), on_wait)
  return received, received and self.workers:drain(on_wait)
end

--- Looks for logins of which no webhook has come, beside what it serves. A failure is logged only.
-- @tparam table client defaults for `palenca.new`
function Service:reconcile(client)
  local db = self.given.db
  local problem
  self.reconciling, problem = host.start("palenca.host.reconcile_thread", json.encode({
    db = db,
    since = reconcile.since(db),
    client = next(client) and client or nil,
    json = self.given.json,
    log_level = self.given.log_level,
  }))
  if not self.reconciling then
    user_error("%s", problem)
  end
end

--- Stops: accepts nothing more, responds to requests that have arrived, lets running handlers end.
-- @tparam function on_wait called repeatedly meanwhile; true ends the wait
-- @treturn boolean whether every handler has ended; those that have not run again at the next start
-- @treturn ?string "worker", "receiver" or "store" if such a part does not end, so that
-- only @{exit_now} is left: in the drain timeout, or in 5 s, if that is longer
function Service:stop(on_wait)
  local started = core.steady_time()
  if self.reconciling then
    self.reconciling:ask("stop")
  end
  local function deadline()
    return math.max(started + self.given.drain_timeout, core.steady_time() + CLOSE_TIMEOUT_MIN)
  end
  host.metrics.set_phase("draining")
  local received, drained = end_work(self, deadline, on_wait)
  local finished = self.workers:finish()
  if not received or not finished then
    return drained or false, received and "worker" or "receiver"
  end
  if not close_store(self, deadline(), on_wait) then
    return drained, "store"
  end
  self.loop:close()
  return drained
end

-- Logs a hanging disk, which delays every response. After the process itself was stopped (SIGSTOP),
-- one long turn is seen as well, but only briefly: so the stall has to last. Returns for how many
-- seconds the store has stalled, or false.
local function watch_store(self)
  local seconds, now = self.store:stalled(), core.steady_time()
  local was_stopped = now - (self.checked_at or now) > CHECK_INTERVAL_MAX
  self.checked_at = now
  self.slow_since = seconds >= STALLED / 2 and (not was_stopped and self.slow_since or now) or nil
  local is_stalled = seconds >= STALLED and now - self.slow_since >= STALLED / 4
  if is_stalled and not self.is_stalled then
    self.is_stalled = true
    program_log.line(string.format("palenca: the store has made no progress for %.0f s, requests "
      .. "wait: is the disk of %s hanging?", seconds, self.db_name),
      { event = "stalled", level = "error", seconds = seconds, db = self.db_name })
  elseif self.is_stalled and seconds < STALLED then
    self.is_stalled = false
    program_log.line("palenca: the store makes progress again",
      { event = "resumed", db = self.db_name })
  end
  return is_stalled and seconds
end

-- Stops; returns whether it ended without a second signal.
function finish(self, is_hopeless)
  local interrupted = false
  service_manager.stopping(self.given.drain_timeout + RESPONSE_TIMEOUT + 2 * CLOSE_TIMEOUT_MIN)
  local drained, stuck = self:stop(function()
    self.watchdog:feed()
    local signal = host.wait_signal(0)
    interrupted = interrupted or (signal ~= nil and signal ~= "SIGHUP")
    local stalled = watch_store(self) -- there may be no second signal
    return interrupted or stalled and stalled >= self.given.drain_timeout
  end)
  if not drained then
    program_log.line("some handlers have not ended"
      .. (self.keeps_events and "; their events run again at the next start" or ""))
  end
  local is_well = not interrupted and not is_hopeless
  if stuck then
    if is_well and stuck ~= "worker" then
      program_log.line(string.format("palenca: the %s has not ended in time; the process exits, "
        .. "no acknowledged event is lost", stuck),
        { event = "stuck", level = "error", part = stuck })
    end
    -- a blocked handler is one of those that have not ended: nothing else is wrong
    self:exit_now(is_well and stuck == "worker" and DONE or FAILED)
  end
  if self.keeps_events and self.has_run then
    program_log.line("stopped; events that have not ended: " .. self.unfinished,
      { event = "stopped", events = self.unfinished })
  end
  return is_well
end

local function replace_workers(self)
  local problems, is_hopeless = self.workers:replace_failed()
  for _, problem in ipairs(problems) do
    program_log.line("palenca: " .. problem, { event = "worker", level = "warning",
      message = problem })
  end
  return is_hopeless
end

--- Waits for Ctrl-C or SIGTERM, then stops; a second one exits at once. Meanwhile reloads the
-- script when it changes, or on SIGHUP.
-- @tparam ?function done called repeatedly; true ends the wait
-- @treturn boolean whether all went well
function Service:run(done)
  local signal, is_hopeless
  self.has_run = true
  repeat
    local is_idle = self.reload:is_idle() and not self.workers:is_replacing() and not done
    signal = wait_signal(self, is_idle and self.watchdog.wait or 0.05)
    self.watchdog:feed()
    is_hopeless = replace_workers(self)
    watch_store(self)
    self.reload:step()
  until signal or is_hopeless or (done and done())
  if signal then
    program_log.line(signal .. ": finishing running handlers (again to exit at once)")
  elseif is_hopeless then
    local text = "workers fail repeatedly; the program exits"
    program_log.line("palenca: " .. text, { level = "error", message = text })
  end
  return finish(self, is_hopeless)
end

return service
