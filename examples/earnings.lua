-- Prints the earnings of one account, a line a day, and their exact total.
--
--   palenca run examples/earnings.lua [ACCOUNT [START [END]]]
--
-- Without arguments: the account and the dates of the Palenca tutorial.
local palenca = require "palenca"

local account, first, last = ...
account = account or "cb39ee15-f29f-427d-9119-0c627575610d"
first = first or "2024-09-01"
last = last or "2026-03-01"

local client = palenca.new()
local rows, report = client.accounts:earnings(account, {
  start_date = first,
  end_date = last,
}):all()
if not rows or not report.complete then
  io.stderr:write(tostring(rows and report.reason or report), "\n")
  os.exit(1)
end
local income = palenca.income.analyze(rows, { report = report, as_of = last })

for _, row in ipairs(rows) do
  -- A null amount is a day of which nothing is known, not a day of zero.
  local amount = row.amount and ("%.2f"):format(row.amount) or "-"
  local trips = row.count_trips and ("%d trips"):format(row.count_trips) or ""
  print(("%s  %10s %s  %s"):format(row.earning_date, amount, row.currency or "", trips))
end

print(("%d days"):format(#rows))
if income.currency then -- else the rows are in several
  local total = 0
  for _, month in ipairs(income.months) do
    total = total + month.total_minor
  end
  print(("total %s %s"):format(palenca.income.format(total, income.currency), income.currency))
end
