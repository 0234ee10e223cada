--- Converts dates between text and day numbers, which are days since 1970-01-01; by arithmetic
-- alone, without the machine's clock or time zone.
-- @module palenca.util.date
local floor, format = math.floor, string.format

local date = {}

local LAST_DAYS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
local FIRST_OF_CENTURY, LAST_OF_CENTURY = 10957, 47481

-- Histories are full of the same dates; there are no more of a century than 36525.
local known = {}

--- The last day of a month.
-- @tparam number year such as 2025
-- @tparam number month 1 to 12
-- @treturn number 28 to 31; 0 if there is no such month
function date.last_day(year, month)
  local is_leap = month == 2 and year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  return (LAST_DAYS[month] or 0) + (is_leap and 1 or 0)
end

--- The number of a day.
-- @tparam integer year such as 2025
-- @tparam integer month 1 to 12
-- @tparam integer day of the month
-- @treturn integer
function date.number(year, month, day)
  -- years are counted from March, so that the leap day comes last and needs no special case
  if month <= 2 then
    year = year - 1
  end
  local era = floor(year / 400)
  local year_of_era = year - era * 400
  local day_of_year = floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  return era * 146097 + year_of_era * 365 + floor(year_of_era / 4) - floor(year_of_era / 100)
    + day_of_year - 719468
end

--- The parts of a day.
-- @tparam integer number the day's
-- @treturn integer the year, such as 2025
-- @treturn integer the month, 1 to 12
-- @treturn integer the day of the month
function date.parts(number)
  number = number + 719468
  local era = floor(number / 146097)
  local day_of_era = number - era * 146097
  local year_of_era = floor((day_of_era - floor(day_of_era / 1460) + floor(day_of_era / 36524)
    - floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era
    - (365 * year_of_era + floor(year_of_era / 4) - floor(year_of_era / 100))
  local month_from_march = floor((5 * day_of_year + 2) / 153)
  local day = day_of_year - floor((153 * month_from_march + 2) / 5) + 1
  local month = (month_from_march + 2) % 12 + 1
  local year = year_of_era + era * 400
  return month <= 2 and year + 1 or year, month, day
end

local function read(text)
  if type(text) ~= "string" then
    return nil
  end
  local year, month, day = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  if not year or day < 1 or day > date.last_day(year, month) then
    return nil
  end
  return date.number(year, month, day)
end

--- Reads a date.
-- @param text YYYY-MM-DD
-- @treturn ?integer the day's number; nil if there is no such day
function date.parse(text)
  return known[text] or read(text)
end

--- Reads a date from 2000-01-01 to 2099-12-31; faster, if many are the same.
-- @param text YYYY-MM-DD
-- @treturn ?integer the day's number; nil if it is not such a date
function date.parse_in_century(text)
  local number = known[text]
  if not number then
    number = read(text)
    if not number or number < FIRST_OF_CENTURY or number > LAST_OF_CENTURY then
      return nil
    end
    known[text] = number
  end
  return number
end

--- Writes a day as YYYY-MM-DD.
-- @tparam integer number the day's
-- @treturn string
function date.text(number)
  return format("%04d-%02d-%02d", date.parts(number))
end

--- The day of the week.
-- @tparam integer number the day's
-- @treturn integer 1 for Monday to 7 for Sunday
function date.weekday(number)
  return (number + 3) % 7 + 1
end

--- The day that an instant falls on, in UTC.
-- @tparam number seconds Unix time
-- @treturn integer the day's number
function date.day_of(seconds)
  return floor(floor(seconds) / 86400)
end

--- Writes an instant in UTC, to the second, as YYYY-MM-DDThh:mm:ssZ.
-- @tparam number seconds Unix time
-- @treturn string
function date.timestamp(seconds)
  local day = date.day_of(seconds)
  local rest = floor(seconds) - day * 86400
  return format("%sT%02d:%02d:%02dZ", date.text(day), floor(rest / 3600), floor(rest / 60) % 60,
    rest % 60)
end

return date
