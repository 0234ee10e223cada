--- Checks the options and the rows that an income is computed from, and names what is wrong.
-- @module palenca.income.input
local money = require("palenca.income.money")
local months = require("palenca.income.months")

local input = {}

local NO_DATE = "expected a date, YYYY-MM-DD"
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

local function fail_row(index, field, problem)
  fail("earnings[%d].%s: %s", index, field, problem)
end

local function expected(what, value)
  return ("expected %s, got %s"):format(what, type(value))
end

local function check_thresholds(settings)
  for _, name in ipairs({ "min_consistency", "installment_percent" }) do
    local value = settings[name]
    -- Percentages are compared in tenths; a finer one would be cut silently.
    if not (value >= 0 and value <= 100) or math.floor(value * 10 + 0.5) / 10 ~= value then
      fail("options.%s: expected 0 to 100 in steps of 0.1", name)
    end
  end
  local least = settings.min_active_months
  if not (least >= 0 and least == math.floor(least)) then
    fail("options.min_active_months: expected a whole number")
  end
end

local function check_period(settings)
  for _, name in ipairs({ "start_date", "end_date" }) do
    if settings[name] then
      settings[name] = months.date(settings[name]) or fail("options.%s: %s", name, NO_DATE)
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
  local complete = settings.report and settings.report.complete
  if settings.report and type(complete) ~= "boolean" then
    fail("options.report.complete: %s", expected("a boolean", complete))
  elseif complete == false and not settings.allow_incomplete then
    fail("the earnings are incomplete (options.report.complete is false)")
  end
  settings.complete = complete
end

--- Reads the options of `palenca.income.summarize`; raises if one is not as it should be.
-- @tparam ?table options the caller's
-- @treturn table a copy with the defaults, the dates read and `complete`, the report's word
function input.options(options)
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

local function read_money(row, index, field, currency)
  local value = row[field]
  if value == nil then
    return nil
  elseif type(value) ~= "number" then
    fail_row(index, field, expected("a number", value))
  end
  local minor, rounded = money.parse(value, currency)
  if not minor then
    fail_row(index, field, "not a finite number small enough to be exact")
  end
  return minor, rounded
end

local function read_currency(row, index, settings)
  local currency = row.currency
  if currency ~= nil and type(currency) ~= "string" then
    fail_row(index, "currency", expected("a string", currency))
  end
  return currency and currency ~= "" and currency:lower() or settings.currency
end

local function read_row(row, index, settings)
  if type(row) ~= "table" then
    fail("earnings[%d]: %s", index, expected("a table", row))
  end
  local trips = row.count_trips
  if trips ~= nil and not (money.is_whole(trips) and trips >= 0) then
    fail_row(index, "count_trips", "expected a whole number of trips")
  end
  local currency = read_currency(row, index, settings)
  local amount, amount_rounded = read_money(row, index, "amount", currency)
  local cash, cash_rounded = read_money(row, index, "cash_amount", currency)
  return {
    date = months.date(row.earning_date) or fail_row(index, "earning_date", NO_DATE),
    -- A row that tells no amount adds nothing to any sum, so it needs no currency yet.
    currency = currency or amount and "unknown",
    amount = amount,
    -- Cash is a part of the amount; without the amount there is nothing it is a part of.
    cash = amount and cash,
    trips = trips and math.floor(trips),
    rounded = amount_rounded or amount and cash_rounded,
  }
end

local function check_array(earnings)
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
end

--- Reads the rows; raises if one is not as it should be.
-- @tparam {table,...} earnings the API's rows
-- @tparam table settings a result of `options`
-- @treturn {table,...} those inside the period, as `{date=, currency=, amount=, cash=, trips=,
-- rounded=}`, the amounts in minor units
-- @treturn integer how many are outside of it
function input.rows(earnings, settings)
  check_array(earnings)
  local first, last = settings.start_date, settings.end_date
  local rows = {}
  for index, item in ipairs(earnings) do
    local row = read_row(item, index, settings)
    local day = row.date.text
    if not (first and day < first.text or last and day > last.text) then
      rows[#rows + 1] = row
    end
  end
  return rows, #earnings - #rows
end

return input
