--- The console's view of an account's income: the figures as of yesterday, and the verdict of the
-- default rule.
-- @module palenca.sandbox.control.console_income
local canonical_json = require("palenca.util.canonical_json")
local date = require("palenca.util.date")
local income = require("palenca.income")
local labels = require("palenca.income.labels")
local percent = require("palenca.income.percent")
local render = require("palenca.sandbox.data.render")

local console_income = {}

local LANGUAGE = "en"
-- No installment is requested here: the verdict has the maximum.
local RULE, REQUEST = { version = "default" }, { installment = "0" }

local explanation_shape = render.shape { "analyst", "worker" }
local figure_shape = render.shape { "field", "kind", "label", "text", "note" }

local function canonical(value)
  return render.raw(canonical_json.encode(value))
end

local function text_of(kind, value)
  if value == nil or type(value) == "string" then
    return value
  end
  return kind == "percent" and percent(value) or canonical_json.number(value)
end

local function figure_of(found, figure)
  local field, kind = figure[1], figure[2]
  local label, note = table.unpack(figure[LANGUAGE])
  local text = text_of(kind, found[field])
  if not text then
    local why = labels.unknown[found.unknown[field]]
    note = labels.words[LANGUAGE].not_known .. (why and ": " .. why[LANGUAGE] or "")
  end
  return figure_shape { field = field, kind = kind, label = label, text = text, note = note }
end

local function figures_of(found)
  local list = {}
  for at, figure in ipairs(labels.figures) do
    list[at] = figure_of(found, figure)
  end
  return render.array(list)
end

-- A search as of yesterday finds none that are later.
local function rows_until(rows, as_of)
  local list = {}
  for _, row in ipairs(rows) do
    if row.earning_date <= as_of then
      list[#list + 1] = row
    end
  end
  return list
end

--- The words on weeks and months.
console_income.words = labels.words[LANGUAGE]

--- The income of an account.
-- @tparam table account the account
-- @tparam table rows all its rows
-- @tparam number now in Unix seconds
-- @treturn table `income` and `verdict`, as @{palenca.income} has them; `explanation`; `figures`,
-- each with its words. None of them if the account was never connected
function console_income.of(account, rows, now)
  if not account.connected then
    return {}
  end
  local as_of = date.text(date.day_of(now) - 1)
  local known = rows_until(rows, as_of)
  local found = income.analyze(income.merge { {
    rows = known,
    report = { complete = true, rows = #known },
    account = account.account_id,
    platform = account.platform,
    warning = account.warning,
  } }, { as_of = as_of })
  local verdict = income.decide(found, RULE, REQUEST)
  return {
    income = canonical(found),
    verdict = canonical(verdict),
    explanation = explanation_shape(verdict:explain(LANGUAGE)),
    figures = figures_of(found),
  }
end

return console_income
