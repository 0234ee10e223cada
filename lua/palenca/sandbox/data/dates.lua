--- Calendar dates as day numbers (days since 1970-01-01), from and to text.
-- @module palenca.sandbox.data.dates
--
-- Plain arithmetic instead of os.date and os.time: those know about the machine's time zone,
-- and nothing here may depend on the machine.
local dates = {}

-- Years are counted from March, so that the leap day comes last and needs no special case.
local function days_from_civil(year, month, day)
  if month <= 2 then
    year = year - 1
  end
  local era = year // 400
  local year_of_era = year - era * 400
  local day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
  local day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
  return era * 146097 + day_of_era - 719468
end

local function civil_from_days(days)
  days = days + 719468
  local era = days // 146097
  local day_of_era = days - era * 146097
  local year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524
    - day_of_era // 146096) // 365
  local day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
  local month_from_march = (5 * day_of_year + 2) // 153
  local day = day_of_year - (153 * month_from_march + 2) // 5 + 1
  local month = (month_from_march + 2) % 12 + 1
  local year = year_of_era + era * 400
  return month <= 2 and year + 1 or year, month, day
end

--- The text of a day.
-- @tparam integer day days since 1970-01-01
-- @treturn string the day as YYYY-MM-DD
function dates.format(day)
  return ("%04d-%02d-%02d"):format(civil_from_days(day))
end

--- Reads a day.
-- @tparam string text a date as YYYY-MM-DD
-- @treturn ?integer days since 1970-01-01, or nil if there is no such day
function dates.parse(text)
  local year, month, day = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
  if not year then
    return nil
  end
  local number = days_from_civil(tonumber(year), tonumber(month), tonumber(day))
  -- 30 February counts on into March; only a day that exists comes back as it was written.
  return dates.format(number) == text and number or nil
end

--- The day that an instant falls on, in UTC.
-- @tparam number seconds Unix time
-- @treturn integer days since 1970-01-01
function dates.day_of(seconds)
  return math.floor(seconds) // 86400
end

--- The text of an instant.
-- @tparam number seconds Unix time
-- @treturn string the instant in UTC, to the second, as YYYY-MM-DDThh:mm:ssZ
function dates.timestamp(seconds)
  local whole = math.floor(seconds)
  local rest = whole % 86400
  return ("%sT%02d:%02d:%02dZ"):format(
    dates.format(whole // 86400), rest // 3600, rest // 60 % 60, rest % 60)
end

--- The day of the week.
-- @tparam integer day days since 1970-01-01
-- @treturn integer 1 for Monday to 7 for Sunday
function dates.weekday(day)
  return (day + 3) % 7 + 1
end

return dates
