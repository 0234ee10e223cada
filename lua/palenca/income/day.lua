--- Days of this century as numbers: 0 is 2000-01-01, and the next day is one more.
-- @module palenca.income.day
local byte, floor, format = string.byte, math.floor, string.format

local day = {}

local LAST = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
local LEAP_LAST = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
local SATURDAY = 5 -- what 2000-01-01 was; Monday is 0

--- What is expected of a date, for messages.
day.EXPECTED = "a date, YYYY-MM-DD, of 2000 to 2099"

-- The day before the first of each month, by year. In this century every fourth year is leap.
local before = {}
do
  local number = -1
  for year = 0, 99 do
    before[year] = {}
    for month = 1, 12 do
      before[year][month] = number
      number = number + (year % 4 == 0 and LEAP_LAST or LAST)[month]
    end
  end
end

-- What was read before: histories are full of the same dates, and a century has 36525.
local known = {}

local function read(text)
  if type(text) ~= "string" or #text ~= 10 then
    return nil
  end
  local c2, c0, y1, y2, dash1, m1, m2, dash2, d1, d2 = byte(text, 1, 10)
  if c2 ~= 50 or c0 ~= 48 or dash1 ~= 45 or dash2 ~= 45
    or y1 < 48 or y1 > 57 or y2 < 48 or y2 > 57 or m2 < 48 or m2 > 57 or d2 < 48 or d2 > 57 then
    return nil
  end
  local year, month, number = y1 * 10 + y2 - 528, m1 * 10 + m2 - 528, d1 * 10 + d2 - 528
  local last = (year % 4 == 0 and LEAP_LAST or LAST)[month]
  -- a character that is no digit takes the month or the day beyond its bounds, but for these
  if not last or m1 < 48 or m1 > 49 or d1 < 48 or d1 > 51 or number < 1 or number > last then
    return nil
  end
  return before[year][month] + number
end

--- Reads a date.
-- @param text YYYY-MM-DD, from 2000-01-01 to 2099-12-31
-- @treturn ?integer the day; nil if it is not such a date
function day.parse(text)
  local number = known[text]
  if not number then
    number = read(text)
    if number then
      known[text] = number
    end
  end
  return number
end

--- The parts of a day.
-- @tparam integer number the day
-- @treturn integer the year, such as 2026
-- @treturn integer the month, 1 to 12
-- @treturn integer the day of the month
function day.parts(number)
  local year = floor(number / 365.25)
  if before[year][1] >= number then
    year = year - 1
  elseif year < 99 and before[year + 1][1] < number then
    year = year + 1
  end
  local month = 12
  while before[year][month] >= number do
    month = month - 1
  end
  return 2000 + year, month, number - before[year][month]
end

--- Writes a day as YYYY-MM-DD.
-- @tparam integer number the day
-- @treturn string
function day.text(number)
  return format("%d-%02d-%02d", day.parts(number))
end

--- The last day of a day's month.
-- @tparam integer number the day
-- @treturn integer
function day.month_end(number)
  local year, month = day.parts(number)
  return before[year - 2000][month] + (year % 4 == 0 and LEAP_LAST or LAST)[month]
end

--- The day of the week.
-- @tparam integer number the day
-- @treturn integer 0 for Monday to 6 for Sunday
function day.weekday(number)
  return (number + SATURDAY) % 7
end

return day
