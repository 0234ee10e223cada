--- Computes the figures of one currency from exact sums of days.
--
-- A day is an index, 1 being the last one (see @{palenca.income.ledger}). A sum is a value of
-- @{palenca.income.exact}, in minor units or, if there are amounts with more decimals, in a
-- fraction of them; each figure is rounded once, toward minus infinity.
-- @module palenca.income.figures
local exact = require("palenca.income.exact")
local money = require("palenca.income.money")

local min, floor = math.min, math.floor

local figures = {}

local MIN_DAYS, MIN_WEEKS, MIN_DAYS_OF_TREND = 28, 5, 42
local DECLINE = -0.1

local function scaled(series, whole, fraction)
  if series.limbs == 0 then
    return whole
  end
  return exact.add(exact.shift(whole, series.limbs), fraction or 0)
end

local function unit(series)
  return series.limbs == 0 and 1 or exact.shift(1, series.limbs)
end

--- The sum of some days.
-- @tparam table series of `palenca.income.ledger`
-- @tparam integer from the index of the last of the days
-- @tparam integer to that of the first
-- @return the exact sum
function figures.sum(series, from, to)
  local sums, whole = series.sums, 0
  for index = from, to do
    whole = whole + (sums[index] or 0)
  end
  if series.limbs == 0 then
    return whole
  end
  local fraction = 0
  for index = from, to do
    if series.fractions[index] then
      fraction = exact.add(fraction, series.fractions[index])
    end
  end
  return scaled(series, whole, fraction)
end

--- Whether the amounts of a day sum up to more than 0.
-- @tparam table series
-- @tparam integer index the day's
-- @treturn boolean
function figures.is_active(series, index)
  if series.fractions[index] then
    return exact.sign(figures.sum(series, index, index)) > 0
  end
  return (series.sums[index] or 0) > 0
end

--- Puts money into a record: minor units and text.
-- @tparam table record
-- @tparam string name the field's
-- @tparam table series
-- @param value exact sum
-- @tparam ?integer divisor of it, default 1
function figures.put_money(record, name, series, value, divisor)
  local minor = value
  if divisor or series.limbs > 0 then
    minor = exact.floor_div(value, exact.times(unit(series), divisor or 1))
  end
  minor = floor(minor)
  record[name .. "_minor"] = minor
  record[name] = money.format(minor, series.currency)
end

--- How many of some days are unknown.
-- @tparam table history
-- @tparam integer from
-- @tparam integer to
-- @treturn integer
function figures.unknown_days(history, from, to)
  local count, unknown = 0, history.unknown
  for index = from, history.has_unknown and to or 0 do
    if unknown[index] then
      count = count + 1
    end
  end
  return count
end

--- Whether more than one in four of some days is unknown.
-- @tparam table history
-- @tparam integer from
-- @tparam integer to
-- @treturn boolean
function figures.is_unknown(history, from, to)
  return 4 * figures.unknown_days(history, from, to) > to - from + 1
end

--- A quotient truncated to four decimals, toward minus infinity.
-- @param part exact
-- @param whole exact, above 0
-- @treturn ?number nil if it has too many digits for a number
function figures.ratio(part, whole)
  local quotient = exact.floor_div(exact.times(part, 10000), whole)
  return quotient and quotient / 10000
end

-- Whether a * am is below b * bm.
local function is_below(a, am, b, bm)
  return exact.compare(exact.times(a, am), exact.times(b, bm)) < 0
end

-- Exact decimal text, with the currency's decimals at least.
local function decimal_text(series, value)
  local decimals = series.decimals + series.limbs * exact.LIMB_DIGITS
  local digits = exact.digits(value)
  digits = ("0"):rep(decimals + 1 - #digits) .. digits
  local whole, fraction = digits:sub(1, -decimals - 1), digits:sub(#digits - decimals + 1)
  while #fraction > series.decimals and fraction:sub(-1) == "0" do
    fraction = fraction:sub(1, -2)
  end
  fraction = fraction ~= "" and "." .. fraction or ""
  return (exact.sign(value) < 0 and "-" or "") .. whole .. fraction
end

local function add_last_days(record, history, series)
  for _, days in ipairs({ 30, 60, 90 }) do
    local name = ("income_%dd"):format(days)
    if history.observed < days then
      record.unknown[name] = "insufficient_history"
    elseif figures.is_unknown(history, 1, days) then
      record.unknown[name] = "unknown_amounts"
    else
      figures.put_money(record, name, series, figures.sum(series, 1, days))
    end
  end
end

local function add_monthly(record, history, series)
  if history.observed < MIN_DAYS then
    record.unknown.monthly_income = "insufficient_history"
    return nil
  elseif history.is_window_unknown then
    record.unknown.monthly_income = "unknown_amounts"
    return nil
  end
  local sum = figures.sum(series, 1, min(history.window, history.observed))
  local days = history.window - history.window_unknown
  figures.put_money(record, "monthly_income", series, exact.times(sum, 365), 12 * days)
  return sum, days
end

local function trend_of(history, series)
  if history.observed < MIN_DAYS_OF_TREND then
    return nil, "insufficient_history"
  end
  local span = 7 * floor(min(28, floor(history.observed / 2)) / 7)
  if figures.is_unknown(history, 1, span)
    or figures.is_unknown(history, span + 1, 2 * span) then
    return nil, "unknown_amounts"
  end
  local before = figures.sum(series, span + 1, 2 * span)
  if exact.sign(before) <= 0 then
    return nil, "no_income"
  end
  local last = figures.sum(series, 1, span)
  local quotient = exact.floor_div(exact.times(last, 10000), before)
  if not quotient then
    return nil, "too_large"
  end
  return (quotient - 10000) / 10000
end

-- The qualifying income is the sum of some days x 365 / (12 x their number): of the window or,
-- after a decline, of the last 30 days if that is less. Which of them, is the basis.
local function add_qualifying(record, history, series, sum, days)
  local unknown = record.unknown
  if not sum or history.is_withheld or unknown.trend == "too_large" then
    unknown.qualifying_income = unknown.monthly_income or history.is_withheld and "incomplete"
      or "too_large"
    return
  end
  if record.trend and record.trend < DECLINE then
    if unknown.income_30d then
      unknown.qualifying_income = unknown.income_30d
      return
    end
    local last = figures.sum(series, 1, 30)
    if is_below(last, days, sum, 30) then
      sum, days = last, 30
    end
  end
  figures.put_money(record, "qualifying_income", series, exact.times(sum, 365), 12 * days)
  record.qualifying_basis = { sum = decimal_text(series, sum), days = days }
end

local function sorted_sums(history, series)
  local sums = {}
  for at, week in ipairs(history.weeks) do
    sums[at] = figures.sum(series, week.from, week.to)
  end
  table.sort(sums, function(a, b)
    return exact.compare(a, b) < 0
  end)
  return sums
end

local function add_weeks(record, history, series)
  local sums, unknown = sorted_sums(history, series), record.unknown
  local count = #sums
  if count < MIN_WEEKS then
    unknown.stability = history.weeks_reason
  end
  if count == 0 then
    unknown.median_week, unknown.low_week = history.weeks_reason, history.weeks_reason
    return
  end
  local low = sums[floor((count + 3) / 4)]
  -- Twice the median: it is the mean of the middle two, or of the middle one with itself.
  local median = exact.add(sums[floor((count + 1) / 2)], sums[floor(count / 2) + 1])
  figures.put_money(record, "median_week", series, median, 2)
  figures.put_money(record, "low_week", series, low)
  if count < MIN_WEEKS then
    return
  elseif exact.sign(median) <= 0 or exact.sign(low) <= 0 then
    record.stability = 0
  else
    record.stability = figures.ratio(exact.times(low, 2), median)
  end
end

local function add_cash(record, history, series)
  local unknown = record.unknown
  local total = figures.sum(series, 1, history.observed)
  local reported = scaled(series, series.cash_of, series.fractions.cash_of)
  local cash = scaled(series, series.cash, series.fractions.cash)
  if exact.sign(total) <= 0 then
    unknown.cash_known = "no_income"
  else
    record.cash_known = figures.ratio(reported, total)
    unknown.cash_known = not record.cash_known and "too_large" or nil
  end
  if series.cash_rows == 0 then
    unknown.cash_share = "no_cash_amounts"
  elseif exact.sign(reported) <= 0 then
    unknown.cash_share = "no_income"
  else
    record.cash_share = figures.ratio(cash, reported)
    unknown.cash_share = not record.cash_share and "too_large" or nil
  end
end

--- Computes all figures that are money of one currency, or quotients of it.
-- @tparam table record gets the fields; and `unknown` those that are nil, with the reason
-- @tparam table history of `palenca.income.analyze`
-- @tparam table series the currency's
function figures.add(record, history, series)
  local sum, days = add_monthly(record, history, series)
  add_last_days(record, history, series)
  add_weeks(record, history, series)
  record.trend, record.unknown.trend = trend_of(history, series)
  add_qualifying(record, history, series, sum, days)
  add_cash(record, history, series)
  figures.put_money(record, "adjustments_total", series,
    scaled(series, series.adjustments_total, series.fractions.adjustments_total))
end

return figures
