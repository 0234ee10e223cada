-- Shows the income of every worker who connects an account.
--
--   palenca dev examples/income.lua --login uber
--
-- Each login, simulated here, is followed by the income of its last twelve months.
local palenca = require "palenca"

local client = palenca.new()

-- From the first of a month, so that the oldest month is a whole one.
local function last_twelve_months()
  local now = os.date("*t")
  local start = os.time{year = now.year, month = now.month - 12, day = 1}
  return os.date("%Y-%m-%d", start), os.date("%Y-%m-%d")
end

palenca.on("login.success", function(event)
  -- A handler that raises is tried again later, so a failure is never skipped.
  local profile, err = client.accounts:profile(event.account_id)
  if not profile then
    error(err)
  end

  local first, last = last_twelve_months()
  local rows, report = client.accounts:earnings(event.account_id, {
    start_date = first,
    end_date = last,
  }):all()
  if not rows then
    error(report)
  end

  local income = palenca.income.summarize(rows, {
    report = report,
    start_date = first,
    end_date = last,
  })

  local worker = profile.profile or {}
  print(("%s on %s"):format(worker.first_name or "A worker", event.platform or "a platform"))
  print(palenca.income.table(income))
  for currency, figures in pairs(income.currencies) do
    local consistency = figures.consistency and ("%.1f %%"):format(figures.consistency) or "-"
    print(("average month       %s %s"):format(figures.average_month or "-", currency))
    print(("consistency         %s"):format(consistency))
    print(("last day            %s"):format(figures.last_date))
    print(("verifiable          %s"):format(figures.verifiable and "yes" or "no"))
    print(("largest instalment  %s %s"):format(figures.max_installment, currency))
  end
end)
