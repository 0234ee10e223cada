--- Explains verdicts in words; see @{palenca.income.explain}.
-- @module palenca.income.explain
local fail = require("palenca.income.fail")
local labels = require("palenca.income.labels")
local percent = require("palenca.income.percent")
local sentences = require("palenca.income.sentences")

-- A reason's code → the worker's sentence.
local WORKER = {
  no_recent_income = "no_recent_income",
  few_active_weeks = "irregular_income",
  irregular_income = "irregular_income",
  insufficient_history = "short_history",
  no_rows = "no_rows",
  other_currency = "other_currency",
  account_warning = "account_warning",
  mixed_currencies = "mixed_currencies",
}

local function fill(text, values)
  return (text:gsub("{(%a+)}", values))
end

local function with_unit(language, unit, count)
  return ("%d %s"):format(count, sentences.units[language][unit][count == 1 and 1 or 2])
end

local function write(language, format, value, currency)
  if value == nil then
    return nil
  elseif format == "percent" then
    return percent(value)
  elseif format == "currency" then
    return value:upper()
  elseif format == "money" then
    return value .. (currency and " " .. currency:upper() or "")
  end
  return with_unit(language, format, value)
end

local function split(code)
  local name, detail = code:match("^([^:]*):(.*)$")
  return name or code, detail
end

-- Of a reason that says that a figure is unknown: why it is.
local function cause_of(reason)
  return reason.code:find("^unknown_") and reason.metric ~= "problems" and reason.value or nil
end

local function write_cause(reason, language)
  local cause = labels.unknown[cause_of(reason)]
  return cause and ": " .. cause[language] or ""
end

local function explain_reason(reason, language, currency)
  local name, detail = split(reason.code)
  if name == "no_recent_income" and reason.value == nil then
    name = "no_income"
  end
  local texts = sentences.reasons[name]
  if not texts then
    return reason.code .. "."
  end
  local format = sentences.formats[reason.metric]
  local is_figure = not cause_of(reason)
  return fill(texts[language], {
    value = is_figure and write(language, format, reason.value, currency) or nil,
    limit = write(language, format, reason.limit, currency),
    detail = name == "account_warning" and labels.warning(detail, language) or detail,
    cause = write_cause(reason, language),
  })
end

local function for_analyst(verdict, language, max)
  local parts = {
    fill(sentences.outcomes[verdict.outcome][language], {
      version = type(verdict.rule_version) == "number"
        and ("%d"):format(verdict.rule_version) or verdict.rule_version,
    }),
  }
  local is_said = false
  for _, reason in ipairs(verdict.reasons) do
    parts[#parts + 1] = explain_reason(reason, language, verdict.currency)
    is_said = is_said or reason.code == "installment_too_high"
  end
  if max and not is_said then
    parts[#parts + 1] = fill(sentences.max_installment[language], { max = max })
  end
  return table.concat(parts, " ")
end

local function worker_key(verdict)
  local outcome, first = verdict.outcome, verdict.reasons[1]
  if outcome == "approve" or outcome == "refer" then
    return outcome
  elseif outcome == "undecidable" then
    return WORKER[cause_of(first) or split(first.code)] or "unclear_data"
  elseif first.code ~= "installment_too_high" then
    return WORKER[first.code]
  end
  return (verdict.max_installment_minor or 0) > 0 and "installment_too_high" or "no_installment"
end

--- See @{palenca.income.explain}.
return function(verdict, language)
  if type(verdict) == "string" and language == nil then
    error('palenca.income: explain: call it with a colon, as in verdict:explain("es")', 0)
  elseif type(verdict) ~= "table" or not sentences.outcomes[verdict.outcome]
    or type(verdict.reasons) ~= "table" then
    error("palenca.income: explain: expected a verdict of palenca.income.decide", 0)
  elseif not sentences.units[language] then
    fail.value("explain", 'expected "es", "pt" or "en"', language)
  end
  local max = write(language, "money", verdict.max_installment, verdict.currency)
  return {
    analyst = for_analyst(verdict, language, max),
    worker = fill(sentences.worker[worker_key(verdict)][language], { max = max }),
  }
end
