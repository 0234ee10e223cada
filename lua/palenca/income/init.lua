--- Turns a worker's daily earnings into an income, and an income into a verdict.
--
-- Money is kept in whole minor units (cents, or whole pesos where the currency has no cents),
-- one sum per currency. Fields ending in `_minor` are such whole numbers; the field of the same
-- name without the ending is the same value as exact decimal text. Every division is rounded
-- down, so that no figure says more than was earned.
--
-- Nothing here reads a clock, a locale or the order of a table: the same arguments have the
-- same result, to the byte of @{palenca.json.canonical}, on every Lua.
-- @module palenca.income
local analyze = require("palenca.income.analyze")
local decide = require("palenca.income.decide")
local explain = require("palenca.income.explain")
local merge = require("palenca.income.merge")
local money = require("palenca.income.money")
local rule = require("palenca.income.rule")
local text_table = require("palenca.income.text_table")

local income = {}

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
-- @tparam {AccountRows,...} accounts
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
--   observed days with rows, none of which has the amount; `uncounted_rows`: rows without an amount
--   on other days, as of one account while another has earned. They count as nothing, so that the
--   income may be higher;
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
-- * `months`: those touched, oldest first, `{month=, from=, to=, total=, active_days=,
--   unknown_days=, full=}`; `month` is such as `"2026-03"`;
-- * `cash_share`: cash / amount of the rows that have both; `cash_known`: the amount of those /
--   total;
-- * `adjustments`, `adjustments_total`: number and sum of negative rows, which are in all sums;
-- * `platforms`: after a @{merge}, a map from the platforms that were named to `{total=,
--   active_days=, uncounted_rows=}` of all days observed;
-- * `identical_rows`: rows left out because the same account has another that is the same;
-- * `problems`: a list of codes, in this order: `incomplete`, `completeness_unknown`, `no_rows`,
--   `future_rows`, `mixed_currencies`, `unknown_currency`, `conflicting_days`, `unknown_amounts`,
--   and `account_warning:CODE`, sorted. `unknown_amounts`: more than one in four of the days
--   averaged is unknown, or would be of one of the accounts alone;
-- * `by_currency`: with several currencies, a map from each to its money, `stability`, `trend`,
--   `cash_share`, `cash_known`, `qualifying_basis` and `unknown`. At the top these and all totals
--   are nil then; days, weeks and `regularity` stay: a day or week is active if it is so in any
--   currency.
--
-- Codes in `unknown`: `no_rows`, `insufficient_history`, `unknown_amounts`, `mixed_currencies`,
-- `unknown_currency`, `incomplete`, `no_income` (there is nothing to divide by, or no active day),
-- `no_cash_amounts`, `too_large` (a quotient that passes 2^53 / 10^4). A `trend` that is too large
-- makes `qualifying_income` unknown, too.
--
-- A history whose rows all lack the amount has no money and no `stability` (`unknown_amounts`),
-- however few they are; nor has one with an amount of an unknown currency (`unknown_currency`). An
-- amount of many decimals, such as the double 1234.5600000000001, is taken exactly.
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
-- @tparam[opt] palenca.client.pager.Report options.report the report that `pager:all()` returned
--   with the rows. A merged stream has its own
-- @tparam[opt=false] boolean options.allow_incomplete compute `qualifying_income` of an incomplete
--   history, too. It stays among the problems, and there is no decision on it
-- @treturn Income
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
--   `other_currency`: the income is in another than the request;
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
-- value=, limit=}` (the value of an `unknown_` figure is why it is unknown, as in the income);
-- `rule_version`; `currency`; `max_installment` and `max_installment_minor`: the
-- exact qualifying income x `ratio` - obligations, rounded down once (below 0 if the obligations
-- are more), given for `approve`, `refer` and a decline by the installment alone; and
-- `verdict:explain(language)`, see @{explain}.
-- @tparam Income income a result of @{analyze}, also one that was JSON meanwhile
-- @tparam Rule rule
-- @tparam table request a month's, as decimal text (`"3000.00"`) or whole numbers (3000)
-- @tparam string|number request.installment what is to be paid. Text of more decimals than the
--   currency has, such as `"900.000"`, is an error: it may be meant as thousands
-- @tparam[opt=0] string|number request.obligations what is owed already
-- @tparam ?string request.currency of both, such as `"mxn"`; without it they count as amounts in
-- whatever currency the income has
-- @treturn Verdict
-- @raise when a field is unknown or not as it should be; the message names it and its value
-- @function decide
income.decide = decide

--- Explains a verdict in words. Figures have a point for decimals in every language.
-- @tparam Verdict verdict a result of @{decide}, also one that was JSON meanwhile
-- @tparam string language `"es"`, `"pt"` or `"en"`
-- @treturn Explanation `{analyst=, worker=}`: sentences for who checks it, with every reason, its
--   value and its limit; and for the worker, without codes
-- @raise when the language is another
-- @function explain
income.explain = explain

--- Reads a rule from a file: Lua text that returns a table, such as `return { version = "2026-11",
-- max_gap = 28 }`. Nothing of Lua is within its reach.
-- @tparam string path the file's
-- @treturn Rule the rule, with the defaults filled in
-- @raise when the file cannot be read or run, or the rule is not as it should be
-- @function load_rule
income.load_rule = rule.load

--- Writes an income as text for people: its figures with a word on each, its problems, its weeks,
-- months and platforms with their ranges.
-- @tparam Income given a result of @{analyze}
-- @tparam[opt="en"] string language `"es"`, `"pt"` or `"en"`
-- @treturn string lines without a newline at the end
-- @raise when it is none, or the language another
-- @function table
income.table = text_table

--- The rows of an account, for @{merge}.
-- @table AccountRows
-- @tfield {table,...} rows the API's
-- @tfield ?palenca.client.pager.Report report what `pager:all()` returned with them
-- @tfield ?string account the account's id
-- @tfield ?string platform such as `uber`
-- @tfield ?string warning of the account, such as `rider_account`

--- A rule: its version, and the limits that differ from the default.
-- @table Rule
-- @tfield string|integer version
-- @tfield ?integer min_days_observed default 42
-- @tfield ?integer max_days_since_last default 14
-- @tfield ?integer min_active_weeks default 5
-- @tfield ?integer max_gap default 21
-- @tfield ?number min_regularity default 0.75; this and the next three: from 0 to 1 with four
-- decimals at most
-- @tfield ?number min_stability default 0.5
-- @tfield ?number max_decline default 0.2
-- @tfield ?number ratio default 0.3

--- An income; see @{analyze}.
-- @table Income
-- @tfield string as_of YYYY-MM-DD
-- @tfield ?string currency such as `mxn`
-- @tfield integer days_observed
-- @tfield integer window_days
-- @tfield integer unknown_days
-- @tfield integer uncounted_rows
-- @tfield ?string monthly_income such as `"15432.10"`
-- @tfield ?integer monthly_income_minor
-- @tfield ?string qualifying_income
-- @tfield ?integer qualifying_income_minor
-- @tfield ?string income_30d
-- @tfield ?integer income_30d_minor
-- @tfield ?string income_60d
-- @tfield ?integer income_60d_minor
-- @tfield ?string income_90d
-- @tfield ?integer income_90d_minor
-- @tfield ?string median_week
-- @tfield ?integer median_week_minor
-- @tfield ?string low_week
-- @tfield ?integer low_week_minor
-- @tfield ?string adjustments_total
-- @tfield ?integer adjustments_total_minor
-- @tfield ?number stability
-- @tfield ?number trend
-- @tfield ?number cash_share
-- @tfield ?number cash_known
-- @tfield ?IncomeBasis qualifying_basis
-- @tfield {[string]=string} unknown the name of a figure that is not known → why
-- @tfield ?number regularity
-- @tfield integer active_days
-- @tfield ?number days_worked_per_week
-- @tfield integer longest_gap
-- @tfield ?integer days_since_last_income
-- @tfield integer full_weeks
-- @tfield integer active_weeks
-- @tfield {IncomeWeek,...} weeks
-- @tfield {IncomeMonth,...} months
-- @tfield integer adjustments
-- @tfield integer identical_rows
-- @tfield {string,...} problems
-- @tfield ?{[string]=IncomePlatform} platforms
-- @tfield ?{[string]=IncomeOfCurrency} by_currency

--- What an income is computed from.
-- @table IncomeBasis
-- @tfield string sum
-- @tfield integer days

--- A week of an @{Income}.
-- @table IncomeWeek
-- @tfield string from YYYY-MM-DD
-- @tfield string to YYYY-MM-DD
-- @tfield ?string total
-- @tfield ?integer total_minor
-- @tfield integer active_days
-- @tfield integer unknown_days

--- A month of an @{Income}.
-- @table IncomeMonth
-- @tfield string month such as `2026-03`
-- @tfield string from YYYY-MM-DD
-- @tfield string to YYYY-MM-DD
-- @tfield ?string total
-- @tfield ?integer total_minor
-- @tfield integer active_days
-- @tfield integer unknown_days
-- @tfield boolean full

--- A platform of an @{Income}.
-- @table IncomePlatform
-- @tfield ?string total
-- @tfield ?integer total_minor
-- @tfield integer active_days
-- @tfield integer uncounted_rows

--- A currency of an @{Income} that has several.
-- @table IncomeOfCurrency
-- @tfield ?string monthly_income such as `"15432.10"`
-- @tfield ?integer monthly_income_minor
-- @tfield ?string qualifying_income
-- @tfield ?integer qualifying_income_minor
-- @tfield ?string income_30d
-- @tfield ?integer income_30d_minor
-- @tfield ?string income_60d
-- @tfield ?integer income_60d_minor
-- @tfield ?string income_90d
-- @tfield ?integer income_90d_minor
-- @tfield ?string median_week
-- @tfield ?integer median_week_minor
-- @tfield ?string low_week
-- @tfield ?integer low_week_minor
-- @tfield ?string adjustments_total
-- @tfield ?integer adjustments_total_minor
-- @tfield ?number stability
-- @tfield ?number trend
-- @tfield ?number cash_share
-- @tfield ?number cash_known
-- @tfield ?IncomeBasis qualifying_basis
-- @tfield {[string]=string} unknown the name of a figure that is not known → why

--- A verdict; see @{decide}.
-- @table Verdict
-- @tfield string outcome `approve`, `refer`, `decline` or `undecidable`
-- @tfield {Reason,...} reasons
-- @tfield string rule_version
-- @tfield ?string currency such as `mxn`
-- @tfield ?string max_installment
-- @tfield ?integer max_installment_minor
-- @tfield function explain called with a language; see @{explain}

--- A reason of a @{Verdict}.
-- @table Reason
-- @tfield string code such as `long_gap`
-- @tfield ?string metric such as `longest_gap`
-- @tfield ?string value
-- @tfield ?string limit

--- A verdict in words.
-- @table Explanation
-- @tfield string analyst
-- @tfield string worker

return income
