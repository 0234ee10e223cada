--- A running receiver with its store and script workers, as `palenca serve` and `dev` have it.
-- @module palenca.cli.serving
local failure = require("palenca.failure")
local host = require("palenca.host")
local json = require("palenca.json")
local options = require("palenca.cli.options")
local report = require("palenca.report")

local Serving = {}
Serving.__index = Serving

local serving = {}

local MAX_BODY = 64 * 1024
-- Answers wait for the store only, whose transactions are short.
local ANSWER_PATIENCE = 10

local function nothing() end

local function at_once()
  return true
end

local function processors()
  local count = 0
  local file = io.open("/proc/cpuinfo")
  for line in file and file:lines() or function() end do
    count = count + (line:find("^processor%s*:") and 1 or 0)
  end
  return math.max(count, 1)
end

--- Adds the options of those who serve a script.
function serving.define(command)
  command:argument("script", "The Lua file with the handlers."):argname("SCRIPT")
  options.add(command, "--listen", {
    help = "Address and port of the receiver; port 0: any free one.",
    env = "PALENCA_LISTEN",
    default = "127.0.0.1:8080",
    convert = options.address,
    argname = "ADDRESS",
  })
  options.add(command, "--path", {
    help = "The path at which webhooks are received.",
    env = "PALENCA_PATH",
    default = "/webhooks/palenca",
    convert = options.path,
    argname = "PATH",
  })
  options.add(command, "--workers", {
    help = "Threads that run the script.",
    env = "PALENCA_WORKERS",
    default = processors(),
    convert = options.positive,
    argname = "N",
  })
  options.add(command, "--concurrency", {
    help = "Events that a worker handles at once.",
    env = "PALENCA_CONCURRENCY",
    default = 64,
    convert = options.positive,
    argname = "N",
  })
  options.add(command, "--drain-timeout", {
    help = "Seconds that running handlers get to end after Ctrl-C or SIGTERM.",
    env = "PALENCA_DRAIN_TIMEOUT",
    default = 30,
    convert = options.seconds,
    argname = "SECONDS",
  })
end

local function start_worker(self, text)
  local worker, problem = host.start("palenca.worker", text, self.store)
  if not worker then
    failure("%s", problem)
  end
  self.workers[#self.workers + 1] = worker
end

-- A script may do as it likes while it is loaded: Ctrl-C must end that, too.
local function wait_ready(self, worker)
  local actions, problem
  repeat
    actions, problem = worker:wait_ready(0.1)
    if actions == false and host.wait_signal(0) then
      io.stderr:write("palenca: interrupted while the script was loaded\n")
      self:exit_now()
    end
  until actions ~= false
  if not actions then
    failure("%s", problem)
  end
  return actions
end

-- The first one alone, so that a script which does not load says so once.
local function start_workers(self, given, client)
  local text = json.encode({
    script = given.script,
    client = next(client) and client or nil,
    concurrency = given.concurrency,
    json = given.json,
  })
  start_worker(self, text)
  self.actions = wait_ready(self, self.workers[1])
  for _ = 2, given.workers do
    start_worker(self, text)
  end
  for _, worker in ipairs(self.workers) do
    wait_ready(self, worker)
  end
end

--- Starts everything; raises if one part does not start, with nothing left running.
-- @tparam table given the parsed options, with `db`; and `before_exit`, called before the process
-- is left in haste, if the database is of no use then
-- @tparam table client defaults for `palenca.new`
-- @treturn Serving
function serving.start(given, client)
  local self = setmetatable({
    workers = {},
    drain_timeout = given.drain_timeout,
    keeps_events = not given.before_exit,
    before_exit = given.before_exit or nothing,
  }, Serving)
  local problem
  self.store, problem = host.store(given.db, given.json)
  if not self.store then
    failure("%s", problem)
  end
  -- the address first: a mistyped one must not begin handlers, only to cut them off
  self.receiver, problem = host.receiver({
    listen = given.listen,
    path = given.path,
    max_body = MAX_BODY,
    store = self.store,
  })
  local ok, raised = self.receiver ~= nil, problem and problem .. " (see --listen)"
  if ok then
    ok, raised = pcall(start_workers, self, given, client)
  end
  if not ok then
    self.drain_timeout = 0
    if select(2, self:stop(at_once)) then
      io.stderr:write("palenca: " .. tostring(raised) .. "\n")
      self:exit_now()
    end
    failure("%s", tostring(raised))
  end
  self.url = "http://" .. self.receiver:address() .. given.path
  return self
end

--- The number of events that are not yet done or dead.
function Serving:counts()
  return self.store:counts()
end

--- A worker that has ended by itself, with why; nil if all run.
function Serving:broken()
  for _, worker in ipairs(self.workers) do
    local ended, problem = worker:join(0)
    if ended ~= false then
      return problem or "a worker has ended"
    end
  end
end

-- For threads that do not come back; the store needs no closing: what is not committed was not
-- acked.
function Serving:exit_now()
  self.before_exit()
  host.exit_now(1)
end

local function stop_receiver(self, on_wait)
  if not self.receiver then
    return true
  end
  self.receiver:ask_stop(ANSWER_PATIENCE)
  repeat
    if self.receiver:join(0.05) then
      return true
    end
  until on_wait()
  return false
end

local function drain(self, on_wait)
  local deadline = host.steady_time() + self.drain_timeout
  for _, worker in ipairs(self.workers) do
    while worker:join(0.05) == false do
      if host.steady_time() >= deadline or on_wait() then
        return false
      end
    end
  end
  return true
end

-- Whether all workers have left within a second.
local function end_workers(self)
  local deadline = host.steady_time() + 1
  for _, worker in ipairs(self.workers) do
    worker:ask("stop")
  end
  for _, worker in ipairs(self.workers) do
    if worker:join(math.max(0, deadline - host.steady_time())) == false then
      return false
    end
  end
  return true
end

--- Stops: accepts nothing more, answers what has arrived, lets running handlers end.
-- @tparam function on_wait called again and again meanwhile; true ends the waiting
-- @treturn boolean whether every handler has ended; those that have not run again at the next start
-- @treturn ?boolean true if a thread does not come back, so that only @{exit_now} is left
function Serving:stop(on_wait)
  -- first, so that no handler is begun for what still arrives
  for _, worker in ipairs(self.workers) do
    worker:ask("drain")
  end
  local received = stop_receiver(self, on_wait)
  local drained = received and drain(self, on_wait)
  if not drained and not end_workers(self) or not received then
    return false, true
  end
  for _, worker in ipairs(self.workers) do
    worker:close()
  end
  self.store:close()
  return drained
end

--- Waits for Ctrl-C or SIGTERM, then stops; a second one exits at once.
-- @tparam ?function done asked again and again; true ends the waiting
-- @treturn boolean whether all went well
function Serving:run(done)
  local signal, problem
  repeat
    signal = host.wait_signal(done and 0.05 or 1)
    problem = self:broken()
  until signal or problem or (done and done())
  if signal then
    report.line(string.format("%s: finishing what runs (again to exit at once)", signal))
  elseif problem then
    report.line("palenca: a worker has failed: " .. problem)
  end
  local drained, stuck = self:stop(function()
    return host.wait_signal(0) ~= nil
  end)
  if not drained then
    report.line("some handlers have not ended"
      .. (self.keeps_events and "; their events run again at the next start" or ""))
  end
  if stuck then
    self:exit_now()
  end
  return drained and not problem
end

return serving
