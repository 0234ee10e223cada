--- Writes the program's own log on standard error: lines of text for a terminal, or JSON lines.
-- @module palenca.host.program_log
local cached_date = require("palenca.util.cached_date")
local host = require("palenca.host")
local log = require("palenca.log")
local redact = require("palenca.util.redact")

local program_log = {}

local as_json = false

-- The command that runs, as it stands in what is logged of its failure.
local command

-- Whether a thread writes the lines.
local is_started = false

-- Whether it adds their dates.
local has_dates = false

-- Lines that are buffered until the next flush, and their size in bytes.
local held, size

-- Seconds to wait at exit until the last lines are read.
local FLUSH_TIMEOUT = 2

-- A line is written by one call, so that no other line gets in between.
local PIECE = 4000

-- What each line of a text has before and behind it, where people or the journal read it.
local function decorate(text, level)
  local before, after = host.log_affixes(level)
  if not before then
    return text
  elseif before:find("^<") then -- of the journal, which takes each line by itself
    return before .. text:gsub("\n", "\n" .. before)
  end
  return before .. text .. after
end

--- Chooses between text and JSON.
-- @tparam ?boolean is_json true for JSON
-- @tparam ?string name of the command that runs
-- @tparam ?boolean with_dates the main thread's @{has_dates}
function program_log.use_json(is_json, name, with_dates)
  as_json, command, has_dates = is_json or false, name, with_dates or false
end

--- Lets a thread write the lines: if nobody reads them, they are counted and discarded.
-- To be called once, before other threads are started.
-- @tparam ?boolean with_dates on a terminal each line begins with its date
function program_log.begin(with_dates)
  is_started, has_dates = true, with_dates and host.is_terminal("stderr") and not as_json
  host.log_begin(as_json, has_dates)
end

--- Sets the lowest level that is logged.
-- @tparam ?string level `info` (default), `warning` or `error`
function program_log.use_level(level)
  log.use_level(level or "info")
  host.log_use_level(level or "info")
end

--- Whether each line begins with its date, so that workers leave it out.
-- @treturn boolean
function program_log.has_dates()
  return has_dates
end

--- Waits until the last lines are written, for a limited time.
function program_log.finish()
  is_started = false
  host.log_end(FLUSH_TIMEOUT)
end

--- Logs why a command has failed.
-- @tparam string message
-- @tparam ?string hint a further line, such as where the help is
function program_log.problem(message, hint)
  local line
  if as_json then
    line = log.encode({ event = "error", level = "error", command = command,
      message = message, hint = hint })
  else
    line = string.format("palenca: %s%s", redact.escape_line(log.truncate(message), true),
      hint and "\n" .. hint or "")
  end
  line = decorate(line, "error")
  if is_started then
    host.log_write(line .. "\n")
  else
    io.stderr:write(line .. "\n")
  end
end

--- Keeps lines until @{report.flush} is called: a worker may handle thousands of events a second.
function program_log.hold_lines()
  held, size = {}, 0
end

--- Writes what is kept.
function program_log.flush()
  if held and held[1] then
    local lines = table.concat(held)
    held, size = {}, 0
    host.log_write(lines)
  end
end

local function write(line, level)
  line = decorate(line, level)
  if not held then
    host.log_write(line .. "\n")
    return
  elseif size + #line >= PIECE then
    program_log.flush()
  end
  held[#held + 1] = line
  held[#held + 1] = "\n"
  size = size + #line + 1
end

--- Writes one line to standard error.
-- @tparam ?string text for people; none is needed if there are fields and JSON is written
-- @tparam ?table fields for JSON; without them the text is the `message`
function program_log.line(text, fields)
  local level = fields and fields.level or "info"
  if not log.is_written(level) then
    return
  elseif as_json then
    write(log.encode(fields or { message = text }), level)
  else
    write(redact.escape_line(log.truncate(text), true), level)
  end
end

--- Warns of an account.
-- @tparam string account its id
-- @tparam string text what must be known of it
function program_log.warn_of_account(account, text)
  local message = ("account %s: %s"):format(account, text)
  program_log.line("palenca: warning: " .. message,
    { event = "warning", level = "warning", account_id = account, message = message })
end

--- Writes what a script logs.
-- @tparam string line complete
-- @tparam string level
function program_log.script_line(line, level)
  host.log_write(decorate(line:sub(1, -2), level) .. "\n")
end

--- The label of an event in its log lines.
-- @tparam table event
-- @treturn string
function program_log.label(event)
  return redact.escape_line(string.format(
    "event %d  %-16s %s account %s%s%s",
    event.id,
    redact.name(event.action) or "?",
    redact.name(event.platform) or "-",
    redact.name(event.account_id) or "-",
    event.traceparent and "  trace " .. event.traceparent:sub(4, 35) or "",
    event.request_id and "  request " .. event.request_id or ""
  ))
end

--- The label of a timer in its log lines.
-- @tparam string name
-- @treturn string
function program_log.timer_label(name)
  return redact.escape_line(name)
end

local time_of_day = cached_date("%H:%M:%S")

-- The time of day and a record's label.
local function describe(record)
  return has_dates and record.label or time_of_day() .. "  " .. record.label
end

-- The text of an error. Its further lines are indented: unindented, they could pass for log lines.
local function paragraph(problem)
  return (problem:gsub("\n\t?", "\n\t"))
end

local function fields_of(event, state)
  return {
    event = "handled",
    id = event.id,
    action = redact.name(event.action),
    account_id = redact.name(event.account_id),
    platform = redact.name(event.platform),
    attempt = event.attempt,
    state = state,
    traceparent = event.traceparent,
    request_id = event.request_id,
  }
end

--- Logs an event whose handlers have returned.
-- @tparam table event with its `label` and `handlers`, their number, and maybe `http_failure`
-- @tparam number seconds they took
function program_log.handled(event, seconds)
  if not log.is_written("info") then
    return
  elseif as_json then -- thousands a second: one of the two is made
    local fields = fields_of(event, "done")
    fields.handlers, fields.ms = event.handlers, math.floor(seconds * 1000)
    fields.http_failure = event.http_failure
    program_log.line(nil, fields)
    return
  end
  local what = string.format("done in %.2f s", seconds)
  if event.handlers == 0 then
    what = "no handler for it"
  elseif event.attempt > 1 then
    what = what .. string.format(" (attempt %d)", event.attempt)
  end
  if event.http_failure then
    what = what .. string.format(", although a palenca.http failed (%s)", event.http_failure)
  end
  write(log.truncate(describe(event) .. "  " .. what), "info") -- the label is redacted already
end

--- Logs an event of which a handler has failed.
-- @tparam table event with its `label`
-- @tparam string state `retry`, `dead`, or `abandoned`: what says that an event is dead
-- @tparam ?number wait seconds until it is tried again
-- @tparam string problem what was raised
-- @tparam ?string trace where it was raised
function program_log.failed(event, state, wait, problem, trace)
  local fields = fields_of(event, state)
  fields.error, fields.trace, fields.retry_in = problem, trace, wait
  fields.level = state == "dead" and "error" or "warning"
  local what = state == "dead" and "dead letter"
    or state == "abandoned" and "not called again"
    or string.format("next attempt in %.0f s", wait)
  program_log.line(
    string.format(
      "%s  FAILED (attempt %d), %s: %s%s",
      describe(event),
      event.attempt,
      what,
      paragraph(problem),
      trace and "\n" .. trace or ""
    ),
    fields
  )
end

--- Logs a timer whose function has returned.
-- @tparam table record with its name, `timer`, and its `label`
-- @tparam number seconds it took
function program_log.timed(record, seconds)
  program_log.line(string.format("%s  done in %.2f s", describe(record), seconds),
    { event = "timer", name = record.timer, state = "done", ms = math.floor(seconds * 1000) })
end

--- Logs a timer whose function has failed.
-- @tparam table record with its name, `timer`, and its `label`
-- @tparam string problem what was raised
-- @tparam ?string trace where it was raised
function program_log.timer_failed(record, problem, trace)
  program_log.line(string.format("%s  FAILED: %s%s", describe(record), paragraph(problem),
    trace and "\n" .. trace or ""),
  { event = "timer", name = record.timer, level = "error", state = "failed", error = problem,
    trace = trace })
end

return program_log
