--- palenca earnings: shows what accounts earned, a row a day.
-- @module palenca.host.cli.earnings
local account_state = require("palenca.host.cli.account_state")
local api_command = require("palenca.host.cli.api_command")
local date_argument = require("palenca.host.cli.date_argument")
local earnings_rows = require("palenca.host.cli.earnings_rows")
local rows_command = require("palenca.host.cli.rows_command")

-- As `palenca income` reads.
local HISTORY_MONTHS = 24

local function since(last)
  return date_argument.months_before(last, HISTORY_MONTHS)
end

local function read(api, given)
  local period, all, seen = rows_command.period(given, since), {}, {}
  for _, account in ipairs(given.accounts) do
    if not seen[account] then
      seen[account] = true
      local rows, problem = earnings_rows.read(api, account, period)
      api_command.must(rows, problem, "account " .. account)
      account_state.check(api, account)
      table.move(rows, 1, #rows, #all + 1, all)
    end
  end
  return all
end

return rows_command.new({
  name = "earnings",
  summary = "Show what accounts earned, a row a day, newest first.",
  noun = "earnings",
  argument = { name = "accounts", help = "The accounts' ids.", argname = "ACCOUNT", args = "+",
    convert = rows_command.id },
  since = HISTORY_MONTHS .. " months before the last one",
  newest = "earning_date",
  columns = earnings_rows.columns,
  read = read,
})
