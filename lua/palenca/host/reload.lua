--- Reloads a served script when it or one of its modules changes, or when asked to.
-- @module palenca.host.reload
local core = require("palenca.core")
local event_names = require("palenca.host.event_names")
local host = require("palenca.host")
local program_log = require("palenca.host.program_log")
local service_manager = require("palenca.host.service_manager")

local Reload = {}
Reload.__index = Reload

local reload = {}

-- Seconds without a change before a reload: editors and `git checkout` write several files, or one
-- in several steps.
local QUIET = 0.1
-- Seconds after which a slow reload is logged.
local LONG = 5

--- Prepares the reloads of a script.
-- @tparam string path of its file
-- @tparam WorkerPool workers which run it
-- @tparam ?boolean watch whether to reload when it changes
-- @treturn Reload
-- @treturn ?string why it cannot be watched
function reload.new(path, workers, watch)
  local watcher, problem
  if watch then
    watcher, problem = host.watch(path)
  end
  return setmetatable({ path = path, workers = workers, watcher = watcher }, Reload), problem
end

--- Requests a reload.
function Reload:ask()
  self.due = core.steady_time()
end

--- Starts a reload if one is due.
function Reload:start()
  if self.due and core.steady_time() >= self.due then
    self.due, self.is_slow_logged = nil, false
    service_manager.reloading()
    self.workers:load()
  end
end

--- Watches the modules that the script has required, too.
function Reload:follow()
  if self.watcher then
    self.watcher:follow(self.workers.files)
  end
end

--- Whether @{step} has nothing to do until a reload is requested.
function Reload:is_idle()
  return not (self.watcher or self.due or self.workers:loading_since())
end

local function log_outcome(self, outcome, detail)
  if outcome == "loaded" then
    program_log.line(string.format("%s reloaded: %s", self.path,
      detail ~= "" and "handles " .. detail or "handles no event (palenca.on is never called)"),
    { event = "reloaded", script = self.path, handlers = detail })
    service_manager.ready("reloaded " .. self.path)
    event_names.warn_of_list(self.path, detail)
  elseif outcome == "failed" then
    program_log.line(string.format("reload of %s failed, keeping the previous version: %s",
      self.path, detail), { event = "reload_failed", level = "error",
      script = self.path, error = detail })
    service_manager.ready("reload of " .. self.path .. " failed, keeping the previous version")
  end
end

local function log_if_slow(self)
  local since = self.workers:loading_since()
  if since and since > LONG and not self.is_slow_logged then
    self.is_slow_logged = true
    program_log.line("reload of " .. self.path .. " is slow, the previous version keeps running",
      { event = "reload_slow", level = "warning", script = self.path })
  end
end

--- Checks once for changes and for the progress of a reload; to be called repeatedly.
function Reload:step()
  if self.watcher and self.watcher:changed() then
    self.due = core.steady_time() + QUIET
  else
    self:start()
  end
  local outcome, detail = self.workers:step(0)
  if outcome == "loaded" then
    self:follow()
  end
  log_outcome(self, outcome, detail)
  log_if_slow(self)
end

return reload
