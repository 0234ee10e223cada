-- Shows the income of every worker who connects an account.
--
--   palenca dev examples/income.lua --login uber
--
-- Each login, simulated here, is followed by the income of its last twelve months: up to today, or
-- up to the last day with earnings if there were none since.
local palenca = require "palenca"

local client = palenca.new()

-- From the first of a month, so that the oldest month is a whole one.
local function twelve_months_to(last)
  local year, month = last:match("^(%d+)-(%d+)")
  local start = os.time{year = tonumber(year), month = tonumber(month) - 12, day = 1}
  return os.date("%Y-%m-%d", start), last
end

local function read(account_id, first, last)
  local rows, report = client.accounts:earnings(account_id, {
    start_date = first,
    end_date = last,
  }):all()
  if not rows then
    error(report)
  end
  return rows, report
end

palenca.on("login.success", function(event)
  -- A handler that raises is tried again later, so a failure is never skipped.
  local profile, err = client.accounts:profile(event.account_id)
  if not profile then
    error(err)
  end

  local first, last = twelve_months_to(os.date("%Y-%m-%d"))
  local rows, report = read(event.account_id, first, last)
  local remark
  if #rows == 0 then
    local newest = read(event.account_id, "2010-01-01", last)[1]
    if newest then
      remark = ("no earnings since %s: the history ends on %s, and this is the income up to then")
        :format(first, newest.earning_date)
      first, last = twelve_months_to(newest.earning_date)
      rows, report = read(event.account_id, first, last)
    end
  end

  local income = palenca.income.summarize(rows, {
    report = report,
    start_date = first,
    end_date = last,
  })

  local worker = profile.profile or {}
  print(("%s on %s"):format(worker.first_name or "A worker", event.platform or "a platform"))
  if remark then
    print(remark)
  end
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
