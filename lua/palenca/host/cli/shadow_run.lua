--- Plays the events of `palenca shadow`, on a thread of its own.
-- @module palenca.host.cli.shadow_run
local host = require("palenca.host")
local json = require("palenca.util.json")
local shadow = require("palenca.host.shadow")
local user_error = require("palenca.host.user_error")

-- Seconds between two lines of progress.
local PROGRESS = 0.25

-- On a terminal only: the line is written over until the end.
local function show_progress(self, recorded, is_last)
  local now = host.unix_time()
  if self.is_terminal and (is_last or now - self.shown_at >= PROGRESS) then
    self.shown_at = now
    io.stderr:write(is_last and "\r\27[K" or ("\rplaying event %d of %d\27[K"):format(recorded.at,
      recorded.total))
  end
end

local function count(self, before, now)
  local row = self.matrix[before] or {}
  self.matrix[before] = row
  row[now] = (row[now] or 0) + 1
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
    table.insert(self.changes, result.change)
  end
end

--- Plays them; the details of what is ready are a JSON object: `total`, `played`, `matrix` (old
-- outcome → new outcome → how many), `changes`, `reasons` (why events were not played → their ids),
-- `not_sent` (requests of palenca.http).
-- @tparam string text the options as JSON: those of `palenca.host.shadow`, `db`, `since`, `until`
-- (Unix seconds, or nil), `limit`, `is_terminal`
return function(text)
  local options = json.decode(text)
  local player = shadow.new(options)
  local self = {
    is_terminal = options.is_terminal,
    shown_at = 0,
    total = 0,
    played = 0,
    matrix = {},
    changes = json.array({}),
    reasons = {},
  }
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
  host.own_thread.ready("", json.encode({
    total = self.total,
    played = self.played,
    matrix = self.matrix,
    changes = self.changes,
    reasons = self.reasons,
    not_sent = player:not_sent(),
  }))
end
