-- A lender's case from the webhook to the decision: what is approved is posted to the lender's own
-- system once, what a person must look at goes to them, and a declined worker gets the reasons.
--
--   LENDER_URL=https://lender.example palenca serve examples/decide.lua
--
-- POST /approvals, /reviews and /declines of LENDER_URL get the decision, with the event's id as
-- the key by which that system keeps only the first. INSTALLMENT is what is to be paid each month,
-- in the currency CURRENCY: an income in another is not compared with it, and goes to a person.
-- `palenca decisions` shows and explains what was decided, and proves that it was not changed.
local applicant = require "applicant"
local palenca = require "palenca"
local rule = require "rule"

local client = palenca.new()
local lender = os.getenv("LENDER_URL") or "http://127.0.0.1:9000"
local request = {
  installment = os.getenv("INSTALLMENT") or "3000.00",
  currency = os.getenv("CURRENCY") or "mxn",
}

local paths = {
  approve = "/approvals",
  refer = "/reviews",
  undecidable = "/reviews", -- what is not known is no reason to decline
  decline = "/declines",
}

local function post(event, income, verdict)
  local words = verdict:explain("es")
  local response, err = palenca.http{
    method = "POST",
    url = lender .. paths[verdict.outcome],
    headers = { ["Idempotency-Key"] = "palenca-" .. event.id },
    json = {
      account_id = event.account_id,
      external_id = event.external_id,
      outcome = verdict.outcome,
      installment = request.installment,
      installment_currency = request.currency,
      max_installment = verdict.max_installment,
      monthly_income = income.monthly_income,
      currency = income.currency, -- of these two; nil if the income is in several
      as_of = income.as_of,
      rule_version = verdict.rule_version,
      for_analyst = words.analyst,
      for_worker = words.worker,
    },
  }
  -- Raising keeps the event: it is tried again with growing waits, and with the same key.
  if not response then
    error(err)
  elseif response.status < 200 or response.status > 299 then
    error(("%s responded with %d"):format(lender, response.status))
  end
end

palenca.on("login.success", function(event)
  local income, stream = applicant.read(client, event.account_id, event.received_at)
  if not income then
    error(stream) -- the API's error
  end
  local verdict = palenca.income.decide(income, rule, request)
  -- Stored with the end of this event, and so only if the post succeeds.
  palenca.decision.record(event, { stream = stream, income = income, verdict = verdict })
  post(event, income, verdict)
  palenca.log.info{ message = "decided", event = event.id, outcome = verdict.outcome }
end)

-- A login that failed ends no application: the worker gets a message that says what to do.
palenca.on("login.error", function(event)
  local advice = palenca.advice.of_login(event.status_details)
  palenca.log.info{ message = "login failed", event = event.id, actor = advice.actor }
end)
