--- A verdict in words, for the shell and the report: what was decided on, the sentences for the
-- analyst and for the worker, and what the last logins of the accounts have to do with it.
-- @module palenca.host.cli.verdict_texts
local account_state = require("palenca.host.cli.account_state")
local api_amount = require("palenca.income.api_amount")
local last_day = require("palenca.host.cli.last_day")
local money = require("palenca.income.money")
local number_format = require("palenca.host.cli.report.number_format")

local verdict_texts = {}

local requests = {
  es = "Se evaluó un pago mensual de {installment}, con otras obligaciones de {obligations} al "
    .. "mes, según los ingresos hasta el {day} y la regla {version}.",
  pt = "Foi avaliada uma parcela mensal de {installment}, com outras obrigações de {obligations} "
    .. "por mês, conforme a renda até {day} e a regra {version}.",
  en = "Assessed: a monthly installment of {installment}, with other obligations of "
    .. "{obligations} a month, on the income up to {day}, by rule {version}.",
}

local function fill(text, values)
  return (text:gsub("{(%a+)}", values))
end

local function write_amount(text, currency, language)
  local minor = api_amount.read(text, money.decimals(currency))
  local amount = money.format(minor, currency)
  return number_format.number(currency and amount .. " " .. currency:upper() or amount, language)
end

local function request_text(verdict, request, result, language)
  local currency = request.currency
  local version = verdict.rule_version
  return fill(requests[language], {
    installment = write_amount(request.installment, currency, language),
    obligations = write_amount(request.obligations, currency, language),
    day = result.as_of,
    version = type(version) == "number" and ("%d"):format(version) or version,
  })
end

-- Of the accounts whose last login was no success, or whose data are old or end before the last
-- day: what that means, and what to do.
local function states_of(accounts, details, names, language)
  local texts, unconnected = {}, nil
  for _, account in ipairs(accounts) do
    local found, platform = details[account.account] or {}, account.platform
    local state, age = found.state, found.age
    local name = names and names[platform] or platform or "-"
    if state then
      texts[#texts + 1] = ("%s, %s: %s"):format(name, account.account,
        account_state.advise(state, language))
      unconnected = unconnected or not state.connected and state or nil
    end
    texts[#texts + 1] = age and ("%s, %s: %s."):format(name, account.account,
      last_day.describe(age, language)) or nil
  end
  return texts, unconnected
end

--- Writes it.
-- @tparam table data `language`; `income`; `verdict` and `request`, of
-- @{palenca.host.cli.verdict_input}; `accounts` and `details`, of
-- @{palenca.host.cli.income_input.read}; maybe `platform_names`, code → name
-- @treturn table `request`, `analyst` and `worker`, texts; `states`, a list of texts on accounts
-- whose last login was no success, or whose data are old or end before the last day
function verdict_texts.of(data)
  local language, verdict = data.language, data.verdict
  local said = verdict:explain(language)
  local states, unconnected = states_of(data.accounts, data.details, data.platform_names, language)
  local first = verdict.reasons[1]
  -- of an account that was never connected nobody knows whether there are earnings
  local worker = first and first.code == "no_rows" and unconnected
    and account_state.tell_worker(unconnected, language)
  return {
    request = request_text(verdict, data.request, data.income, language),
    states = states,
    analyst = number_format.sentence(said.analyst, language),
    worker = worker or number_format.sentence(said.worker, language),
  }
end

return verdict_texts
