--- Turns a worker's daily earnings into an income: exact sums, months and a lender's figures.
--
-- Money is kept in whole minor units (cents, or whole pesos where the currency has no cents),
-- one sum per currency. Fields ending in `_minor` are such whole numbers; the field of the same
-- name without the ending is the same value as exact decimal text. Every division is rounded
-- down, so that no figure says more than was earned.
-- @module palenca.income
local income = {}

local floor, fmod = math.floor, math.fmod
local concat = table.concat

-- The largest whole number that LuaJIT's doubles tell apart from its neighbours.
local LIMIT = 9007199254740991
-- Fifteen digits survive the way through a double; of a longer amount the cents may not.
local AMOUNT_LIMIT = 999999999999999
local UNKNOWN = "unknown"
local DEFAULT_DECIMALS = 2
local DECIMALS = { clp = 0, pyg = 0 }

local OPTION_TYPES = {
  report = "table",
  allow_incomplete = "boolean",
  start_date = "string",
  end_date = "string",
  until_end_date = "boolean",
  full_months_only = "boolean",
  currency = "string",
  min_active_months = "number",
  min_consistency = "number",
  installment_percent = "number",
}

-- Level 0: the place of the mistake is the row, not a line of this file.
local function fail(message, ...)
  error("palenca.income: " .. message:format(...), 0)
end

local function fail_row(index, field, message)
  fail("earnings[%d].%s: %s", index, field, message)
end

local function expected(what, value)
  return ("expected %s, got %s"):format(what, type(value))
end

local function decimals_of(currency)
  return DECIMALS[currency] or DEFAULT_DECIMALS
end

-- Whole-number division rounded down. `a % b` and `floor(a / b)` are not exact on doubles
-- near the limit; fmod is.
local function divide(a, b)
  local rest = fmod(a, b)
  local quotient = floor((a - rest) / b)
  if rest < 0 then
    return quotient - 1, rest + b
  end
  return quotient, rest
end

local function add(a, b)
  local sum = a + b
  if sum > LIMIT or sum < -LIMIT then
    fail("a sum is too large to be exact")
  end
  return sum
end

-- The decimal a double stands for is the shortest text that reads back as the same double:
-- 4.35 is stored a little below 4.35, and must still be 435 cents. Fifteen digits are enough
-- for any decimal of up to fifteen digits, seventeen for every double.
-- The separator is any character because printf takes it from the locale.
local function shortest_decimal(value)
  local text
  for precision = 14, 16 do
    text = ("%." .. precision .. "e"):format(value)
    if tonumber(text) == value then
      break
    end
  end
  local sign, first, rest, exponent = text:match("^(%-?)(%d)[^%d]?(%d*)e([-+]%d+)$")
  local digits = (first .. rest):gsub("0+$", "")
  return sign == "-", digits, tonumber(exponent) - #digits + 1
end

-- Returns the minor units and whether digits were rounded off (half away from zero);
-- nil when the value is not finite or beyond the limit.
local function to_minor(value, decimals)
  if not (value >= -AMOUNT_LIMIT and value <= AMOUNT_LIMIT) then
    return nil
  end
  local negative, digits, power = shortest_decimal(value)
  local shift, up = power + decimals, 0
  local rounded = shift < 0 and digits ~= ""
  if shift >= 0 then
    digits = digits .. ("0"):rep(shift)
  else
    local keep = #digits + shift
    if keep >= 0 and (tonumber(digits:sub(keep + 1, keep + 1)) or 0) >= 5 then
      up = 1
    end
    digits = digits:sub(1, math.max(keep, 0))
  end
  local minor = (tonumber(digits) or 0) + up
  if minor > AMOUNT_LIMIT then
    return nil
  end
  -- 0 - 0 rather than -0: LuaJIT has a negative zero.
  return negative and 0 - minor or minor, rounded
end

-- Both of the arguments are at least zero, `whole` above it. Long division, one decimal
-- digit after the other, so that no product passes the limit.
local function percent(part, whole)
  local result, rest = divide(part, whole)
  for _ = 1, 3 do
    local digit, sum = 0, 0
    for _ = 1, 10 do
      if sum >= whole - rest then
        sum, digit = sum - (whole - rest), digit + 1
      else
        sum = sum + rest
      end
    end
    result, rest = result * 10 + digit, sum
  end
  return result / 10
end

local function days_in_month(year, month)
  if month == 2 then
    local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
    return leap and 29 or 28
  end
  return (month == 4 or month == 6 or month == 9 or month == 11) and 30 or 31
end

-- Months are counted from year 0, so that the next month is always one more.
local function parse_date(text)
  if type(text) ~= "string" then
    return nil, expected("a date", text)
  end
  local year, month, day, rest = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)(.*)$")
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  if not year or not rest:find("^[T ]") and rest ~= "" or month < 1 or month > 12
    or day < 1 or day > days_in_month(year, month) then
    return nil, "not a date (YYYY-MM-DD)"
  end
  return {
    text = text:sub(1, 10),
    day = day,
    month = year * 12 + month - 1,
    is_last = day == days_in_month(year, month),
  }
end

local function month_name(number)
  return ("%04d-%02d"):format(floor(number / 12), number % 12 + 1)
end

local function check_thresholds(settings)
  for _, name in ipairs({ "min_consistency", "installment_percent" }) do
    local value = settings[name]
    -- Percentages are compared in tenths; a finer one would be cut silently.
    if not (value >= 0 and value <= 100) or floor(value * 10 + 0.5) / 10 ~= value then
      fail("options.%s: expected 0 to 100 in steps of 0.1", name)
    end
  end
  local months = settings.min_active_months
  if months < 0 or months ~= floor(months) then
    fail("options.min_active_months: expected a whole number")
  end
end

local function check_period(settings)
  for _, name in ipairs({ "start_date", "end_date" }) do
    if settings[name] then
      local date, why = parse_date(settings[name])
      settings[name] = date or fail("options.%s: %s", name, why)
    end
  end
  local first, last = settings.start_date, settings.end_date
  if first and last and first.text > last.text then
    fail("options.start_date is after options.end_date")
  end
  if settings.until_end_date and not last then
    fail("options.until_end_date needs options.end_date")
  end
end

local function check_report(settings)
  local report = settings.report
  if not report then
    return
  end
  if type(report.complete) ~= "boolean" then
    fail("options.report.complete: %s", expected("a boolean", report.complete))
  end
  if not report.complete and not settings.allow_incomplete then
    fail("the earnings are incomplete (options.report.complete is false)")
  end
  settings.complete = report.complete
end

local function read_options(options)
  local settings = { min_active_months = 3, min_consistency = 60, installment_percent = 30 }
  if options ~= nil and type(options) ~= "table" then
    fail("options: %s", expected("a table", options))
  end
  for name, value in pairs(options or {}) do
    if not OPTION_TYPES[name] then
      fail("unknown option %q", tostring(name))
    elseif type(value) ~= OPTION_TYPES[name] then
      fail("options.%s: %s", name, expected("a " .. OPTION_TYPES[name], value))
    end
    settings[name] = value
  end
  settings.currency = settings.currency and settings.currency:lower()
  check_thresholds(settings)
  check_period(settings)
  check_report(settings)
  return settings
end

local function read_money(row, index, field, decimals)
  local value = row[field]
  if value == nil then
    return nil, false
  elseif type(value) ~= "number" then
    fail_row(index, field, expected("a number", value))
  end
  local minor, rounded = to_minor(value, decimals)
  if not minor then
    fail_row(index, field, "not a finite number small enough to be exact")
  end
  return minor, rounded
end

local function read_trips(row, index)
  local trips = row.count_trips
  if trips == nil then
    return nil
  elseif type(trips) ~= "number" then
    fail_row(index, "count_trips", expected("a number", trips))
  elseif not (trips >= 0 and trips <= LIMIT) or floor(trips) ~= trips then
    fail_row(index, "count_trips", "not a whole number of trips")
  end
  return floor(trips)
end

local function read_row(row, index, settings)
  if type(row) ~= "table" then
    fail("earnings[%d]: %s", index, expected("a table", row))
  end
  local date, why = parse_date(row.earning_date)
  if not date then
    fail_row(index, "earning_date", why)
  end
  local currency = row.currency
  if currency ~= nil and type(currency) ~= "string" then
    fail_row(index, "currency", expected("a string", currency))
  end
  currency = currency and currency ~= "" and currency:lower() or settings.currency
  local decimals = decimals_of(currency)
  local amount, amount_rounded = read_money(row, index, "amount", decimals)
  local cash, cash_rounded = read_money(row, index, "cash_amount", decimals)
  return {
    date = date,
    -- A row that tells no amount adds nothing to any sum, so it needs no currency yet.
    currency = currency or amount and UNKNOWN or nil,
    amount = amount,
    -- Cash is a part of the amount; without the amount there is nothing it is a part of.
    cash = amount and cash,
    trips = read_trips(row, index),
    rounded = amount_rounded or amount ~= nil and cash_rounded,
  }
end

local function read_rows(earnings, settings)
  if type(earnings) ~= "table" then
    fail("earnings: %s", expected("an array of rows", earnings))
  end
  -- A pager given in place of its rows would otherwise pass for a worker without income.
  local keys = 0
  for _ in pairs(earnings) do
    keys = keys + 1
  end
  if keys ~= #earnings then
    fail("earnings: expected an array of rows without holes")
  end
  local first, last = settings.start_date, settings.end_date
  local rows, outside = {}, 0
  for index = 1, #earnings do
    local row = read_row(earnings[index], index, settings)
    if first and row.date.text < first.text or last and row.date.text > last.text then
      outside = outside + 1
    else
      rows[#rows + 1] = row
    end
  end
  return rows, outside
end

local function find_period(rows, settings)
  local first, last = settings.start_date, settings.end_date
  for _, row in ipairs(rows) do
    if not settings.start_date and (not first or row.date.text < first.text) then
      first = row.date
    end
    if not settings.end_date and (not last or row.date.text > last.text) then
      last = row.date
    end
  end
  return { first = first, last = last }
end

local function new_sums()
  return { total = 0, days = 0, without = 0, repeated = 0, rounded = 0, rows = 0 }
end

local function add_optional(sum, value)
  return value and add(sum or 0, value) or sum
end

local function add_to_sums(sums, row, seen)
  sums.rows = sums.rows + 1
  sums.trips = add_optional(sums.trips, row.trips)
  sums.cash = add_optional(sums.cash, row.cash)
  sums.rounded = sums.rounded + (row.rounded and 1 or 0)
  sums.repeated = sums.repeated + (seen and 1 or 0)
  if not row.amount then
    sums.without = sums.without + (seen and 0 or 1)
  else
    sums.total = add(sums.total, row.amount)
    sums.days = sums.days + (seen and 0 or 1)
  end
end

local function add_row(group, row)
  local month, date = row.date.month, row.date
  local seen_dates = row.amount and group.with_amount or group.without_amount
  local seen = seen_dates[date.text]
  seen_dates[date.text] = true
  group.months[month] = group.months[month] or new_sums()
  add_to_sums(group.months[month], row, seen)
  add_to_sums(group.sums, row, seen)
  if not group.first or date.text < group.first.text then
    group.first = date
  end
  if not group.last or date.text > group.last.text then
    group.last = date
  end
end

local function new_group(currency)
  return {
    currency = currency,
    sums = new_sums(),
    months = {},
    with_amount = {},
    without_amount = {},
  }
end

-- Rows that name neither amount nor currency join the only currency there is, for their
-- trips' sake; among several currencies they belong to none.
local function group_rows(rows)
  local groups, undecided, count, only = {}, {}, 0, nil
  for _, row in ipairs(rows) do
    local currency = row.currency
    if not currency then
      undecided[#undecided + 1] = row
    else
      if not groups[currency] then
        only = new_group(currency)
        groups[currency], count = only, count + 1
      end
      add_row(groups[currency], row)
    end
  end
  if count == 1 then
    for _, row in ipairs(undecided) do
      add_row(only, row)
    end
  end
  return groups, count, undecided
end

local function is_partial(month, period)
  local first, last = period.first, period.last
  return month == first.month and first.day > 1 or month == last.month and not last.is_last
end

local function describe_month(number, sums, group, period, settings)
  local partial = is_partial(number, period)
  -- Nothing is known of a month whose every row lacks the amount: it is not a month of zero.
  local known = sums.rows == 0 or sums.days > 0
  return {
    month = month_name(number),
    total_minor = sums.total,
    total = income.format(sums.total, group.currency),
    days = sums.days,
    days_without_amount = sums.without,
    trips = sums.trips,
    cash_minor = sums.cash,
    cash = sums.cash and income.format(sums.cash, group.currency),
    active = sums.total > 0,
    partial = partial,
    counted = known and not (partial and settings.full_months_only or false),
  }
end

local function list_months(group, period, settings)
  local months = {}
  if not group.first then
    return months
  end
  local last = settings.until_end_date and period.last.month or group.last.month
  for number = group.first.month, last do
    local sums = group.months[number] or new_sums()
    months[#months + 1] = describe_month(number, sums, group, period, settings)
  end
  return months
end

local function add_figures(result)
  local sum, count, active, lowest = 0, 0, 0, nil
  for _, month in ipairs(result.months) do
    if month.counted then
      sum, count = add(sum, month.total_minor), count + 1
      active = active + (month.active and 1 or 0)
      if not lowest or month.total_minor < lowest.total_minor then
        lowest = month
      end
    end
  end
  result.counted_months, result.active_months, result.lowest_month = count, active, lowest
  if count > 0 then
    result.average_month_minor = divide(sum, count)
    result.average_month = income.format(result.average_month_minor, result.currency)
  end
  if sum > 0 then
    -- Against the exact average, sum / count, not the rounded one.
    result.consistency = percent(math.max(lowest.total_minor, 0) * count, sum)
  end
end

local function add_verdict(result, settings)
  result.verifiable = settings.complete ~= false
    and result.active_months >= settings.min_active_months
    and result.consistency ~= nil
    and result.consistency >= settings.min_consistency
  -- In two parts, so that the product stays below the limit.
  local tenths = floor(settings.installment_percent * 10 + 0.5)
  local thousands, rest = divide(math.max(result.average_month_minor or 0, 0), 1000)
  result.max_installment_minor = thousands * tenths + (divide(rest * tenths, 1000))
  result.max_installment = income.format(result.max_installment_minor, result.currency)
end

local function describe_group(group, period, settings)
  local sums = group.sums
  local result = {
    currency = group.currency,
    months = list_months(group, period, settings),
    total_minor = sums.total,
    total = income.format(sums.total, group.currency),
    days = sums.days,
    days_without_amount = sums.without,
    repeated_days = sums.repeated,
    rounded_rows = sums.rounded,
    rows = sums.rows,
    trips = sums.trips,
    cash_minor = sums.cash,
    cash = sums.cash and income.format(sums.cash, group.currency),
    first_date = group.first and group.first.text,
    last_date = group.last and group.last.text,
  }
  if sums.cash and sums.total > 0 then
    result.cash_share = percent(math.max(sums.cash, 0), sums.total)
  end
  add_figures(result)
  add_verdict(result, settings)
  return result
end

local function count_undecided_days(undecided)
  local days, seen = 0, {}
  for _, row in ipairs(undecided) do
    if not seen[row.date.text] then
      seen[row.date.text] = true
      days = days + 1
    end
  end
  return days
end

local function add_totals(summary, currencies, undecided)
  local without, repeated, rounded = count_undecided_days(undecided), 0, 0
  for _, result in pairs(currencies) do
    without = without + result.days_without_amount
    repeated = repeated + result.repeated_days
    rounded = rounded + result.rounded_rows
  end
  summary.days_without_amount = without
  summary.repeated_days = repeated
  summary.rounded_rows = rounded
end

--- Sums a worker's earnings by currency and calendar month.
--
-- A summary has these fields:
--
-- * `currencies`: a map from currency (lower case) to that currency's result;
-- * `rows`: how many rows were read (those outside the period left out);
--   `rows_outside_period`: how many were left out;
-- * `days_without_amount`, `repeated_days`, `rounded_rows`: as below, over all currencies;
-- * `complete`: the report's word, nil without a report.
--
-- With one currency, as is usual, every field of its result is in the summary too:
-- `summary.total`, `summary.months`. Without any row they are there as well (no months, a total
-- of zero, not verifiable) and `currency` is nil. With several currencies they are absent:
-- read `summary.currencies`.
--
-- A currency's result:
--
-- * `currency`; `rows`; `first_date`, `last_date` (the first and last day that has a row);
-- * `months`: oldest first, from the first row's month to the last row's, none left out, each
--   `{month="2025-03", total_minor=, total=, days=, days_without_amount=, trips=, cash_minor=,
--   cash=, active=, partial=, counted=}`. `active`: its total is above zero. `partial`: the
--   period begins after its first day or ends before its last. `counted`: it enters the figures
--   below. A month without rows counts as zero; a month whose rows all lack the amount is
--   unknown, not zero, and is not counted;
-- * `total_minor`, `total`: over all months, counted or not;
-- * `days`: distinct days with an amount; `days_without_amount`: distinct days whose amount is
--   null, which are in no sum; `repeated_days`: rows for a day that another row told already
--   (they are summed like any other; above zero deserves a look);
-- * `rounded_rows`: rows with more decimals than the currency has, rounded half away from zero;
-- * `trips`: nil when no row tells a count; `cash_minor`, `cash`: nil when no row tells cash;
--   `cash_share`: percent of the total that is cash, cut to one decimal; nil when no row tells
--   cash or the total is not above zero;
-- * `counted_months`; `active_months` (among the counted); `average_month_minor`,
--   `average_month` (nil without a counted month); `lowest_month`: the record of the counted
--   month with the smallest total, the oldest of equals;
-- * `consistency`: lowest month / average month in percent, cut to one decimal, 0 when the lowest
--   month is negative; nil when the average is not above zero;
-- * `verifiable`: enough active months and consistency, and no report that says incomplete;
-- * `max_installment_minor`, `max_installment`: a share of the average month as shown; 0 without
--   one. It is given for an income that is not verifiable, too.
--
-- Amounts have the decimals that ISO 4217 gives their currency: none for CLP and PYG, two for
-- any other (also for a currency this module does not know). An amount is taken for the decimal
-- its shortest text names: 4.35 is 435 cents.
--
-- Partial months count unless told otherwise. It errs on a lender's safe side: a month cut short
-- lowers the average, the consistency and the instalment, and never raises them; and the average
-- is the total over the months shown.
-- @tparam {table,...} earnings the API's rows: `{amount=, currency=, earning_date=,
--   cash_amount=, count_trips=}`, all but the date optional, in any order; not changed
-- @tparam[opt] table options
-- @tparam[opt] table options.report the report that `pager:all()` returned with the rows
-- @tparam[opt=false] boolean options.allow_incomplete accept a report that is not complete
-- @tparam[opt] string options.start_date first day of the period, `YYYY-MM-DD`; the first row's
--   day if absent. Rows outside of the period are left out
-- @tparam[opt] string options.end_date last day of the period, itself included; the last row's
--   day if absent
-- @tparam[opt=false] boolean options.until_end_date let `months` run on to `end_date`: a worker
--   who earned nothing lately then has months of zero
-- @tparam[opt=false] boolean options.full_months_only leave partial months out of the figures
-- @tparam[opt="unknown"] string options.currency the currency of rows that name none
-- @tparam[opt=3] number options.min_active_months active months an income needs to be verifiable
-- @tparam[opt=60] number options.min_consistency percent it needs, in steps of 0.1
-- @tparam[opt=30] number options.installment_percent share of the average month, in steps of 0.1
-- @treturn table the summary: plain data, fit for JSON
-- @raise when a row or an option has the wrong type or form (the message names the row's index
--   and field), an option is unknown, the report is not complete, an amount has more than 15
--   digits in minor units, or a sum passes 2^53 - 1
function income.summarize(earnings, options)
  local settings = read_options(options)
  local rows, outside = read_rows(earnings, settings)
  local period = find_period(rows, settings)
  local groups, count, undecided = group_rows(rows)
  local currencies, only = {}, nil
  for currency, group in pairs(groups) do
    only = describe_group(group, period, settings)
    currencies[currency] = only
  end
  if count == 0 then
    only = describe_group(new_group(), period, settings)
  end
  local summary = {}
  if count < 2 then
    for name, value in pairs(only) do
      summary[name] = value
    end
  end
  summary.currencies = currencies
  summary.rows, summary.rows_outside_period = #rows, outside
  summary.complete = settings.complete
  add_totals(summary, currencies, count == 1 and {} or undecided)
  return summary
end

--- Writes minor units as exact decimal text.
-- @tparam integer minor minor units, between -(2^53 - 1) and 2^53 - 1
-- @tparam[opt] string currency ISO 4217 code in either case; two decimals if absent or unknown
-- @treturn string such as `"1234.50"`, `"-0.05"`, or `"1234"` for CLP
-- @raise when `minor` is not a whole number within bounds
-- @usage income.format(123450, "mxn") --> "1234.50"
function income.format(minor, currency)
  if type(minor) ~= "number" or not (minor >= -LIMIT and minor <= LIMIT)
    or floor(minor) ~= minor then
    fail("format: expected whole minor units")
  elseif currency ~= nil and type(currency) ~= "string" then
    fail("format: currency: %s", expected("a string", currency))
  end
  local decimals = decimals_of(currency and currency:lower())
  local sign = minor < 0 and "-" or ""
  local digits = ("%d"):format(minor < 0 and 0 - minor or minor)
  if decimals == 0 then
    return sign .. digits
  end
  digits = ("0"):rep(decimals + 1 - #digits) .. digits
  return sign .. digits:sub(1, -decimals - 1) .. "." .. digits:sub(-decimals)
end

local function layout(lines)
  local widths = {}
  for _, cells in ipairs(lines) do
    for column, cell in ipairs(cells) do
      widths[column] = math.max(widths[column] or 0, #cell)
    end
  end
  for index, cells in ipairs(lines) do
    for column, cell in ipairs(cells) do
      local fill = (" "):rep(widths[column] - #cell)
      cells[column] = column == 1 and cell .. fill or fill .. cell
    end
    lines[index] = concat(cells, "  ")
  end
  return concat(lines, "\n")
end

local function count_cell(count)
  return count and ("%d"):format(count) or "-"
end

local function currency_table(result)
  local lines, partial = { { "month", "days", "trips", "cash", result.currency } }, false
  for _, month in ipairs(result.months) do
    local known = month.days > 0 or month.days_without_amount == 0
    lines[#lines + 1] = {
      month.month .. (month.partial and "*" or ""),
      count_cell(month.days),
      count_cell(month.trips),
      month.cash or "-",
      known and month.total or "-",
    }
    partial = partial or month.partial
  end
  lines[#lines + 1] = {
    "total",
    count_cell(result.days),
    count_cell(result.trips),
    result.cash or "-",
    result.total,
  }
  return layout(lines) .. (partial and "\n* part of the month" or "")
end

--- Writes a summary's months as plain text: a line each and a total, one table a currency.
-- The first column is left-aligned, numbers are right-aligned; `-` is what no row tells.
-- @tparam table summary a result of `summarize`
-- @treturn string lines without a newline at the end; `"no earnings"` if there is no currency
-- @raise when `summary` is not a summary
function income.table(summary)
  if type(summary) ~= "table" or type(summary.currencies) ~= "table" then
    fail("table: expected a summary")
  end
  local names, tables = {}, {}
  for name in pairs(summary.currencies) do
    names[#names + 1] = name
  end
  table.sort(names)
  for index, name in ipairs(names) do
    tables[index] = currency_table(summary.currencies[name])
  end
  return #tables > 0 and concat(tables, "\n\n") or "no earnings"
end

return income
