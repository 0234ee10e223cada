--- A script's own log: a line of JSON on standard error for each entry.
-- @module palenca.log
local json = require("palenca.json")
local number = require("palenca.number")
local redact = require("palenca.redact")

local log = {}

local function write_line(line)
  io.stderr:write(line)
end

--- Has the lines go elsewhere than to standard error, for who runs scripts.
-- @tparam function writer called with whole lines
function log.use_writer(writer)
  write_line = writer
end

local function write(level, fields)
  if type(fields) == "string" then
    fields = { message = fields }
  elseif type(fields) ~= "table" then
    error("palenca.log takes a table or a string, got " .. type(fields), 3)
  end
  local entry = { time = os.date("!%Y-%m-%dT%H:%M:%SZ"), level = level }
  for name, value in pairs(fields) do
    name = number.text(name)
    if type(value) == "table" and (json.is_array(value) or not getmetatable(value)) then
      entry[name] = value
    elseif type(value) == "number" or type(value) == "boolean" or value == json.null then
      entry[name] = value
    else
      entry[name] = tostring(value)
    end
  end
  local ok, line = pcall(json.encode, entry)
  if not ok then
    -- a log must not be what fails: what JSON cannot say (NaN, a function) is put in words
    for name, value in pairs(entry) do
      if not pcall(json.encode, value) then
        entry[name] = tostring(value)
      end
    end
    line = json.encode(entry)
  end
  write_line(redact.bytes(line) .. "\n")
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
