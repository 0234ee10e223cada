--- Shows how far a long command is, how long the rest takes, and what it waits for: a bar on a
-- terminal, else lines in the log.
-- @module palenca.host.cli.progress
local core = require("palenca.core")
local host = require("palenca.host")
local program_log = require("palenca.host.program_log")
local text_layout = require("palenca.util.text_layout")
local time_left = require("palenca.host.cli.time_left")

local Progress = {}
Progress.__index = Progress

local progress = {}

local BAR_WIDTH = 20
-- Seconds between two pictures of the bar.
local INTERVAL = 0.25
-- A shorter wait is not worth a word.
local WAIT_MIN = 1
-- Without a terminal: so many lines for all of it.
local LINES = 10

--- Starts.
-- @tparam table options `total`; `done`, how many were before; `noun`, what is counted; `json`:
-- lines of JSON are written, so that there is no bar
-- @treturn Progress
function progress.new(options)
  return setmetatable({
    total = options.total,
    done = options.done,
    before = options.done,
    started_at = core.steady_time(),
    noun = options.noun,
    width = not options.json and host.terminal_width("stderr") or nil,
    shown_at = 0,
    shown_part = options.done * LINES // math.max(options.total, 1),
  }, Progress)
end

local function count_text(self)
  local left = time_left(self.done - self.before, self.total - self.done,
    core.steady_time() - self.started_at)
  return ("%d of %d %s"):format(self.done, self.total, self.noun) .. (left and ", " .. left or "")
end

local function draw(self)
  local filled = self.done * BAR_WIDTH // math.max(self.total, 1)
  local line = ("[%s%s] %s%s"):format(("#"):rep(filled), ("."):rep(BAR_WIDTH - filled),
    count_text(self), self.reason and "; " .. self.reason or "")
  -- the last column stays free: some terminals would go to the next line
  io.stderr:write("\r", text_layout.truncate(line, math.max(self.width - 1, 1)), "\27[K")
  self.is_drawn = true
end

--- Removes the bar, so that a line may be written.
function Progress:clear()
  if self.is_drawn then
    io.stderr:write("\r\27[K")
    self.is_drawn = false
  end
end

local function log(self, text)
  program_log.line("palenca: " .. text, { event = "progress", done = self.done,
    total = self.total, message = text })
end

--- Counts one that is done.
function Progress:advance()
  self.done = self.done + 1
  local part = self.done * LINES // self.total
  if not self.width and part > self.shown_part then
    self.shown_part = part
    log(self, count_text(self))
  end
end

--- Shows what is waited for; to be called again and again.
-- @tparam ?string reason nil: nothing is waited for
-- @tparam ?number seconds until then
function Progress:update(reason, seconds)
  local now = host.unix_time()
  local due = reason and seconds >= WAIT_MIN and math.floor(now + seconds) or nil
  -- by a second it differs from one time to the next, as seconds are rounded
  local is_new = due and not (self.due and math.abs(due - self.due) <= 1)
  if is_new then
    self.due = due
    self.reason = ("waiting %s until %s"):format(reason, os.date("%H:%M:%S", due))
  elseif not due then
    self.due, self.reason = nil, nil
  end
  if self.width and now - self.shown_at >= INTERVAL then
    self.shown_at = now
    draw(self)
  elseif not self.width and is_new then
    log(self, count_text(self) .. "; " .. self.reason)
  end
end

return progress
