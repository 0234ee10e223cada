--- Formats stored events: as a line, a JSON object, or a page with all there is.
-- @module palenca.host.cli.events_format
local attempt_log = require("palenca.host.attempt_log")
local byte_size = require("palenca.host.cli.byte_size")
local host = require("palenca.host")
local json = require("palenca.util.json")
local redact = require("palenca.util.redact")
local terminal = require("palenca.host.cli.terminal")
local time_argument = require("palenca.host.cli.time_argument")

local events_format = {}

local function encode(fields)
  return redact.escape_json(json.canonical(fields))
end

-- Before the state, which may be in color, and from there on.
local BEFORE, STATE, BEHIND = "%-14s  %-20s  ", "%-8s", "  %8s  %-13s  %-8s  %-36s  %s"

local function join(before, state, behind)
  return (before .. state .. behind:gsub(" +$", ""))
end

--- The heading above the lines.
-- @treturn string
function events_format.heading()
  return join(BEFORE:format("ID", "RECEIVED"), STATE:format("STATE"),
    BEHIND:format("ATTEMPTS", "ACTION", "PLATFORM", "ACCOUNT", "ERROR"))
end

--- One line for a person: the time without its milliseconds, the error in one line.
-- @tparam table event as `host.events.list` returns it
-- @tparam boolean has_color whether the state is shown in color
-- @treturn string
function events_format.line(event, has_color)
  local received_at = time_argument.text(event.received_at):gsub("%.%d+Z$", "Z")
  local remark = (event.error or ""):gsub("%s+", " ")
  if event.replays > 0 then
    remark = ("replays %d  %s"):format(event.replays, remark)
  end
  local behind = BEHIND:format(event.attempts, redact.name(event.action),
    redact.name(event.platform) or "-", redact.name(event.account_id) or "-", remark)
  return join(BEFORE:format(event.id, received_at),
    terminal.paint(STATE:format(event.state), event.state, has_color),
    redact.escape_line(behind))
end

--- The same as an object.
-- @tparam table event as `host.events.list` returns it
-- @treturn string
function events_format.object(event)
  return encode({
    id = event.id,
    action = redact.name(event.action),
    account_id = redact.name(event.account_id),
    platform = redact.name(event.platform),
    state = event.state,
    attempts = event.attempts,
    replays = event.replays > 0 and event.replays or nil,
    received_at = time_argument.text(event.received_at),
    error = event.error,
  })
end

-- What the sender has written: action, account and body.
local function received(event, raw)
  if raw then
    return event.action, event.account_id, event.body
  end
  return redact.name(event.action), redact.name(event.account_id), redact.identity(event.body)
end

local function time_of(seconds)
  return seconds and time_argument.text(seconds)
end

-- What the handlers of an attempt have logged.
local function lines_of(attempt, raw)
  return attempt.lines and (raw and attempt.lines or redact.identity(attempt.lines))
end

local function attempt_objects(event, raw)
  local list = {}
  for i, attempt in ipairs(event.history) do
    list[i] = {
      replay = attempt.replay,
      attempt = attempt.attempt,
      started_at = time_of(attempt.started_at),
      ms = attempt.seconds and math.floor(attempt.seconds * 1000 + 0.5),
      outcome = attempt.outcome,
      error = attempt.error,
      lines = attempt_log.list(lines_of(attempt, raw)),
      lines_left_out = attempt.lines_left_out,
    }
  end
  return json.array(list)
end

--- All of an event as an object.
-- @tparam table event as `host.events.show` returns it, and `history`, its attempts as
-- `host.events.attempts` returns them
-- @tparam boolean raw with identity numbers
-- @treturn string
function events_format.whole_object(event, raw)
  local action, account_id, body = received(event, raw)
  return encode({
    id = event.id,
    action = action,
    account_id = account_id,
    platform = redact.name(event.platform),
    state = event.state,
    attempts = event.attempts,
    replays = event.replays,
    received_at = time_argument.text(event.received_at),
    retry_at = time_of(event.due_at),
    finished_at = time_of(event.finished_at),
    error = event.error,
    history = attempt_objects(event, raw),
    body = body,
  })
end

local INDENT = (" "):rep(13)

-- Its further lines are indented: unindented, they could pass for other fields.
local function indented(text)
  return (redact.escape_line(text, true):gsub("\n", "\n" .. INDENT))
end

local function add_attempt(lines, attempt, raw)
  local took = attempt.seconds and (" after %.3f s"):format(attempt.seconds) or ""
  lines[#lines + 1] = ("%-12s %s  %s%s%s%s"):format("attempt " .. attempt.attempt,
    time_of(attempt.started_at) or "-", attempt.outcome, took,
    attempt.replay > 0 and (" (replay %d)"):format(attempt.replay) or "",
    attempt.error and ": " .. indented(attempt.error) or "")
  if attempt.lines_left_out > 0 then
    lines[#lines + 1] = ("%s| […] (%d lines are left out)"):format(INDENT, attempt.lines_left_out)
  end
  local text = lines_of(attempt, raw)
  if text then
    lines[#lines + 1] = INDENT .. "| " .. indented(text):gsub("\n" .. INDENT, "%0| ")
  end
end

--- All of an event for a person.
-- @tparam table event as for @{whole_object}
-- @tparam boolean raw with identity numbers
-- @treturn string
function events_format.page(event, raw)
  local lines = {}
  local action, account_id, body = received(event, raw)
  local function add(name, value)
    if value then
      lines[#lines + 1] = redact.escape_line(string.format("%-12s %s", name, value))
    end
  end
  add("id", event.id)
  add("action", action)
  add("account", account_id or "-")
  add("platform", redact.name(event.platform) or "-")
  add("state", event.state)
  add("attempts", event.attempts)
  add("replays", event.replays)
  add("received at", time_argument.text(event.received_at))
  add("retry at", time_of(event.due_at))
  add("finished at", time_of(event.finished_at))
  add("to retry", event.state == "dead" and ("palenca events replay %s, or 'palenca events "
    .. "retry-dead' for all dead ones"):format(event.id))
  if event.error then
    lines[#lines + 1] = "error        " .. indented(event.error)
  end
  for _, attempt in ipairs(event.history) do
    add_attempt(lines, attempt, raw)
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = redact.escape_line(body, true)
  return table.concat(lines, "\n")
end

local STATES = host.events.states

-- By the names that may be shown, of which several actions can have the same.
local function shown_actions(actions)
  local shown = {}
  for action, states in pairs(actions) do
    local name = redact.name(action)
    local sums = shown[name] or {}
    for _, state in ipairs(STATES) do
      sums[state] = (sums[state] or 0) + states[state]
    end
    shown[name] = sums
  end
  return shown
end

--- Counts as an object.
-- @tparam table stats as `host.events.stats` returns them
-- @treturn string
function events_format.stats_object(stats)
  return encode({
    states = stats.states,
    actions = shown_actions(stats.actions),
    oldest_unfinished = time_of(stats.oldest_unfinished),
    file_size = stats.file_size,
    log_size = stats.log_size,
    free_size = stats.free_size,
  })
end

--- Counts for a person.
-- @tparam table stats as `host.events.stats` returns them
-- @treturn string
function events_format.stats_page(stats)
  local lines, actions, shown = {}, {}, shown_actions(stats.actions)
  local function row(name, cells)
    lines[#lines + 1] = redact.escape_line(string.format("%-24s", name)
      .. string.rep("%10s", #STATES):format(table.unpack(cells)))
  end
  local function counts(states)
    local cells = {}
    for i, state in ipairs(STATES) do
      cells[i] = string.format("%d", states[state])
    end
    return cells
  end
  for action in pairs(shown) do
    actions[#actions + 1] = action
  end
  table.sort(actions)
  row("", STATES)
  for _, action in ipairs(actions) do
    row(action, counts(shown[action]))
  end
  row("all", counts(stats.states))
  lines[#lines + 1] = "oldest unfinished        " .. (time_of(stats.oldest_unfinished) or "none")
  lines[#lines + 1] = not stats.log_size
    and "tables                   " .. byte_size.text(stats.file_size)
    or string.format("file                     %s, of which %s are free; log %s",
      byte_size.text(stats.file_size), byte_size.text(stats.free_size),
      byte_size.text(stats.log_size))
  return table.concat(lines, "\n")
end

return events_format
