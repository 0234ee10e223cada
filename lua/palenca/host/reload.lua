--- Reloads a served script when it or one of its modules changes, or when asked to.
-- @module palenca.host.reload
local core = require("palenca.core")
local event_log = require("palenca.host.event_log")
local event_names = require("palenca.host.event_names")
local host = require("palenca.host")
local redact = require("palenca.util.redact")

local Reload = {}
Reload.__index = Reload

local reload = {}

-- Editors and `git checkout` write several files, or one in several goes.
local QUIET = 0.1
-- After so long somebody wonders what has become of the change.
local LONG = 5

--- Stands ready to reload a script.
-- @tparam string path of its file
-- @tparam WorkerPool workers which run it
-- @tparam ?boolean watch whether to do so when it changes
-- @treturn Reload
-- @treturn ?string why it cannot be watched
function reload.new(path, workers, watch)
  local watcher, problem
  if watch then
    watcher, problem = host.watch(path)
  end
  return setmetatable({ path = path, workers = workers, watcher = watcher }, Reload), problem
end

--- Loads the script anew.
function Reload:ask()
  self.due = core.steady_time()
end

--- Begins to load the script anew if the time for it has come.
function Reload:begin()
  if self.due and core.steady_time() >= self.due then
    self.due, self.is_slow_logged = nil, false
    self.workers:load()
  end
end

--- Watches the modules as well that the script has required.
function Reload:follow()
  if self.watcher then
    self.watcher:follow(self.workers.files)
  end
end

--- Whether nothing is to be expected of @{step} before somebody asks.
function Reload:is_idle()
  return not (self.watcher or self.due or self.workers:loading_since())
end

local function log_outcome(self, outcome, detail)
  if outcome == "loaded" then
    event_log.line(string.format("%s reloaded: %s", self.path, detail ~= "" and "handles " .. detail
      or "handles no event (palenca.on is never called)"),
    { event = "reloaded", script = self.path, handlers = detail })
    event_names.warn_of_list(self.path, detail)
  elseif outcome == "failed" then
    local problem = redact.clean(detail, true)
    event_log.line(string.format("%s was not reloaded, the version before goes on: %s", self.path,
      problem), { event = "reload_failed", script = self.path, error = problem })
  end
end

local function log_if_slow(self)
  local since = self.workers:loading_since()
  if since and since > LONG and not self.is_slow_logged then
    self.is_slow_logged = true
    event_log.line(self.path .. " is still being loaded, the version before goes on",
      { event = "reload_slow", script = self.path })
  end
end

--- Looks once for what has changed and how far the loading is; to be called again and again.
function Reload:step()
  if self.watcher and self.watcher:changed() then
    self.due = core.steady_time() + QUIET
  else
    self:begin()
  end
  local outcome, detail = self.workers:step(0)
  if outcome == "loaded" then
    self:follow()
  end
  log_outcome(self, outcome, detail)
  log_if_slow(self)
end

return reload
