--- Turns a worker's daily earnings into an income, and an income into a verdict.
--
-- Money is kept in whole minor units (cents, or whole pesos where the currency has no cents),
-- one sum per currency. Fields ending in `_minor` are such whole numbers; the field of the same
-- name without the ending is the same value as exact decimal text. Every division is rounded
-- down, so that no figure says more than was earned.
--
-- Nothing here looks at a clock, a locale or the order of a table: the same arguments have the
-- same result, to the byte of `palenca.json.canonical`, on every Lua.
-- @module palenca.income
local analyze = require("palenca.income.analyze")
local book = require("palenca.income.book")
local decide = require("palenca.income.decide")
local explain = require("palenca.income.explain")
local input = require("palenca.income.input")
local merge = require("palenca.income.merge")
local money = require("palenca.income.money")
local months = require("palenca.income.months")
local rule = require("palenca.income.rule")
local summary_table = require("palenca.income.table")
local text_table = require("palenca.income.text_table")

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

--- Joins the accounts of one person into a stream for @{analyze}.
--
-- Rows of one account are compared with each other, those of different accounts are not: two
-- accounts may both have earned 100 on a day. Entries with the same `account` are one account;
-- an entry without it is an account of its own.
-- @tparam {table,...} accounts `{rows=, report=, account=, platform=, warning=}` each: the API's
--   rows; the report that `pager:all()` returned with them; the account's id; its platform; and the
--   `status_details` of its login if that is a warning, such as `"rider_account"`. All but the rows
--   may be absent
-- @treturn table the stream, plain data: `{accounts={…}}` with the same rows
-- @raise when an entry has an unknown field, or one of the wrong type
-- @function merge
income.merge = merge.streams

--- Computes an income from rows.
--
-- The income is plain data, fit for JSON. A figure that cannot be known is nil, and `unknown` has
-- its name with one of the codes below. Money is exact decimal text, with a whole number of minor
-- units beside it under the name with `_minor`; quotients are numbers of at most four decimals.
-- Each is rounded once, toward minus infinity. More than one day in four of some days unknown makes
-- their figure unknown.
--
-- * `as_of`; `currency`; `days_observed`: from `start_date` or, if it is later, the first row's
--   day, to `as_of`; `window_days`: the last days that are averaged, 30 to 90; `unknown_days`:
--   observed days with rows, none of which has the amount;
-- * `monthly_income`: sum of the window x 365 / (12 x its days that are not unknown); needs 28
--   days; `income_30d`, `income_60d`, `income_90d`: sums of the last days;
-- * `weeks`: the full weeks, oldest first, `{from=, to=, total=, active_days=, unknown_days=}`:
--   Monday to Sunday, wholly in the window and observed, with one unknown day at most;
--   `full_weeks`, `active_weeks` (with a sum above 0); `median_week`, `low_week` (nearest rank,
--   the first quarter); `regularity`: active weeks / full weeks; `stability`: low week / median
--   week, 0 if that is not above 0; both need 5 full weeks;
-- * `trend`: change of the last whole weeks (3 or 4) against those before; needs 42 days;
-- * `qualifying_income`: the monthly income; after a decline of more than 10 % the lower of it and
--   `income_30d` x 365 / 360. `qualifying_basis` is what it is drawn from, without any rounding:
--   `{sum=, days=}`, the income being sum x 365 / (12 x days). It is withheld if the history is
--   incomplete, unless that is allowed;
-- * `active_days` (of the window; the sum of the day is above 0), `days_worked_per_week`,
--   `longest_gap`, `days_since_last_income`: days;
-- * `months`: those touched, oldest first, `{from=, to=, total=, active_days=, unknown_days=,
--   full=}`;
-- * `cash_share`: cash / amount of the rows that have both; `cash_known`: the amount of those /
--   total;
-- * `adjustments`, `adjustments_total`: number and sum of negative rows, which are in all sums;
-- * `platforms`: after a @{merge}, those that were named, by name: `{platform=, total=,
--   active_days=}`;
-- * `identical_rows`: rows left out because the same account has another that is the same;
-- * `problems`: a list of codes, in this order: `incomplete`, `completeness_unknown`, `no_rows`,
--   `future_rows`, `mixed_currencies`, `unknown_currency`, `conflicting_days`, `unknown_amounts`,
--   and `account_warning:CODE`, sorted;
-- * `by_currency`: with several currencies, a map from each to its money, `qualifying_basis` and
--   `unknown`. At the top all that needs one currency is nil then, also `stability`, `trend` and
--   totals; a day or week is active if it is so in any currency.
--
-- Codes in `unknown`: `no_rows`, `insufficient_history`, `unknown_amounts`, `mixed_currencies`,
-- `unknown_currency`, `incomplete`, `no_income` (there is nothing to divide by, or no active day),
-- `no_cash_amounts`, `too_large` (a quotient that passes 2^53 / 10^4).
--
-- Rows are the same if all their fields are: `currency` trimmed and in lower case, amounts by their
-- value (179, 179.0 and `"179.00"` are one). An amount is a number, taken for the decimal that its
-- shortest text names, or decimal text. A currency that is not three letters is unknown. A row
-- without an amount needs none.
-- @tparam table stream the API's rows, `{amount=, currency=, earning_date=, cash_amount=}` each, in
--   any order; or a result of @{merge}. Not changed
-- @tparam table options
-- @tparam string options.as_of the last day that counts, `YYYY-MM-DD`: one that is over, by the
--   calendar of the worker's country
-- @tparam[opt] string options.start_date the first day that counts
-- @tparam[opt] table options.report the report that `pager:all()` returned with the rows. A merged
--   stream has its own
-- @tparam[opt=false] boolean options.allow_incomplete compute `qualifying_income` of an incomplete
--   history, too. It stays among the problems, and there is no decision on it
-- @treturn table the income
-- @raise when an option is unknown or wrong; when a row has a date that is not `YYYY-MM-DD` of 2000
--   to 2099, or an amount that is not finite or passes 15 digits of minor units (the message names
--   row, field and value); when the amounts of a currency, without their signs, sum up to more
-- @function analyze
income.analyze = analyze

--- Decides on an income by a rule.
--
-- The checks, in this order; the first group that has a reason decides the outcome, and every
-- reason of every group is listed:
--
-- * `undecidable`: any of the income's problems (the reason's code is the problem);
--   `insufficient_history` (fewer days than `min_days_observed`); `unknown_monthly_income`,
--   `unknown_qualifying_income`, `unknown_regularity`, `unknown_stability` (nil);
-- * `decline`: `no_recent_income` (`max_days_since_last`, or no active day), `few_active_weeks`
--   (`min_active_weeks`), `irregular_income` (`min_regularity`);
-- * `refer`, to a person: `long_gap` (`max_gap`), `unstable_income` (`min_stability`),
--   `declining_income` (`max_decline`);
-- * `decline`: `installment_too_high`;
-- * else `approve`.
--
-- The verdict is plain data with a method: `outcome`; `reasons`, a list of `{code=, metric=,
-- value=, limit=}`; `rule_version`; `currency`; `max_installment` and `max_installment_minor`: the
-- exact qualifying income x `ratio` - obligations, rounded down once (below 0 if the obligations
-- are more), given for `approve`, `refer` and a decline by the installment alone; and
-- `verdict:explain(language)`, see @{explain}.
-- @tparam table income a result of @{analyze}, also one that was JSON meanwhile
-- @tparam table rule `version` (a text or a whole number) and, where they differ from the default,
--   `min_days_observed` (42), `max_days_since_last` (14), `min_active_weeks` (5), `max_gap` (21),
--   `min_regularity` (0.75), `min_stability` (0.5), `max_decline` (0.2), `ratio` (0.3); the last
--   four from 0 to 1 with four decimals at most
-- @tparam table request `installment` and, default 0, `obligations`: what is to be paid and what is
--   owed already, a month, as decimal text (`"3000.00"`) or whole numbers (3000)
-- @treturn table the verdict
-- @raise when a field is unknown or not as it should be; the message names it and its value
-- @function decide
income.decide = decide

--- Explains a verdict in words. Figures have a point for decimals in every language.
-- @tparam table verdict a result of @{decide}, also one that was JSON meanwhile
-- @tparam string language `"es"`, `"pt"` or `"en"`
-- @treturn table `{analyst=, worker=}`: sentences for who checks it, with every reason, its value
--   and its limit; and for the worker, without codes
-- @raise when the language is another
-- @function explain
income.explain = explain

--- Reads a rule from a file: Lua text that returns a table, such as `return { version = "2026-11",
-- max_gap = 28 }`. Nothing of Lua is within its reach.
-- @tparam string path the file's
-- @treturn table the rule, with the defaults filled in
-- @raise when the file cannot be read or run, or the rule is not as it should be
-- @function load_rule
income.load_rule = rule.load

--- Writes an income as text for people: its figures with a word on each, its problems, its weeks,
-- months and platforms with their ranges.
--
-- Of a result of @{summarize} it writes the months: a line each and a total, one table a currency;
-- `-` is an unknown figure.
-- @tparam table given a result of @{analyze}, or of `summarize`
-- @tparam[opt="en"] string language `"es"`, `"pt"` or `"en"`
-- @treturn string lines without a newline at the end
-- @raise when it is neither, or the language another
function income.table(given, language)
  if type(given) == "table" and given.currencies then
    return summary_table(given)
  end
  return text_table(given, language)
end

return income
