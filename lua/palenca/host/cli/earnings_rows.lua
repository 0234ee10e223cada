--- Reads earnings for `palenca earnings` and `palenca export`: complete, with exact amounts.
-- @module palenca.host.cli.earnings_rows
local api_command = require("palenca.host.cli.api_command")
local rows_format = require("palenca.host.cli.rows_format")

local earnings_rows = {}

--- Their columns.
earnings_rows.columns = {
  { name = "earning_date" },
  { name = "amount", right = true },
  { name = "currency" },
  { name = "cash_amount", right = true },
  { name = "count_trips", right = true },
  { name = "account" },
}

--- Reads those of an account, newest first. Each row names its account, as `palenca income --rows`
-- takes it, and has its amounts as text.
-- @tparam Client api
-- @tparam string account its id
-- @tparam table period `start_date`, `end_date`
-- @treturn ?{table,...} nil if they cannot be read, or are incomplete
-- @return an error of palenca.errors, or a text
function earnings_rows.read(api, account, period)
  local rows, problem = api_command.read_rows(api.accounts:earnings(account, period))
  for _, row in ipairs(rows or {}) do
    row.account = account
    row.amount = rows_format.amount(row.amount)
    row.cash_amount = rows_format.amount(row.cash_amount)
  end
  return rows, problem
end

return earnings_rows
