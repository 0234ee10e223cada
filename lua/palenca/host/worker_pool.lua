--- Starts the worker threads, replaces failed or blocked ones, and swaps all when the script
-- changes. Workers take events from the store themselves.
-- @module palenca.host.worker_pool
local core = require("palenca.core")
local host = require("palenca.host")
local redact = require("palenca.util.redact")

local WorkerPool = {}
WorkerPool.__index = WorkerPool

local worker_pool = {}

-- The maximum of replaced workers within so many seconds.
local FAILURES_MAX = 10
local FAILURES_WITHIN = 60
-- Seconds until the next try: the script on disk may not load yet.
local REPLACE_AGAIN = 5
-- Seconds within which a worker must stop, or its thread is abandoned.
local STOP_TIMEOUT = 1
-- Seconds beyond the CPU timeout after which a worker counts as blocked: by a call that cannot be
-- interrupted.
local BLOCKED_BEYOND = 1

--- Creates a pool without workers.
-- @tparam table given `options` (the worker's own, as JSON text), `count`, `store`,
-- `drain_timeout` and `cpu_timeout` (seconds)
-- @treturn WorkerPool
function worker_pool.new(given)
  return setmetatable({
    options = given.options,
    count = given.count,
    store = given.store,
    drain_timeout = given.drain_timeout,
    max_blocked = given.cpu_timeout + BLOCKED_BEYOND,
    active = {},
    blocked = {}, -- those of the active ones that were blocked by their script at the last look
    leaving = {},
    replacing = {}, -- workers that load the script, to take the place of one that has failed
    replace_at = 0,
    failures = {}, -- their times
    replaced = 0, -- since it was last counted
    loading = nil,
  }, WorkerPool)
end

-- Ends workers; `loaded` ones finish their running handlers first.
local function dismiss(self, list, loaded)
  local deadline = core.steady_time() + (loaded and self.drain_timeout or 0)
  for _, worker in ipairs(list) do
    worker:ask(loaded and "drain" or "stop")
    table.insert(self.leaving, { worker = worker, loaded = loaded, deadline = deadline })
  end
end

-- Workers that have not ended in time are stopped; those whose script does not return stay listed.
local function close_ended(self)
  local staying = {}
  for _, entry in ipairs(self.leaving) do
    if entry.worker:join(0) ~= false then
      entry.worker:close()
    else
      staying[#staying + 1] = entry
      if entry.loaded and core.steady_time() >= entry.deadline then
        entry.worker:ask("stop")
      end
    end
  end
  self.leaving = staying
end

local function add_loading(self)
  local worker, problem = host.start("palenca.host.worker", self.next_options or self.options,
    self.store)
  if not worker then
    return nil, problem
  end
  table.insert(self.loading, worker)
  return worker
end

local function give_up(self)
  dismiss(self, self.loading, false)
  self.loading = nil
end

--- Has the next version of the script loaded with other options; until it is, failed workers are
-- replaced with those of now.
-- @tparam string options as for @{new}
function WorkerPool:use_options(options)
  self.next_options = options
end

--- Starts to load the current script; the present workers continue meanwhile. Aborts the loading of
-- a version that is not ready.
function WorkerPool:load()
  if self.loading then
    give_up(self)
  end
  self.loading, self.ready, self.began = {}, 0, core.steady_time()
end

--- Seconds since the loading started.
-- @treturn ?number seconds; nil if nothing is loaded
function WorkerPool:loading_since()
  return self.loading and core.steady_time() - self.began
end

-- The first worker alone, so that a script that does not load is logged once.
local function start_more(self)
  local needed = self.ready == 0 and 1 or self.count
  while #self.loading < needed do
    local worker, problem = add_loading(self)
    if not worker then
      return problem
    end
  end
end

--- Continues the loading. Once all workers of the new version have loaded it, they replace the
-- previous ones, which finish their running handlers.
-- @tparam number timeout maximum seconds to wait for it
-- @treturn ?string "loaded", "failed", or nil: there is nothing to say yet
-- @treturn ?string the actions that the script handles, or why it does not load
function WorkerPool:step(timeout)
  close_ended(self)
  if not self.loading then
    return nil
  end
  local problem = start_more(self)
  while not problem and self.ready < #self.loading do
    local actions, files
    actions, problem, files = self.loading[self.ready + 1]:wait_ready(timeout)
    if actions == false then
      return nil
    elseif actions then
      self.ready, self.actions, self.files = self.ready + 1, actions, files
      problem = start_more(self)
    end
  end
  if problem then
    give_up(self)
    return "failed", redact.identity(problem)
  end
  dismiss(self, self.active, true)
  dismiss(self, self.replacing, false)
  self.active, self.replacing, self.blocked, self.loading = self.loading, {}, {}, nil
  self.options, self.next_options = self.next_options or self.options, nil
  return "loaded", self.actions
end

-- Removes failed workers; returns the lines to log.
local function remove_failed(self)
  local problems = {}
  for at = #self.active, 1, -1 do
    local ended, problem = self.active[at]:join(0)
    if ended ~= false then
      local worker = table.remove(self.active, at)
      self.blocked[worker] = nil
      worker:close()
      table.insert(self.failures, core.steady_time())
      problems[#problems + 1] = "worker failed: "
        .. redact.identity(problem or "its thread has ended")
    end
  end
  return problems
end

-- How many blocked workers may be replaced: the replacements can block as well, so that there are
-- at most twice as many workers as configured. Returns this number and that of the blocked ones.
local function replaceable(self)
  local max, count = self.count, 0
  for _, entry in ipairs(self.leaving) do
    max = max - (entry.is_blocked and 1 or 0)
  end
  for _ in pairs(self.blocked) do
    count = count + 1
  end
  return math.max(0, math.min(max, count)), count
end

-- Finds workers that are blocked by their script; logs each once.
local function find_blocked(self, problems)
  for _, worker in ipairs(self.active) do
    local seconds, label = worker:blocked()
    local is_blocked = seconds ~= nil and seconds > self.max_blocked
    local is_new = is_blocked and not self.blocked[worker]
    self.blocked[worker] = is_blocked or nil
    if is_new then
      local may_have, count = replaceable(self)
      problems[#problems + 1] = string.format(
        "worker blocked for %.0f s by %s; %s", seconds, label:gsub("  +", " "),
        may_have == count and "starting a replacement"
          or "no replacement: the maximum of workers is blocked already")
    end
  end
end

local function begin_replacing(self, problems)
  while #self.active - replaceable(self) + #self.replacing < self.count do
    local worker, problem = host.start("palenca.host.worker", self.options, self.store)
    if not worker then
      problems[#problems + 1] = problem
      return
    end
    table.insert(self.replacing, worker)
  end
end

-- A blocked worker ends once its script returns. If it has returned already, a surplus worker ends.
local function drain_surplus(self)
  if #self.active <= self.count then
    return
  end
  local at = #self.active
  for i, worker in ipairs(self.active) do
    at = self.blocked[worker] and i or at
  end
  local worker = table.remove(self.active, at)
  worker:ask("drain")
  table.insert(self.leaving, { worker = worker, loaded = true, deadline = math.huge,
    is_blocked = self.blocked[worker] })
  self.blocked[worker] = nil
end

local function end_replacing(self, problems)
  for at = #self.replacing, 1, -1 do
    local actions, problem = self.replacing[at]:wait_ready(0)
    if actions then
      table.insert(self.active, table.remove(self.replacing, at))
      self.replaced = self.replaced + 1
      drain_surplus(self)
    elseif problem then
      table.remove(self.replacing, at):close()
      problems[#problems + 1] = "worker replacement failed: " .. redact.identity(problem)
      self.replace_at = core.steady_time() + REPLACE_AGAIN
    end
  end
end

--- Whether a worker is being replaced, or has failed recently.
function WorkerPool:is_replacing()
  return #self.replacing > 0 or #self.failures > 0
end

-- A blocked one that was replaced is blocked until its script returns.
local function count_workers(self)
  local blocked = 0
  for _, entry in ipairs(self.leaving) do
    blocked = blocked + (entry.is_blocked and 1 or 0)
  end
  for _ in pairs(self.blocked) do
    blocked = blocked + 1
  end
  host.metrics.workers(#self.active, blocked, self.replaced)
  self.replaced = 0
end

--- Replaces workers that have failed or are blocked.
-- @treturn {string,...} the lines to log
-- @treturn boolean whether to give up: workers fail too often, or none is left and the script does
-- not load
function WorkerPool:replace_failed()
  local problems = remove_failed(self)
  find_blocked(self, problems)
  local now = core.steady_time()
  while self.failures[1] and self.failures[1] < now - FAILURES_WITHIN do
    table.remove(self.failures, 1)
  end
  if now >= self.replace_at then
    begin_replacing(self, problems)
  end
  end_replacing(self, problems)
  count_workers(self)
  local is_empty = #self.active + #self.replacing == 0
  return problems, #self.failures > FAILURES_MAX or is_empty
end

--- Lets the workers start no handler any more; running handlers continue.
function WorkerPool:ask_drain()
  if self.loading then
    give_up(self)
  end
  dismiss(self, self.active, true)
  dismiss(self, self.replacing, false)
  self.active, self.replacing = {}, {}
end

--- Waits for the running handlers, until the drain timeout.
-- @tparam function on_wait called again and again meanwhile; true ends the waiting
-- @treturn boolean whether all have ended
function WorkerPool:drain(on_wait)
  local deadline = core.steady_time() + self.drain_timeout
  for _, entry in ipairs(self.leaving) do
    while entry.loaded and entry.worker:join(0.05) == false do
      if core.steady_time() >= deadline or on_wait() then
        return false
      end
    end
  end
  return true
end

--- Ends all remaining workers.
-- @treturn boolean whether every thread has come back; they are closed then
function WorkerPool:finish()
  local deadline = core.steady_time() + STOP_TIMEOUT
  for _, entry in ipairs(self.leaving) do
    entry.worker:ask("stop")
  end
  for _, entry in ipairs(self.leaving) do
    if entry.worker:join(math.max(0, deadline - core.steady_time())) == false then
      return false
    end
  end
  close_ended(self)
  return true
end

return worker_pool
