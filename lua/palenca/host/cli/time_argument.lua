--- Parses and writes times in options: a date, a date and time, or how long ago.
-- @module palenca.host.cli.time_argument
local date = require("palenca.util.date")
local host = require("palenca.host")

local time_argument = {}

local UNITS = { s = 1, m = 60, h = 3600, d = 86400 }

local function time_of_day(text)
  local hour, minute, second = text:match("^T(%d%d):(%d%d)Z?$")
  if not hour then
    hour, minute, second = text:match("^T(%d%d):(%d%d):(%d%d%.?%d*)Z?$")
  end
  hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second or "0")
  if hour and hour < 24 and minute < 60 and second < 60 then
    return hour * 3600 + minute * 60 + second
  end
end

--- Reads a time; for argparse.
-- @tparam string text `2026-03-01`, `2026-03-01T12:30`, `2026-03-01T12:30:00Z` (UTC), or `90s`,
-- `15m`, `6h`, `7d` ago
-- @treturn ?number Unix seconds
-- @treturn ?string what is wrong
function time_argument.parse(text)
  local count, unit = text:match("^(%d+)([smhd])$")
  if count then
    return math.max(host.unix_time() - tonumber(count) * UNITS[unit], 0)
  end
  local day = date.parse(text:sub(1, 10))
  local seconds = #text == 10 and 0 or time_of_day(text:sub(11))
  if day and seconds then
    return day * 86400 + seconds
  end
  return nil, string.format("'%s' is not a date (2026-03-01), a time (2026-03-01T12:30:00Z), "
    .. "or how long ago (90s, 15m, 6h, 7d)", text)
end

--- Writes a time.
-- @tparam number seconds Unix time
-- @treturn string in UTC, with milliseconds
function time_argument.text(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%S", math.floor(seconds))
    .. string.format(".%03dZ", math.floor(seconds * 1000) % 1000)
end

return time_argument
