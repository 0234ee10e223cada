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
if not rows then
  io.stderr:write(tostring(report), "\n")
  os.exit(1)
end

-- Before anything is printed: this raises when a row is missing.
local income = palenca.income.summarize(rows, { report = report })

for _, row in ipairs(rows) do
  -- A null amount is a day of which nothing is known, not a day of zero.
  local amount = row.amount and ("%.2f"):format(row.amount) or "-"
  local trips = row.count_trips and ("%d trips"):format(row.count_trips) or ""
  print(("%s  %10s %s  %s"):format(row.earning_date, amount, row.currency or "", trips))
end

print(("%d days"):format(#rows))
for currency, figures in pairs(income.currencies) do
  print(("total %s %s"):format(figures.total, currency))
end
