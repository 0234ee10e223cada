-- Rows of earnings for the specs of the income module.
local income = require("palenca.income")

local helper = {}

--- A row of the API: pesos unless told otherwise.
function helper.row(date, amount, trips, cash, currency)
  return {
    earning_date = date,
    amount = amount,
    currency = currency or "mxn",
    count_trips = trips,
    cash_amount = cash,
  }
end

--- A worker, worked out by hand: 1500.25 + 1200.30 + 1350.45 = 4051.00; a third is 1350.33..;
-- 3 x 1200.30 / 4051.00 = 88.88.. %; 30 % of 1350.33 is 405.099; 100 / 4051 = 2.46.. %.
function helper.worker()
  return {
    helper.row("2025-03-31", 450.40, 7, 100.0),
    helper.row("2025-03-01", 900.05, 9),
    helper.row("2025-02-11", 0.30, 1),
    helper.row("2025-02-10", 1200, 12),
    helper.row("2025-01-31", 500.15, 5),
    helper.row("2025-01-01", 1000.10),
  }
end

--- What an amount is in minor units.
function helper.minor_of(amount, currency)
  return income.summarize({ helper.row("2025-03-14", amount, nil, nil, currency) }).total_minor
end

--- The message with which earnings and options are refused.
function helper.refusal(...)
  local ok, message = pcall(income.summarize, ...)
  assert(not ok, "it was not refused")
  return message
end

return helper
