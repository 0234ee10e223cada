-- Shows the income of every worker who connects an account, and what examples/rule.lua makes of it.
--
--   palenca dev examples/income.lua --login uber
--
-- INSTALLMENT is what is to be paid each month, without it 3000.00, and CURRENCY its currency,
-- without it mxn. `palenca decisions` shows and explains what was decided.
local applicant = require "applicant"
local palenca = require "palenca"
local rule = require "rule"

local client = palenca.new()
local request = {
  installment = os.getenv("INSTALLMENT") or "3000.00",
  currency = os.getenv("CURRENCY") or "mxn",
}

palenca.on("login.success", function(event)
  -- The requests for profile, account and earnings are in flight at once.
  local stream
  local profile, income = palenca.gather(function()
    return client.accounts:profile(event.account_id)
  end, function()
    local result
    result, stream = applicant.read(client, event.account_id, event.received_at)
    return result, stream
  end)
  -- A handler that raises is tried again later, so a failure is never skipped.
  if not profile then
    error(income) -- the API's error
  end
  local verdict = palenca.income.decide(income, rule, request)
  palenca.decision.record(event, { stream = stream, income = income, verdict = verdict })
  local worker = profile.profile or {}
  print(("%s on %s"):format(worker.first_name or "A worker", event.platform or "a platform"))
  print(palenca.income.table(income))
  print(("\nInstallment of %s %s: %s"):format(request.installment, request.currency,
    verdict.outcome))
  print(verdict:explain("en").analyst)
end)
