--- Computes an income from rows; see @{palenca.income.analyze}.
-- @module palenca.income.analyze
local canonical_json = require("palenca.util.canonical_json")
local date = require("palenca.util.date")
local exact = require("palenca.income.exact")
local fail = require("palenca.income.fail")
local figures = require("palenca.income.figures")
local ledger = require("palenca.income.ledger")
local merge = require("palenca.income.merge")
local origin = require("palenca.income.origin")

local min, max, floor = math.min, math.max, math.floor

local OPTIONS = { as_of = true, start_date = true, report = true, allow_incomplete = true }

-- The figures that need one currency. `by_currency` has them for each.
local MONEY = {
  "monthly_income", "income_30d", "income_60d", "income_90d", "median_week", "low_week",
  "qualifying_income", "adjustments_total",
}
local QUOTIENTS = { "stability", "trend", "cash_share", "cash_known" }

local function list(items)
  return #items > 0 and items or setmetatable(items, canonical_json.array_metatable)
end

local function read_date(name, value)
  return date.parse_in_century(value)
    or fail.value("options." .. name, "expected " .. fail.DATE, value)
end

local function read_options(options)
  fail.unless_known("options", options, OPTIONS)
  local last = read_date("as_of", options.as_of)
  local start = options.start_date and read_date("start_date", options.start_date)
  if start and start > last then
    fail.value("options.start_date", "expected no day after options.as_of", options.start_date)
  elseif options.allow_incomplete ~= nil and type(options.allow_incomplete) ~= "boolean" then
    fail.value("options.allow_incomplete", "expected a boolean", options.allow_incomplete)
  end
  return last, start
end

-- ---- the days ------------------------------------------------------------------------

local function is_active(all, index)
  for at = 1, #all do
    if figures.is_active(all[at], index) then
      return true
    end
  end
  return false
end

local function count_active(all, from, to)
  local count = 0
  if #all == 1 and all[1].limbs == 0 then
    local sums = all[1].sums
    for index = from, to do
      count = count + ((sums[index] or 0) > 0 and 1 or 0)
    end
    return count
  end
  for index = from, to do
    count = count + (is_active(all, index) and 1 or 0)
  end
  return count
end

-- Full weeks of the window, oldest first; and why there are not more, if that is asked for.
local function find_weeks(history)
  local weeks, left_out = {}, 0
  local sunday = date.weekday(history.last) % 7 + 1
  for from = sunday, min(history.window, history.observed) - 6, 7 do
    if figures.is_unknown(history, from, from + 6) then
      left_out = left_out + 1
    else
      table.insert(weeks, 1, { from = from, to = from + 6 })
    end
  end
  local is_enough = #weeks + left_out >= 5
  return weeks, is_enough and left_out > 0 and "unknown_amounts" or "insufficient_history"
end

-- The days observed of a history or account; those of them that are averaged.
local function days_of(rows, limit)
  local observed = min(rows.first_index, limit)
  return observed, min(max(30, min(90, observed)), observed)
end

-- Whether an account by itself lacks the amounts of more than one in four of the days that would be
-- averaged. Beside others its days would pass for idle ones.
local function lacks_amounts(history)
  for _, account in ipairs(history.accounts) do
    local _, in_window = days_of(account, history.limit)
    if figures.is_unknown(account, 1, in_window) then
      return true
    end
  end
  return false
end

local function read_history(accounts, last, start)
  local history = ledger.enter(accounts, last, start)
  history.last = last
  history.observed, history.in_window = days_of(history, history.limit)
  history.window = max(30, history.in_window)
  history.window_unknown = figures.unknown_days(history, 1, history.in_window)
  history.is_window_unknown = 4 * history.window_unknown > history.in_window
  history.weeks, history.weeks_reason = find_weeks(history)
  return history
end

-- ---- currencies ----------------------------------------------------------------------

-- Those with amounts, by name; the series of rows without a currency comes first.
local function list_series(by_currency)
  local all, names = {}, {}
  for name, series in pairs(by_currency) do
    if next(series.sums) then
      names[#names + 1] = name
    end
  end
  table.sort(names, canonical_json.is_before)
  for at, name in ipairs(names) do
    all[at] = by_currency[name]
  end
  return all
end

-- Without any amount the currency is the one that the rows name, if it is one.
local function only_named(by_currency)
  local only, count = nil, 0
  for name, series in pairs(by_currency) do
    if name ~= "" and series.is_named then
      only, count = series.currency, count + 1
    end
  end
  return count == 1 and only or nil
end

local function count_currencies(history, all)
  history.has_unknown_currency = all[1] ~= nil and not all[1].currency
  history.is_mixed = #all - (history.has_unknown_currency and 1 or 0) > 1
end

-- The series that the figures are of; or nil and why there is no such one. A history without any
-- amount has none, however few its rows are: the days between them are not known to be idle.
local function choose_series(history, all)
  if history.rows == 0 then
    return nil, "no_rows"
  elseif history.is_mixed then
    return nil, "mixed_currencies"
  elseif history.has_unknown_currency then
    return nil, "unknown_currency"
  elseif #all == 1 then
    return all[1]
  end
  return nil, "unknown_amounts"
end

-- ---- the record ----------------------------------------------------------------------

local function add_activity(record, history, all)
  record.active_days = count_active(all, 1, history.in_window)
  local known = history.in_window - history.window_unknown
  if known > 0 then
    record.days_worked_per_week = figures.ratio(record.active_days * 7, known)
  else
    record.unknown.days_worked_per_week = history.rows == 0 and "no_rows" or "unknown_amounts"
  end
  local longest, run = 0, 0
  for index = 1, history.observed do
    local active = is_active(all, index)
    run = (active or history.unknown[index]) and 0 or run + 1
    longest = max(longest, run)
    if active and not record.days_since_last_income then
      record.days_since_last_income = index - 1
    end
  end
  record.longest_gap = longest
  if not record.days_since_last_income then
    record.unknown.days_since_last_income = history.rows == 0 and "no_rows" or "no_income"
  end
end

-- A week or month: its days, and its total if there is one currency.
local function new_span(history, all, series, from, to)
  local span = {
    from = date.text(history.last - to + 1),
    to = date.text(history.last - from + 1),
    active_days = count_active(all, from, to),
    unknown_days = figures.unknown_days(history, from, to),
  }
  if series then
    figures.put_money(span, "total", series, figures.sum(series, from, to))
  end
  return span
end

local function is_positive(all, week)
  for _, series in ipairs(all) do
    if exact.sign(figures.sum(series, week.from, week.to)) > 0 then
      return true
    end
  end
  return false
end

local function add_weeks(record, history, series, all)
  record.full_weeks, record.active_weeks = #history.weeks, 0
  record.weeks = {}
  for at, week in ipairs(history.weeks) do
    record.weeks[at] = new_span(history, all, series, week.from, week.to)
    if is_positive(all, week) then
      record.active_weeks = record.active_weeks + 1
    end
  end
  list(record.weeks)
  if #history.weeks >= 5 then
    record.regularity = figures.ratio(record.active_weeks, #history.weeks)
  else
    record.unknown.regularity = history.rows == 0 and "no_rows" or history.weeks_reason
  end
end

local function list_months(history, all, series)
  local months = {}
  local number = history.last - history.observed + 1
  while number <= history.last do
    local year, month_of_year, first = date.parts(number)
    local month_end = number - first + date.last_day(year, month_of_year)
    local last = min(month_end, history.last)
    local month = new_span(history, all, series, history.last - last + 1,
      history.last - number + 1)
    month.month = month.from:sub(1, 7)
    month.full = first == 1 and last == month_end
    months[#months + 1] = month
    number = month_end + 1
  end
  return list(months)
end

-- Of a platform, or of all accounts.
local function uncounted_rows(history, platform)
  local count = 0
  for _, account in ipairs(history.accounts) do
    if not platform or account.platform == platform then
      count = count + account.uncounted
    end
  end
  return count
end

local function platforms_of(history, series)
  local platforms = {}
  for name, by_currency in pairs(history.platforms) do
    local all = list_series(by_currency)
    local platform = { active_days = count_active(all, 1, history.observed),
      uncounted_rows = uncounted_rows(history, name) }
    if series then
      local own = by_currency[series.currency]
      figures.put_money(platform, "total", series, 0)
      if own then
        figures.put_money(platform, "total", own, figures.sum(own, 1, history.observed))
      end
    end
    platforms[name] = platform
  end
  return platforms
end

-- Every count that the report has must be that of the rows.
local function is_incomplete(account)
  local report, count = account.report, #account.rows
  return report and (not report.complete or (report.rows or count) ~= count
    or (report.total_items or count) ~= count)
end

local function list_problems(history, accounts)
  local incomplete, unknown = false, false
  local warnings, seen = {}, {}
  for _, account in ipairs(accounts) do
    incomplete = incomplete or is_incomplete(account)
    unknown = unknown or not account.report
    local warning = account.warning
    if warning and not seen[warning] then
      seen[warning] = true
      warnings[#warnings + 1] = "account_warning:" .. warning
    end
  end
  table.sort(warnings, canonical_json.is_before)
  local problems = {}
  for _, check in ipairs({
    { "incomplete", incomplete },
    { "completeness_unknown", unknown },
    { "no_rows", history.rows == 0 },
    { "future_rows", history.has_future },
    { "mixed_currencies", history.is_mixed },
    { "unknown_currency", history.has_unknown_currency },
    { "conflicting_days", history.is_conflicting },
    { "unknown_amounts", history.is_window_unknown or lacks_amounts(history) },
  }) do
    if check[2] then
      problems[#problems + 1] = check[1]
    end
  end
  for _, warning in ipairs(warnings) do
    problems[#problems + 1] = warning
  end
  return list(problems), incomplete
end

local function by_currency(history, all)
  local result = {}
  for _, series in ipairs(all) do
    if series.currency then
      local record = { unknown = {} }
      figures.add(record, history, series)
      local own = { qualifying_basis = record.qualifying_basis, unknown = {} }
      for _, name in ipairs(MONEY) do
        own[name], own[name .. "_minor"] = record[name], record[name .. "_minor"]
        own.unknown[name] = record.unknown[name]
      end
      for _, name in ipairs(QUOTIENTS) do
        own[name], own.unknown[name] = record[name], record.unknown[name]
      end
      result[series.currency] = own
    end
  end
  return result
end

local function add_figures(record, history, all)
  local series, reason = choose_series(history, all)
  if series then
    record.currency = series.currency
    figures.add(record, history, series)
    return series
  end
  record.currency = reason == "unknown_amounts" and only_named(history.series) or nil
  record.unknown.currency = not record.currency and reason or nil
  for _, names in ipairs({ MONEY, QUOTIENTS }) do
    for _, name in ipairs(names) do
      record.unknown[name] = reason
    end
  end
end

local function count_adjustments(all)
  local count = 0
  for _, series in ipairs(all) do
    count = count + series.adjustments
  end
  return count
end

--- See @{palenca.income.analyze}.
return function(stream, options)
  local last, start = read_options(options)
  local accounts, is_merged = merge.read(stream, options.report)
  local history = read_history(accounts, last, start)
  local all = list_series(history.series)
  count_currencies(history, all)
  local record = {
    as_of = options.as_of,
    days_observed = floor(history.observed),
    window_days = floor(history.window),
    unknown_days = figures.unknown_days(history, 1, history.observed),
    uncounted_rows = uncounted_rows(history),
    identical_rows = history.identical_rows,
    adjustments = count_adjustments(all),
    unknown = {},
  }
  local incomplete
  record.problems, incomplete = list_problems(history, accounts)
  history.is_withheld = incomplete and not options.allow_incomplete
  local series = add_figures(record, history, all)
  add_activity(record, history, all)
  add_weeks(record, history, series, all)
  record.months = list_months(history, all, series)
  record.platforms = is_merged and platforms_of(history, series) or nil
  record.by_currency = history.is_mixed and by_currency(history, all) or nil
  origin.set_income(record, stream, options)
  return record
end
