-- Shows the income of every worker who connects an account, and what examples/rule.lua makes of it.
--
--   palenca dev examples/income.lua --login uber
--
-- INSTALLMENT is what is to be paid each month, without it 3000.00. `palenca decisions` shows and
-- explains what was decided.
local applicant = require "applicant"
local palenca = require "palenca"
local rule = require "rule"

local client = palenca.new()
local request = { installment = os.getenv("INSTALLMENT") or "3000.00" }

palenca.on("login.success", function(event)
  -- A handler that raises is tried again later, so a failure is never skipped.
  local profile, err = client.accounts:profile(event.account_id)
  if not profile then
    error(err)
  end
  local income, stream = applicant.read(client, event.account_id, event.received_at)
  if not income then
    error(stream) -- the API's error
  end
  local verdict = palenca.income.decide(income, rule, request)
  palenca.decision.record(event, { stream = stream, income = income, verdict = verdict })
  local worker = profile.profile or {}
  print(("%s on %s"):format(worker.first_name or "A worker", event.platform or "a platform"))
  print(palenca.income.table(income))
  print(("\nInstallment of %s: %s"):format(request.installment, verdict.outcome))
  print(verdict:explain("en").analyst)
end)
