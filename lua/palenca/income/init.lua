--- Turns a worker's daily earnings into an income: exact sums, months and a lender's figures.
--
-- Money is kept in whole minor units (cents, or whole pesos where the currency has no cents),
-- one sum per currency. Fields ending in `_minor` are such whole numbers; the field of the same
-- name without the ending is the same value as exact decimal text. Every division is rounded
-- down, so that no figure says more than was earned.
-- @module palenca.income
local analyze = require("palenca.income.analyze")
local book = require("palenca.income.book")
local decide = require("palenca.income.decide")
local input = require("palenca.income.input")
local merge = require("palenca.income.merge")
local money = require("palenca.income.money")
local months = require("palenca.income.months")

local income = {}

local function find_period(rows, settings)
  local first, last
  for _, row in ipairs(rows) do
    first, last = months.extend(first, last, row.date)
  end
  return { first = settings.start_date or first, last = settings.end_date or last }
end

-- Rows that name neither amount nor currency join the only currency there is, for their
-- trips' sake; among several currencies they belong to none, and get a book of their own.
local function fill_books(rows)
  local books, count, only = {}, 0, nil
  for _, row in ipairs(rows) do
    local currency = row.currency
    if currency and not books[currency] then
      only = book.new(currency)
      books[currency], count = only, count + 1
    end
    if currency then
      books[currency]:add(row)
    end
  end
  local nameless = book.new()
  for _, row in ipairs(rows) do
    if not row.currency then
      (count == 1 and only or nameless):add(row)
    end
  end
  return books, count, nameless
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
  local settings = input.options(options)
  local rows, outside = input.rows(earnings, settings)
  local period = find_period(rows, settings)
  local books, count, nameless = fill_books(rows)
  local without, repeated, rounded = nameless.sums.days_without_amount, 0, 0
  local currencies, only = {}, nil
  for currency, filled in pairs(books) do
    only = filled:close(period, settings)
    currencies[currency] = only
    without = without + only.days_without_amount
    repeated = repeated + only.repeated_days
    rounded = rounded + only.rounded_rows
  end
  local summary = {}
  if count < 2 then
    for name, value in pairs(only or book.new():close(period, settings)) do
      summary[name] = value
    end
  end
  summary.currencies, summary.complete = currencies, settings.complete
  summary.rows, summary.rows_outside_period = #rows, outside
  summary.days_without_amount = without
  summary.repeated_days, summary.rounded_rows = repeated, rounded
  return summary
end

--- Writes minor units as exact decimal text.
-- @tparam integer minor minor units, between -(2^53 - 1) and 2^53 - 1
-- @tparam[opt] string currency ISO 4217 code in either case; two decimals if absent or unknown
-- @treturn string such as `"1234.50"`, `"-0.05"`, or `"1234"` for CLP
-- @raise when `minor` is not a whole number within bounds
-- @usage income.format(123450, "mxn") --> "1234.50"
-- @function format
income.format = money.format

--- Writes a summary's months as plain text: a line each and a total, one table a currency.
-- The first column is left-aligned, numbers are right-aligned; `-` is what no row tells.
-- @tparam table summary a result of `summarize`
-- @treturn string lines without a newline at the end; `"no earnings"` if there is no currency
-- @raise when `summary` is not a summary
-- @function table
income.table = require("palenca.income.table")

income.analyze, income.decide, income.merge = analyze, decide, merge.streams

return income
