--- Plays the events of `palenca shadow`, on a thread of its own.
-- @module palenca.host.cli.shadow_run
local host = require("palenca.host")
local json = require("palenca.util.json")
local output = require("palenca.host.cli.output")
local shadow = require("palenca.host.shadow")
local shadow_format = require("palenca.host.cli.shadow_format")
local user_error = require("palenca.host.user_error")

-- The script has others in their places.
local stdout, stderr = io.stdout, io.stderr

-- Seconds between two lines of progress.
local PROGRESS = 0.25

-- On a terminal only: the line is written over until the end.
local function show_progress(self, recorded, is_last)
  local now = host.unix_time()
  if self.is_terminal and (is_last or now - self.shown_at >= PROGRESS) then
    self.shown_at = now
    self.is_shown = not is_last
    stderr:write(is_last and "\r\27[K" or ("\rplaying event %d of %d\27[K"):format(recorded.at,
      recorded.total))
  end
end

local function count(self, before, now)
  local row = self.matrix[before] or {}
  self.matrix[before] = row
  row[now] = (row[now] or 0) + 1
end

-- At once, and not when all are played: they would take of the memory of the script.
local function show_change(self, change)
  if self.is_shown then
    show_progress(self, nil, true)
  end
  output.line_to((self.as_json and shadow_format.object or shadow_format.line)(change), stdout)
end

local function add(self, result)
  if result.reason then
    self.reasons[result.reason] = self.reasons[result.reason] or json.array({})
    table.insert(self.reasons[result.reason], result.id)
    return
  end
  self.played = self.played + 1
  count(self, result.before, result.now)
  if result.change then
    result.change.event_id = result.id
    local kind = result.before ~= result.now and "other_outcomes"
      or result.now == "failed" and "other_errors" or "other_verdicts"
    self[kind] = self[kind] + 1
    show_change(self, result.change)
  end
end

local function play_all(self, options, player)
  local filter = { since = options.since, ["until"] = options["until"], limit = options.limit }
  local ok, problem = host.recordings.list(options.db, filter, function(recorded)
    if host.own_thread.requested() == "stop" then
      user_error("stopped after %d of %d events", recorded.at - 1, recorded.total)
    end
    show_progress(self, recorded)
    self.total = recorded.total
    add(self, player:run(recorded))
  end)
  show_progress(self, nil, true)
  if not ok then
    user_error("%s", problem)
  end
end

--- Plays them, and shows those that changed; the details of what is ready are a JSON object:
-- `total`, `played`, `matrix` (old outcome → new outcome → how many), `other_outcomes`,
-- `other_verdicts`, `other_errors`, `reasons` (why events were not played → their ids), `not_sent`
-- (requests of palenca.http), or `is_closed`: nobody reads what is shown.
-- @tparam string text the options as JSON: those of `palenca.host.shadow`, `db`, `since`, `until`
-- (Unix seconds, or nil), `limit`, `is_terminal`, `as_json`
return function(text)
  local options = json.decode(text)
  local player = shadow.new(options)
  local self = {
    is_terminal = options.is_terminal,
    as_json = options.as_json,
    is_shown = false, -- the progress
    shown_at = 0,
    total = 0,
    played = 0,
    matrix = {},
    other_outcomes = 0,
    other_verdicts = 0,
    other_errors = 0,
    reasons = {},
  }
  local ok, problem = pcall(play_all, self, options, player)
  if not ok and not output.is_closed(problem) then
    error(problem, 0)
  end
  host.own_thread.ready("", json.encode({
    total = self.total,
    played = self.played,
    matrix = self.matrix,
    other_outcomes = self.other_outcomes,
    other_verdicts = self.other_verdicts,
    other_errors = self.other_errors,
    reasons = self.reasons,
    not_sent = player:not_sent(),
    is_closed = not ok,
  }))
end
