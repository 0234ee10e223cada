--- Parses days in options: a date, or how many days ago; and has the days that are their defaults.
-- @module palenca.host.cli.date_argument
local date = require("palenca.util.date")
local host = require("palenca.host")

local date_argument = {}

--- Reads a date; for argparse.
-- @tparam string text `2026-03-31`
-- @treturn ?string the same
-- @treturn ?string what is wrong
function date_argument.parse(text)
  if not date.parse(text) then
    return nil, string.format("'%s' is not a date, such as 2026-03-31", text)
  end
  return text
end

--- The day that it is now: where it is later, by this machine's calendar or in UTC, which the API
-- counts in.
-- @treturn string
function date_argument.today()
  local here, utc = os.date("%Y-%m-%d"), date.text(date.day_of(host.unix_time()))
  return here > utc and here or utc
end

--- The day before this one, by this machine's calendar.
-- @treturn string
function date_argument.yesterday()
  local now = os.date("*t")
  -- noon, so that the change to summer time cannot shift the day
  local noon = os.time({ year = now.year, month = now.month, day = now.day - 1, hour = 12 })
  return os.date("%Y-%m-%d", noon)
end

--- A day that many days before now.
-- @tparam integer count
-- @treturn string
function date_argument.days_ago(count)
  return date.text(date.parse(date_argument.today()) - count)
end

--- The day of the same number in an earlier month, or that month's last.
-- @tparam string text the later day
-- @tparam integer count months
-- @treturn string
function date_argument.months_before(text, count)
  local year, month, day = date.parts(date.parse(text))
  local total = year * 12 + month - 1 - count
  year, month = total // 12, total % 12 + 1
  return string.format("%04d-%02d-%02d", year, month, math.min(day, date.last_day(year, month)))
end

-- Before it there is no history, and a day has four digits of a year.
local DAYS_MAX = 36500

--- Reads a date, or how many days ago it was; for argparse.
-- @tparam string text `2026-03-31`, or `30d`
-- @treturn ?string the date
-- @treturn ?string what is wrong
function date_argument.parse_since(text)
  local count = tonumber(text:match("^(%d+)d$"))
  if count and count <= DAYS_MAX then
    return date_argument.days_ago(count)
  elseif date.parse(text) then
    return text
  end
  return nil, string.format("'%s' is not a date (2026-03-31), nor how many days ago (30d)", text)
end

return date_argument
