--- A script's own log: a line of JSON on standard error for each entry.
-- @module palenca.log
local json = require("palenca.util.json")
local number = require("palenca.util.number")
local redact = require("palenca.util.redact")

local log = {}

-- A longer line is truncated, field by field: log readers have limits of their own, and what nobody
-- reads is kept up to a bound.
local LINE_MAX = 256 * 1024
local FIELD_MAX = 32 * 1024

local function write_line(line)
  io.stderr:write(line)
end

--- Has the lines go elsewhere than to standard error, for who runs scripts.
-- @tparam function writer called with complete lines
function log.use_writer(writer)
  write_line = writer
end

--- Cuts a text that is too long, and says so in it.
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

-- A log must not be what fails, whatever the value's own methods do.
local function show(value)
  local ok, text = pcall(tostring, value)
  return ok and text or "a " .. type(value) .. " that cannot be shown"
end

local function encode(entry)
  local ok, line = pcall(json.encode, entry)
  if ok then
    return line
  end
  -- what JSON cannot say (NaN, a function) is put in words
  for name, value in pairs(entry) do
    if not pcall(json.encode, value) then
      entry[name] = show(value)
    end
  end
  return json.encode(entry)
end

local function cut_fields(entry)
  for name, value in pairs(entry) do
    local text = type(value) == "table" and json.encode(value) or value
    if type(text) == "string" and #text > FIELD_MAX then
      entry[name] = log.truncate(text, FIELD_MAX)
    end
  end
end

--- Encodes an entry as a line of JSON. If it is too long, its long fields are truncated, with
-- `truncated`, its size in bytes; if it has too many fields, its truncated text is the `message`.
-- @tparam table entry the fields, which may be changed
-- @treturn string the line, without its end
function log.encode(entry)
  local line = encode(entry)
  local size = #line
  if size > LINE_MAX then
    cut_fields(entry)
    entry.truncated = size
    line = encode(entry)
  end
  if #line > LINE_MAX then
    line = json.encode({ time = entry.time, level = entry.level, event = entry.event,
      truncated = size, message = log.truncate(line, FIELD_MAX) })
  end
  return redact.json(line)
end

local function write(level, fields)
  if type(fields) == "string" then
    fields = { message = fields }
  elseif type(fields) ~= "table" then
    error("palenca.log takes a table or a string, got " .. type(fields), 3)
  end
  local entry = { time = os.date("!%Y-%m-%dT%H:%M:%SZ"), level = level }
  for name, value in pairs(fields) do
    name = type(name) == "number" and number.text(name) or show(name)
    if type(value) == "table" and (json.is_array(value) or not getmetatable(value)) then
      entry[name] = value
    elseif type(value) == "number" or type(value) == "boolean" or value == json.null then
      entry[name] = value
    else
      entry[name] = show(value)
    end
  end
  write_line(log.encode(entry) .. "\n")
end

--- Logs an entry. What goes in comes out: keep identity numbers and keys out of it.
-- @tparam table|string fields the entry's fields, or its message
function log.info(fields)
  write("info", fields)
end

--- Logs a warning.
-- @tparam table|string fields as for @{info}
function log.warn(fields)
  write("warn", fields)
end

--- Logs an error.
-- @tparam table|string fields as for @{info}
function log.error(fields)
  write("error", fields)
end

return log
