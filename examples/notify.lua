-- Posts the income of every worker who connects an account to your own system.
--
--   NOTIFY_URL=https://example.com/income palenca dev examples/notify.lua
--
-- Without NOTIFY_URL it posts to http://127.0.0.1:9000/income.
local applicant = require "applicant"
local palenca = require "palenca"
local rule = require "rule"

local client = palenca.new()
local url = os.getenv("NOTIFY_URL") or "http://127.0.0.1:9000/income"

palenca.on("login.success", function(event)
  local income, err = applicant.read(client, event.account_id, event.received_at)
  if not income then
    error(err)
  end
  local verdict = palenca.income.decide(income, rule, { installment = "0" })
  local response
  response, err = palenca.http{
    method = "POST",
    url = url,
    -- An event may run more than once; the key lets the receiver keep only the first.
    headers = { ["Idempotency-Key"] = "palenca-" .. event.id },
    -- A figure that is not known is left out; income.unknown says why.
    json = {
      account_id = event.account_id,
      external_id = event.external_id,
      as_of = income.as_of,
      currency = income.currency,
      monthly_income = income.monthly_income,
      median_week = income.median_week,
      regularity = income.regularity,
      stability = income.stability,
      trend = income.trend,
      problems = table.concat(income.problems, " "),
      outcome = verdict.outcome,
      max_installment = verdict.max_installment,
    },
  }
  -- Raising keeps the event: it is tried again with growing waits.
  if not response then
    error(err)
  elseif response.status < 200 or response.status > 299 then
    error(("%s responded with %d"):format(url, response.status))
  end
end)
