--- palenca.log, for users' scripts: writes a line of JSON on standard error for each entry. It is
-- also the only place in Lua that encodes lines of the log.
-- @module palenca.log
local argcheck = require("palenca.util.argcheck")
local cached_date = require("palenca.util.cached_date")
local json = require("palenca.util.json")
local number_text = require("palenca.util.number_text")
local redact = require("palenca.util.redact")
local shown = require("palenca.util.shown")

local log = {}

-- A longer line is truncated, field by field: log readers have limits, too, and unread lines
-- are buffered up to a limit.
local LINE_MAX = 256 * 1024
local FIELD_MAX = 32 * 1024

local function write_line(line)
  io.stderr:write(line)
end

--- Sets another writer than standard error, for programs that run scripts.
-- @tparam function writer called with complete lines, and their level
-- @treturn function the one before
function log.use_writer(writer)
  local before = write_line
  write_line = writer
  return before
end

--- Truncates a text that is too long, with a note of its size.
-- @tparam string text
-- @tparam ?integer max bytes; default: those of a line
-- @treturn string
function log.truncate(text, max)
  max = max or LINE_MAX
  if #text <= max then
    return text
  end
  local kept = text:sub(1, max):gsub("[\192-\255][\128-\191]*$", "")
  return string.format("%s […] (truncated: %d bytes)", kept, #text)
end

-- Logging must not raise, even if a method of the value does.
local function show(value)
  local ok, text = pcall(tostring, value)
  return ok and text or "a " .. type(value) .. " that cannot be shown"
end

local current_time = cached_date("!%Y-%m-%dT%H:%M:%SZ")

-- The fields in the order of their names, whatever order a table has in this run; with slashes as
-- palenca.json writes them.
local function encode_sorted(entry)
  return (json.canonical(entry):gsub("/", "\\/"))
end

local function encode_rest(entry)
  local ok, line = pcall(encode_sorted, entry)
  if ok then
    return line
  end
  -- values that JSON does not have (NaN, a function) are described
  for name, value in pairs(entry) do
    if not pcall(json.canonical, value) then
      entry[name] = show(value)
    end
  end
  return encode_sorted(entry)
end

local function encode_value(value)
  if type(value) == "string" and value:find("^[%w_.:-]+$") then
    return '"' .. value .. '"'
  end
  return encode_rest({ value }):sub(2, -2)
end

-- Each line begins with its time, its level and its kind, whatever else is in it.
local function encode(entry)
  local time, level, event = entry.time, entry.level, entry.event
  entry.time, entry.level, entry.event = nil, nil, nil
  local rest = next(entry) ~= nil and "," .. encode_rest(entry):sub(2) or "}"
  entry.time, entry.level, entry.event = time, level, event
  return '{"time":' .. encode_value(time) .. ',"level":' .. encode_value(level) .. ',"event":'
    .. encode_value(event) .. rest
end

local function cut_fields(entry)
  for name, value in pairs(entry) do
    local text = type(value) == "table" and json.encode(value) or value
    if type(text) == "string" and #text > FIELD_MAX then
      entry[name] = log.truncate(text, FIELD_MAX)
    end
  end
end

--- Encodes an entry as a line of JSON, which begins with the current `time`, the level `info` and
-- the event `message`, unless it has others: all such lines of Lua are made here. Is it too long,
-- its long fields are truncated, with `truncated`, its size in bytes; with too many fields, its
-- truncated text is the `message`.
-- @tparam table entry the fields, which may be changed
-- @treturn string the line, without its end
function log.encode(entry)
  if entry.time == nil then
    entry.time = current_time()
  end
  entry.level, entry.event = entry.level or "info", entry.event or "message"
  local line = encode(entry)
  local size = #line
  if size > LINE_MAX then
    cut_fields(entry)
    entry.truncated = size
    line = encode(entry)
  end
  if #line > LINE_MAX then
    line = encode({ time = log.truncate(show(entry.time), FIELD_MAX), level = entry.level,
      event = log.truncate(show(entry.event), FIELD_MAX), truncated = size,
      message = log.truncate(line, FIELD_MAX) })
  end
  return redact.escape_json(line)
end

-- The levels, by their rank.
local ranks = { info = 1, warning = 2, error = 3 }
local min_rank = 1

--- Sets the lowest level that is written.
-- @tparam string level `info`, `warning` or `error`
function log.use_level(level)
  min_rank = ranks[level]
end

--- Whether entries of a level are written.
-- @tparam string level
-- @treturn boolean
function log.is_written(level)
  return ranks[level] >= min_rank
end

local context

--- Sets what says on whose behalf code runs.
-- @tparam ?function of returns nil, or a table whose `traceparent` and `request_id` are added to
-- entries without them
function log.use_context(of)
  context = of
end

local function add_context(entry)
  local found = context and context()
  if found then
    entry.traceparent = entry.traceparent or found.traceparent
    entry.request_id = entry.request_id or found.request_id
  end
end

-- An object that has a text of its own, or no fields of its own, is not written field by field.
local function is_plain(value)
  local metatable = getmetatable(value)
  return metatable == nil or json.is_array(value) or type(metatable) == "table"
    and rawget(metatable, "__tostring") == nil and rawget(metatable, "__pairs") == nil
end

local function write(name, level, fields)
  argcheck.dot("palenca.log." .. name, fields, 3)
  if type(fields) == "string" then
    fields = { message = fields }
  elseif type(fields) ~= "table" then
    error("palenca.log takes a table or a string, got " .. shown(fields), 3)
  end
  if not log.is_written(level) then
    return
  end
  local entry = { event = "script" }
  for field, value in pairs(fields) do
    field = type(field) == "number" and number_text.text(field) or show(field)
    if type(value) == "table" and is_plain(value) then
      entry[field] = value
    elseif type(value) == "number" or type(value) == "boolean" or value == json.null then
      entry[field] = value
    else
      entry[field] = show(value)
    end
  end
  entry.level = level
  add_context(entry)
  write_line(log.encode(entry) .. "\n", level)
end

--- Logs an entry. Nothing is masked: do not log identity numbers and keys.
-- @tparam table|string fields the entry's fields, or its message
function log.info(fields)
  write("info", "info", fields)
end

--- Logs a warning.
-- @tparam table|string fields as for @{info}
function log.warn(fields)
  write("warn", "warning", fields)
end

--- Logs an error.
-- @tparam table|string fields as for @{info}
function log.error(fields)
  write("error", "error", fields)
end

return log
