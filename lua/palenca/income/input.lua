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

local function expect(kind, value, place, ...)
  if type(value) ~= kind then
    fail(place .. ": expected a %s, got %s", ...)
  end
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
    fail("options.report.complete: expected a boolean, got %s", type(complete))
  elseif complete == false and not settings.allow_incomplete then
    fail("the earnings are incomplete (options.report.complete is false)")
  end
  settings.complete = complete
end
