--- Calendar days and months; a month is a number, and the next month's is one more.
-- @module palenca.income.months
local calendar = require("palenca.calendar")

local months = {}

--- Reads a date, with or without a time after it.
-- @param text YYYY-MM-DD
-- @treturn ?table `{text=, month=, is_first=, is_last=}`: the date alone, its month, and whether
-- it is that month's first or last day; nil if there is no such day
function months.date(text)
  local date = type(text) == "string" and (text .. " "):match("^([%d-]+)[T ]")
  local year, month, day = calendar.parse(date)
  if not year then
    return nil
  end
  return {
    text = date,
    month = year * 12 + month - 1,
    is_first = day == 1,
    is_last = day == calendar.last_day(year, month),
  }
end

--- The name of a month, as in "2025-03".
-- @tparam integer month the month
-- @treturn string
function months.name(month)
  return ("%04d-%02d"):format(math.floor(month / 12), month % 12 + 1)
end

--- Extends a span of dates to one more.
-- The span is two values, not a table to be filled: fields added to an empty table in a loop are
-- what the compiler of LuaJIT 2.1.0-beta3, which Debian 12 has, sometimes gets wrong.
-- @tparam ?table first the span's first date, nil at first
-- @tparam ?table last its last date, nil at first
-- @tparam table date a result of `date`
-- @treturn table the first date now
-- @treturn table the last date now
function months.extend(first, last, date)
  if not first or date.text < first.text then
    first = date
  end
  if not last or date.text > last.text then
    last = date
  end
  return first, last
end

--- Whether a month has days outside of a span.
-- @tparam integer month a month of the span
-- @tparam table span with the dates `first` and `last`
-- @treturn boolean
function months.is_partial(month, span)
  local first, last = span.first, span.last
  return month == first.month and not first.is_first or month == last.month and not last.is_last
end

return months
