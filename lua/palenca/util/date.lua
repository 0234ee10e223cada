--- Days of the calendar, without the machine's clock or time zone.
-- @module palenca.util.date
local date = {}

local DAYS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

--- The number of a month's days.
-- @tparam number year such as 2025
-- @tparam number month 1 to 12
-- @treturn number 0 if there is no such month
function date.last_day(year, month)
  local leap = month == 2 and year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  return (DAYS[month] or 0) + (leap and 1 or 0)
end

--- Reads a date.
-- @param text YYYY-MM-DD
-- @treturn ?number the year; nil if there is no such day
-- @treturn ?number the month
-- @treturn ?number the day
function date.parse(text)
  if type(text) ~= "string" then
    return nil
  end
  local year, month, day = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  if not year or day < 1 or day > date.last_day(year, month) then
    return nil
  end
  return year, month, day
end

return date
