--- How stored events are shown: a line, a JSON object, or a page with all there is.
-- @module palenca.cli.events_text
local json = require("palenca.json")
local moment = require("palenca.cli.moment")
local redact = require("palenca.redact")
local size = require("palenca.cli.size")

local events_text = {}

--- One line for a person.
-- @tparam table event as `host.events.list` gives it
-- @treturn string
function events_text.line(event)
  local line = string.format("%d  %s  %-8s  attempts %d  %-16s  %s", event.id,
    moment.text(event.received_at), event.state, event.attempts, event.action,
    event.account_id or "-")
  if event.replays > 0 then
    line = line .. "  replays " .. event.replays
  end
  if event.error then
    line = line .. "  " .. redact.identity(event.error):gsub("%s+", " ")
  end
  return redact.line(line)
end

--- The same as an object.
-- @tparam table event as `host.events.list` gives it
-- @treturn string
function events_text.object(event)
  return json.encode({
    id = event.id,
    action = event.action,
    account_id = event.account_id,
    state = event.state,
    attempts = event.attempts,
    replays = event.replays > 0 and event.replays or nil,
    received_at = moment.text(event.received_at),
    error = event.error and redact.identity(event.error),
  })
end

local function body_of(event, raw)
  return raw and event.body or redact.identity(event.body)
end

local function time_of(seconds)
  return seconds and moment.text(seconds)
end

--- All of an event as an object.
-- @tparam table event as `host.events.show` gives it
-- @tparam boolean raw with identity numbers
-- @treturn string
function events_text.whole_object(event, raw)
  return json.encode({
    id = event.id,
    action = event.action,
    account_id = event.account_id,
    state = event.state,
    attempts = event.attempts,
    replays = event.replays,
    received_at = moment.text(event.received_at),
    retry_at = time_of(event.due_at),
    finished_at = time_of(event.finished_at),
    error = event.error and redact.identity(event.error),
    body = body_of(event, raw),
  })
end

--- All of an event for a person.
-- @tparam table event as `host.events.show` gives it
-- @tparam boolean raw with identity numbers
-- @treturn string
function events_text.page(event, raw)
  local lines = {}
  local function add(name, value)
    if value then
      lines[#lines + 1] = redact.line(string.format("%-12s %s", name, value))
    end
  end
  add("id", event.id)
  add("action", event.action)
  add("account", event.account_id or "-")
  add("state", event.state)
  add("attempts", event.attempts)
  add("replays", event.replays)
  add("received at", moment.text(event.received_at))
  add("retry at", time_of(event.due_at))
  add("finished at", time_of(event.finished_at))
  if event.error then
    lines[#lines + 1] = "error        " .. redact.clean(event.error, true)
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = redact.line(body_of(event, raw), true)
  return table.concat(lines, "\n")
end

local STATES = { "received", "running", "retry", "done", "dead" }

--- Counts as an object.
-- @tparam table stats as `host.events.stats` gives them
-- @treturn string
function events_text.stats_object(stats)
  return json.encode({
    states = stats.states,
    actions = stats.actions,
    oldest_unfinished = time_of(stats.oldest_unfinished),
    file_size = stats.file_size,
    log_size = stats.log_size,
    free_size = stats.free_size,
  })
end

--- Counts for a person.
-- @tparam table stats as `host.events.stats` gives them
-- @treturn string
function events_text.stats_page(stats)
  local lines, actions = {}, {}
  local function row(name, cells)
    lines[#lines + 1] = redact.line(string.format("%-24s", name)
      .. string.rep("%10s", #STATES):format(table.unpack(cells)))
  end
  local function counts(states)
    local cells = {}
    for i, state in ipairs(STATES) do
      cells[i] = string.format("%d", states[state])
    end
    return cells
  end
  for action in pairs(stats.actions) do
    actions[#actions + 1] = action
  end
  table.sort(actions)
  row("", STATES)
  for _, action in ipairs(actions) do
    row(action, counts(stats.actions[action]))
  end
  row("all", counts(stats.states))
  lines[#lines + 1] = "oldest unfinished        " .. (time_of(stats.oldest_unfinished) or "none")
  lines[#lines + 1] = string.format("file                     %s, of which %s are free; log %s",
    size.text(stats.file_size), size.text(stats.free_size), size.text(stats.log_size))
  return table.concat(lines, "\n")
end

return events_text
