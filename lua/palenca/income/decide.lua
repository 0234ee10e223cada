--- Decides on an income by a rule; see @{palenca.income.decide}.
-- @module palenca.income.decide
local api_amount = require("palenca.income.api_amount")
local canonical_json = require("palenca.util.canonical_json")
local exact = require("palenca.income.exact")
local explain = require("palenca.income.explain")
local fail = require("palenca.income.fail")
local money = require("palenca.income.money")
local origin = require("palenca.income.origin")
local rule = require("palenca.income.rule")

local floor = math.floor

local REQUEST = { installment = true, obligations = true, currency = true }

local Verdict = {}
Verdict.__index = Verdict

--- Explains the verdict; see @{palenca.income.explain}.
Verdict.explain = explain

local function read_money(request, name, currency)
  local value = request[name]
  local is_whole = type(value) == "number" and value == floor(value)
  if type(value) ~= "string" and not is_whole then
    fail.value("request." .. name, "expected decimal text or a whole number", value)
  end
  local decimals = money.decimals(currency)
  local minor, extra = api_amount.read(value, decimals)
  if not minor then
    fail.value("request." .. name, extra, value)
  elseif extra then
    fail.value("request." .. name, ("expected at most %d decimals"):format(decimals), value)
  elseif minor < 0 then
    fail.value("request." .. name, "expected no negative amount", value)
  end
  local problem = type(value) == "string" and money.decimals_problem(value, currency)
  if problem then
    error(("palenca.income: request.%s: %s"):format(name, problem), 0)
  end
  return minor
end

-- The currency is in lower case, as that of an income; of a request without one it is the income's.
local function read_request(request, currency)
  fail.unless_known("request", request, REQUEST)
  local own = request.currency
  if own ~= nil and not (type(own) == "string" and own:find("^%a%a%a$")) then
    fail.value("request.currency", "expected a currency of three letters, such as mxn", own)
  end
  currency = own and own:lower() or currency
  return read_money(request, "installment", currency),
    request.obligations ~= nil and read_money(request, "obligations", currency) or 0, currency
end

local function check_income(income)
  if type(income) ~= "table" or type(income.problems) ~= "table"
    or type(income.unknown) ~= "table" or type(income.days_observed) ~= "number" then
    error("palenca.income: income: expected what palenca.income.analyze returned", 0)
  end
end

-- ---- the checks ----------------------------------------------------------------------

local function check_data(income, limits, add, currency)
  for _, problem in ipairs(income.problems) do
    add(problem, "problems")
  end
  if income.currency ~= nil and income.currency ~= currency then
    add("other_currency", "currency", income.currency, currency)
  end
  if income.days_observed < limits.min_days_observed then
    add("insufficient_history", "days_observed", income.days_observed, limits.min_days_observed)
  end
  for _, name in ipairs({ "monthly_income", "qualifying_income", "regularity", "stability" }) do
    if income[name] == nil then
      add("unknown_" .. name, name, income.unknown[name])
    end
  end
end

local function check_activity(income, limits, add)
  local days = income.days_since_last_income
  if not days or days > limits.max_days_since_last then
    add("no_recent_income", "days_since_last_income", days, limits.max_days_since_last)
  end
  if income.active_weeks < limits.min_active_weeks then
    add("few_active_weeks", "active_weeks", income.active_weeks, limits.min_active_weeks)
  end
  if income.regularity and income.regularity < limits.min_regularity then
    add("irregular_income", "regularity", income.regularity, limits.min_regularity)
  end
end

local function check_steadiness(income, limits, add)
  if income.longest_gap > limits.max_gap then
    add("long_gap", "longest_gap", income.longest_gap, limits.max_gap)
  end
  if income.stability and income.stability < limits.min_stability then
    add("unstable_income", "stability", income.stability, limits.min_stability)
  end
  if income.trend and income.trend < -limits.max_decline then
    add("declining_income", "trend", income.trend, 0 - limits.max_decline)
  end
end

-- A limb's base to the power of the limbs that the fraction takes.
local function read_basis(income)
  local basis = income.qualifying_basis
  local decimals = money.decimals(income.currency)
  local minor, extra, negative
  if type(basis) == "table" and type(basis.days) == "number" then
    minor, extra, negative = api_amount.read(basis.sum, decimals)
  end
  if not minor then
    error("palenca.income: income.qualifying_basis: expected that of palenca.income.analyze", 0)
  elseif not extra then
    return minor, 0, basis.days
  end
  local limbs = math.ceil(#extra / exact.LIMB_DIGITS)
  local digits = extra .. ("0"):rep(limbs * exact.LIMB_DIGITS - #extra)
  local fraction = exact.from_digits(digits, negative)
  return exact.add(exact.shift(minor, limbs), fraction), limbs, basis.days
end

-- Qualifying income x ratio - obligations, with one rounding: the basis is exact.
local function max_installment(income, limits, obligations)
  if income.qualifying_income == nil then
    return nil
  end
  local sum, limbs, days = read_basis(income)
  local part = exact.times(exact.times(sum, 365), floor(limits.ratio * 10000 + 0.5))
  local whole = exact.shift(exact.times(12 * days, 10000), limbs)
  return floor(exact.floor_div(part, whole) - obligations)
end

local GROUPS = {
  { check_data, "undecidable" },
  { check_activity, "decline" },
  { check_steadiness, "refer" },
}

local function collect(income, limits, currency)
  local reasons, outcome = {}, nil
  for _, group in ipairs(GROUPS) do
    group[1](income, limits, function(code, metric, value, limit)
      reasons[#reasons + 1] = { code = code, metric = metric, value = value, limit = limit }
      outcome = outcome or group[2]
    end, currency)
  end
  return reasons, outcome
end

--- See @{palenca.income.decide}.
return function(income, given, request)
  check_income(income)
  local limits = rule.read(given)
  local currency = income.currency
  local installment, obligations, asked_in = read_request(request, currency)
  local reasons, outcome = collect(income, limits, asked_in)
  local max_minor = asked_in == currency and max_installment(income, limits, obligations) or nil
  local is_shown = max_minor and (not outcome or outcome == "refer")
  if max_minor and installment > max_minor then
    reasons[#reasons + 1] = {
      code = "installment_too_high",
      metric = "installment",
      value = money.format(installment, currency),
      limit = money.format(max_minor, currency),
    }
    outcome = outcome or "decline"
  end
  if #reasons == 0 then
    setmetatable(reasons, canonical_json.array_metatable)
  end
  local verdict = setmetatable({
    outcome = outcome or "approve",
    reasons = reasons,
    rule_version = limits.version,
    currency = currency,
    max_installment = is_shown and money.format(max_minor, currency) or nil,
    max_installment_minor = is_shown and max_minor or nil,
  }, Verdict)
  origin.set_verdict(verdict, income, limits, request)
  return verdict
end
