--- The runtime inside nginx and OpenResty: while a request waits, its worker handles others.
--
-- The engine runs on a thread of its own, one in each worker, which the first call starts and which
-- ends after a while without calls. It announces completed calls on a unix socket, which is read by
-- a light thread that belongs to no request; each request waits on a semaphore. Where such a socket
-- cannot be made, the light thread polls every millisecond while a call is in flight.
--
-- A Lua state that is one request's own (`lua_code_cache off`) is closed with it, and the engine
-- with the state: so there is neither a light thread nor a timer then, which would hold it, and a
-- waiting call polls every millisecond. It is the same in a worker whose first call comes when
-- it is about to end: nginx reports a socket left open if its first timer is made that late.
-- @module palenca.runtime.nginx
local calls = require("palenca.runtime.calls")
local core = require("palenca.core")
local log = require("palenca.log")
local nginx_gather = require("palenca.runtime.nginx_gather")
local nginx_lua_state = require("palenca.runtime.nginx_lua_state")
local semaphore = require("ngx.semaphore")

local nginx = {}

-- The phases of nginx in which a call can wait.
local can_wait = {
  server_rewrite = true, rewrite = true, access = true, content = true, timer = true,
}

-- Seconds until a thread without calls ends.
local IDLE = 60
-- Seconds between two polls of each waiting call; shorter if no other call polls.
local POLL = 1
local POLL_ALONE = 0.01
-- A wait for the socket has no timeout: the maximum of nginx, in milliseconds.
local ENDLESS = 2 ^ 31 - 1
local PUMP = 0.001
-- In memory, and common to the machine.
local QUOTA_DIRECTORY = "/dev/shm"

-- ngx.sleep(0) returns at once each time: a loop of it would starve other requests.
local function pause(seconds)
  ngx.sleep(math.max(seconds, PUMP))
end

-- nginx counts from its cached time, in steps of some milliseconds: its sleep ends early.
local function sleep(seconds)
  local due = core.steady_time() + seconds
  repeat
    pause(due - core.steady_time())
  until core.steady_time() >= due
end

local function check_phase(what)
  local phase = ngx.get_phase()
  if not can_wait[phase] then
    error(what .. " cannot wait in nginx's " .. phase .. " phase: make it in rewrite, access or "
      .. "content, or in a timer (ngx.timer.at)", 0)
  elseif not core.is_yieldable() then
    error(what .. " cannot wait inside of what Lua itself calls, such as a sort's or a gsub's "
      .. "function", 0)
  end
end

-- ---- what a worker has ---------------------------------------------------------------

-- The engine's thread, the calls that have no result yet, and the light thread that collects them.
local Worker = {}
Worker.__index = Worker

-- All workers keep to the limit of a key together, those of a reload included.
local function new_thread()
  local thread, problem = core.engine_thread(QUOTA_DIRECTORY)
  if problem then
    log.warn {
      message = "palenca keeps to the rate limit in each worker alone, for it cannot be shared",
      error = problem,
    }
  end
  return thread
end

-- Waits for those that have ended, which nginx keeps until then; keeps the others.
local function reap(threads)
  local left = {}
  for _, thread in ipairs(threads or {}) do
    if coroutine.status(thread) == "zombie" then
      ngx.thread.wait(thread)
    else
      left[#left + 1] = thread
    end
  end
  return left
end

-- Runs a function in a light thread of its own, where it may wait without holding up who collects.
local function beside()
  local started = setmetatable({}, { __mode = "k" }) -- by whom, who alone can wait for their end
  return function(body, ...)
    local own = coroutine.running()
    local threads = reap(started[own])
    threads[#threads + 1] = ngx.thread.spawn(body, ...)
    started[own] = reap(threads)
  end
end

-- Cancels a call when it is collected, since nothing can wait for it any more. What does so is
-- used for one call after the other, as are the semaphores: the garbage collector's work for them
-- would be a good part of a call's.
local function new_guards(self)
  local guards = { unused = {}, ids = setmetatable({}, { __mode = "k" }), first = newproxy(true) }
  getmetatable(guards.first).__gc = function(proxy)
    local id = guards.ids[proxy]
    if id and self:forget(id) then
      self.thread:cancel(id)
    end
  end
  return guards
end

local function guard(self, call)
  local guards = self.guards
  call.guard = table.remove(guards.unused) or newproxy(guards.first)
  guards.ids[call.guard] = call.id
end

local function unguard(self, call)
  local guards, proxy = self.guards, call.guard
  call.guard = nil
  if proxy then
    guards.ids[proxy] = nil
    guards.unused[#guards.unused + 1] = proxy
  end
end

local function new_worker()
  local thread = new_thread()
  local self = setmetatable({
    pid = ngx.worker.pid(),
    thread = thread,
    calls = calls.new(thread, beside()),
    open = {}, -- the ids of calls that have no result yet
    count = 0, -- how many those are
    used = 0, -- calls so far
    serving = nil, -- "asked": a light thread is to start; "running": it has
    polling = nil, -- the id of the call that polls for all, where there is no light thread
    gates = {}, -- semaphores that nobody waits on, to be used again
    ending = false, -- whether it ends with the last open call
    is_late = ngx.worker.exiting(),
  }, Worker)
  self.guards = new_guards(self)
  -- A request that its client has aborted, or a light thread that was killed, leaves its call to
  -- the garbage collector, which cancels it.
  setmetatable(self.calls.pending, { __mode = "v" })
  -- The collector takes it out of the pending ones some time before that: until it has work again,
  -- which a worker may not have that is to end.
  self.calls.on_lost = function(id)
    self:forget(id)
  end
  self.on_done = function(call)
    self:forget(call.id)
    unguard(self, call)
    if call.gate then
      call.gate:post(call.waiting)
    end
  end
  return self
end

function Worker:forget(id)
  if not self.open[id] then
    return false
  end
  self.open[id] = nil
  self.count = self.count - 1
  return true
end

function Worker:cancel(call)
  if self:forget(call.id) then
    self.calls:cancel(call)
    unguard(self, call)
    if call.gate then
      call.gate:post(call.waiting)
    end
  end
end

function Worker:collect()
  self.calls:step(0, self.on_done)
end

-- ---- the light thread that takes results --------------------------------------------------

local function try_directory(self, directory)
  local path, problem = self.thread:listen(directory)
  if not path then
    return nil, problem
  end
  local socket = ngx.socket.tcp()
  socket:settimeouts(ENDLESS, ENDLESS, ENDLESS)
  local connected, reason = socket:connect("unix:" .. path)
  local accepted, rejection = self.thread:accept() -- in any case the path is removed
  if connected and accepted then
    return socket
  end
  return nil, reason or rejection
end

local function connect(self)
  local own = os.getenv("TMPDIR")
  for _, directory in ipairs(own and { own } or { "/tmp", "/dev/shm" }) do
    local socket, problem = try_directory(self, directory)
    if socket then
      return socket
    end
    self.no_socket = problem
  end
  log.warn {
    message = "palenca polls for responses every millisecond: there is no socket to wait for",
    error = self.no_socket,
  }
  return nil
end

-- The timer that ends the light thread is lost if nginx has no room for it
-- (lua_max_running_timers), and the worker would never come to its end; so the light thread polls
-- for that by itself.
local function watch_exit(self)
  while not ngx.worker.exiting() do
    pause(POLL)
  end
  self.ending = true
  self.thread:wake()
end

local function work(self)
  local socket = not self.no_socket and connect(self)
  local watcher = socket and ngx.thread.spawn(watch_exit, self)
  while socket and (self.count > 0 or not self.ending) do
    if not socket:receiveany(4096) then
      break -- closed under it, as at the end of worker_shutdown_timeout
    end
    self:collect()
  end
  if socket then
    ngx.thread.kill(watcher)
    socket:close()
  end
  while self.count > 0 do
    pause(PUMP)
    self:collect()
  end
end

local function serve(_, self)
  self.serving = "running"
  local ok, problem = pcall(work, self)
  self.serving = nil
  if not ok then
    log.error { message = "palenca's light thread has failed", error = tostring(problem) }
  end
  if self.idle then
    self.thread:close()
  end
end

function Worker:may_have_timers()
  return nginx_lua_state.is_shared() and not self.is_late
end

function Worker:start()
  if not self:may_have_timers() then
    return
  elseif not self.is_watched then
    self.is_watched = true
    self:watch()
  end
  if not self.serving and ngx.timer.at(0, serve, self) then
    self.serving = "asked"
  end
end

local current

-- nginx fires its timers early when a worker is to end, and waits for those that run.
local function watch(premature, self, used)
  if not premature and (self.count > 0 or self.used ~= used) then
    self:watch()
    return
  end
  self.ending, self.idle = true, not premature
  if self.idle then
    current = nil
  end
  if self.serving then
    self.thread:wake()
  elseif self.idle then
    self.thread:close()
  end
end

function Worker:watch()
  if not ngx.timer.at(IDLE, watch, self, self.used) then
    self.ending = true -- the worker is about to end
  end
end

-- Calls that were started before a fork are the parent's.
local function this_worker()
  if not current or current.pid ~= ngx.worker.pid() then
    current = new_worker()
  end
  return current
end

-- ---- the interface that palenca.runtime asks for -------------------------------------

local function submit(request)
  check_phase("a call")
  local worker, branch = this_worker(), nginx_gather.branch()
  local call = worker.calls:submit(request)
  worker.open[call.id] = true
  worker.count, worker.used = worker.count + 1, worker.used + 1
  call.worker = worker
  guard(worker, call)
  if branch then
    branch.calls[call] = true
  end
  worker:start()
  return call
end

-- nginx may have had no room for the light thread (lua_max_running_timers), or the state is none
-- that should have one.
local function look(worker, call)
  if worker.serving == "running" then
    return POLL
  end
  worker.serving = nil
  worker:start()
  worker:collect()
  if worker:may_have_timers() then
    return POLL_ALONE
  elseif not worker.open[worker.polling] then
    worker.polling = call.id
  end
  return worker.polling == call.id and PUMP or POLL_ALONE
end

local function wait_for_result(call)
  local result = calls.result(call)
  if result then
    return result
  end
  check_phase("a call")
  local worker = call.worker
  local gate = call.gate or table.remove(worker.gates) or semaphore.new()
  call.gate, call.waiting = gate, (call.waiting or 0) + 1
  local timeout = worker:may_have_timers() and POLL or look(worker, call)
  local ok, problem
  repeat
    ok, problem = gate:wait(timeout)
    if not ok and problem ~= "timeout" then
      error("a call cannot wait: " .. problem, 0)
    elseif not ok then
      timeout = look(worker, call)
    end
    result = calls.result(call)
  until result
  if ok and call.waiting == 1 then -- so that nobody waits on it, and nothing is left in it
    call.gate = nil
    worker.gates[#worker.gates + 1] = gate
  end
  return result
end

local function wait(call)
  local branch = nginx_gather.branch()
  local result = wait_for_result(call)
  if branch then
    branch.calls[call] = nil
  end
  return result
end

local function cancel(call)
  call.worker:cancel(call)
end

--- The runtime of this worker.
function nginx.new()
  return {
    submit = submit,
    wait = wait,
    cancel = cancel,
    sleep = function(seconds)
      check_phase("palenca.sleep")
      nginx_gather.branch()
      sleep(seconds)
    end,
    gather = function(_, bodies, count)
      check_phase("palenca.gather")
      return nginx_gather.run(cancel, bodies, count)
    end,
  }
end

return nginx
