--- A running receiver with its store and script workers, as `palenca serve` and `dev` have it.
-- @module palenca.host.service
local core = require("palenca.core")
local endpoint = require("palenca.host.endpoint")
local event_log = require("palenca.host.event_log")
local event_names = require("palenca.host.event_names")
local host = require("palenca.host")
local json = require("palenca.util.json")
local redact = require("palenca.util.redact")
local reload = require("palenca.host.reload")
local user_error = require("palenca.host.user_error")
local worker_pool = require("palenca.host.worker_pool")

local Service = {}
Service.__index = Service

local service = {}

local end_well

-- Answers wait for the store only, whose transactions are short.
local RESPONSE_TIMEOUT = 10
-- What is left to be written and closed gets the rest of the drain timeout, and so many seconds in
-- any case.
local CLOSE_TIMEOUT_MIN = 5
-- So many seconds are more than any disk takes that is well.
local STALLED = 2
-- The loop below looks at the store at least so often, in seconds.
local MAX_LOOK_INTERVAL = 1.5

local DONE, FAILED = 0, 1

local function nothing() end

local function at_once()
  return true
end

-- SIGHUP asks for the script and the certificate as they are now; that of a terminal that is gone
-- is a wish to end.
local function wait_signal(self, seconds)
  local signal, from_kernel = host.wait_signal(seconds)
  if signal == "SIGHUP" and not from_kernel then
    self.reload:ask()
    endpoint.reload_tls(self.given, self.receiver)
    return nil
  end
  return signal
end

-- A script may do as it likes while it is loaded, which must keep no signal off. Returns the one
-- that ended it, or nil.
local function load_script(self, given)
  -- before it is loaded, so that no change in between is missed
  local unwatched
  self.reload, unwatched = reload.new(given.script, self.workers, given.watch)
  local outcome, detail
  self.workers:load()
  repeat
    local signal = wait_signal(self, 0)
    if signal then
      return signal
    end
    self.reload:begin()
    outcome, detail = self.workers:step(0.1)
  until outcome
  if outcome == "failed" then
    user_error("%s", redact.identity(detail))
  elseif unwatched then
    user_error("%s", unwatched)
  end
  self.reload:follow()
  self.actions = detail
  event_names.warn_of_list(given.script, detail)
end

-- The address first: of one that is in use, or mistyped, no database must be left behind.
local function open_parts(self, given)
  local problem
  self.loop, problem = host.loop()
  if not self.loop then
    user_error("%s", problem)
  end
  self.listener, self.url = endpoint.listen(given, self.loop)
  if not self.listener then
    user_error("%s", self.url)
  end
  given.store.loop = self.loop
  self.store, problem = host.store(given.store)
  if not self.store then
    self.listener:close()
    user_error("%s", problem)
  end
end

-- Events are received without it, too.
local function open_admin(self, given)
  local problem
  self.admin, problem = host.admin_socket({ loop = self.loop, store = self.store, path = given.db })
  if not self.admin then
    event_log.line(string.format("palenca: cannot listen for commands: %s; 'palenca events "
      .. "replay', 'retry-dead' and 'purge' fail while this process serves", problem),
      { event = "admin_failed", error = problem })
  end
end

--- Starts everything; raises if one part does not start, with nothing left running.
-- @tparam table given the parsed options, with `db`; `store`, for `host.store`; `receiving`, see
-- palenca.host.cli.receiver_options; `watch`: reload the script when it changes;
-- and `before_exit`, called before the process is left in haste, if the database is of no use then
-- @tparam table client defaults for `palenca.new`
-- @treturn ?Service nil if a signal has ended it before the script was loaded
-- @treturn ?boolean whether it came to its end then without being asked a second time
function service.start(given, client)
  local self = setmetatable({
    given = given,
    keeps_events = not given.before_exit,
    before_exit = given.before_exit or nothing,
  }, Service)
  -- a mistyped path is reported as that, whatever else is in the way
  local file, problem = io.open(given.script)
  if not file then
    user_error("cannot open %s", problem)
  end
  file:close()
  open_parts(self, given)
  open_admin(self, given)
  self.workers = worker_pool.new({
    options = json.encode({
      script = given.script,
      client = next(client) and client or nil,
      concurrency = given.concurrency,
      max_attempts = given.max_attempts,
      timeout = given.handler_timeout,
      cpu_timeout = given.cpu_timeout,
      memory_limit = given.memory_limit,
      json = given.json,
    }),
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
    event_log.line(signal .. " while the script was being loaded")
    return nil, end_well(self)
  end
  if not ok then
    self.workers.drain_timeout = 0
    if select(2, self:stop(at_once)) then
      event_log.problem(tostring(raised))
      self:exit_now(FAILED)
    end
    user_error("%s", tostring(raised))
  end
  return self
end

--- The number of events that are not yet done or dead.
function Service:counts()
  return self.store:counts()
end

--- Ends the process in spite of threads that do not come back. The store needs no closing: what is
-- not committed was not acked, and what was leased runs again.
-- @tparam integer status
function Service:exit_now(status)
  self.before_exit()
  host.exit_now(status)
end

-- Waits for a part to come to its end. Each of them needs the loop, which something that hangs may
-- keep from going on.
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

-- What handlers have come to is written. The socket first: commands that wait there are told.
local function close_store(self, deadline, on_wait)
  if self.admin then
    self.admin:close()
  end
  return wait_for(function()
    return self.store:close(0.05)
  end, deadline, on_wait)
end

--- Stops: accepts nothing more, responds to what has arrived, lets running handlers end.
-- @tparam function on_wait called again and again meanwhile; true ends the waiting
-- @treturn boolean whether every handler has ended; those that have not run again at the next start
-- @treturn ?string "worker", "receiver" or "store" if such a part does not come to its end, so that
-- only @{exit_now} is left: in the drain timeout, or in 5 s, if that is longer
function Service:stop(on_wait)
  local started = core.steady_time()
  local function deadline()
    return math.max(started + self.given.drain_timeout, core.steady_time() + CLOSE_TIMEOUT_MIN)
  end
  -- first, so that no handler is started for what still arrives
  self.workers:ask_drain()
  local received = stop_receiver(self, deadline(), on_wait)
  local drained = received and self.workers:drain(on_wait)
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

-- A disk that hangs holds every response up, and can say nothing by itself. A process that was
-- stopped, and so did not look either, sees a long turn as well, but not for long: so it has to be
-- seen for a while. Returns for how many seconds it has hung, or false.
local function watch_store(self)
  local seconds, now = self.store:stalled(), core.steady_time()
  local was_stopped = now - (self.looked_at or now) > MAX_LOOK_INTERVAL
  self.looked_at = now
  self.slow_since = seconds >= STALLED / 2 and (not was_stopped and self.slow_since or now) or nil
  local is_stalled = seconds >= STALLED and now - self.slow_since >= STALLED / 4
  if is_stalled and not self.is_stalled then
    self.is_stalled = true
    event_log.line(string.format("palenca: storing has stood still for %.0f s, requests wait: is "
      .. "the disk of %s hanging?", seconds, self.given.db), { event = "stalled", level = "error",
      seconds = seconds, db = self.given.db })
  elseif self.is_stalled and seconds < STALLED then
    self.is_stalled = false
    event_log.line("palenca: storing goes on", { event = "resumed", db = self.given.db })
  end
  return is_stalled and seconds
end

-- Stops; returns whether it came to its end without being asked a second time.
function end_well(self, is_hopeless)
  local interrupted = false
  local drained, stuck = self:stop(function()
    local signal = host.wait_signal(0)
    interrupted = interrupted or (signal ~= nil and signal ~= "SIGHUP")
    local stalled = watch_store(self) -- nobody may come to ask a second time
    return interrupted or stalled and stalled >= self.given.drain_timeout
  end)
  if not drained then
    event_log.line("some handlers have not ended"
      .. (self.keeps_events and "; their events run again at the next start" or ""))
  end
  local is_well = not interrupted and not is_hopeless
  if stuck then
    if is_well and stuck ~= "worker" and not self.is_stalled then
      event_log.line(string.format("palenca: the %s has not come to its end in time; the process "
        .. "ends, nothing that was acknowledged is lost", stuck),
        { event = "stuck", level = "error", part = stuck })
    end
    -- a handler that blocks has not ended, as others that wait have not: nothing else is wrong
    self:exit_now(is_well and stuck == "worker" and DONE or FAILED)
  end
  return is_well
end

local function mend_workers(self)
  local problems, is_hopeless = self.workers:mend()
  for _, problem in ipairs(problems) do
    event_log.line("palenca: " .. redact.line(problem, true),
      { event = "worker", message = problem })
  end
  return is_hopeless
end

--- Waits for Ctrl-C or SIGTERM, then stops; a second one exits at once. Meanwhile reloads the
-- script when that is wanted.
-- @tparam ?function done asked again and again; true ends the waiting
-- @treturn boolean whether all went well
function Service:run(done)
  local signal, is_hopeless
  repeat
    local is_idle = self.reload:is_idle() and not self.workers:is_mending() and not done
    signal = wait_signal(self, is_idle and 1 or 0.05)
    is_hopeless = mend_workers(self)
    watch_store(self)
    self.reload:step()
  until signal or is_hopeless or (done and done())
  if signal then
    event_log.line(string.format("%s: finishing what runs (again to exit at once)", signal))
  elseif is_hopeless then
    event_log.line("palenca: workers cannot be kept running; the program ends")
  end
  return end_well(self, is_hopeless)
end

return service
