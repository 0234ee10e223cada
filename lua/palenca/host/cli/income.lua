--- palenca income: computes the income of one person from their accounts, or from a file of rows;
-- or that of each account of a file.
-- @module palenca.host.cli.income
local account_batch = require("palenca.host.cli.account_batch")
local host = require("palenca.host")
local income = require("palenca.income")
local income_input = require("palenca.host.cli.income_input")
local json = require("palenca.util.json")
local labels = require("palenca.income.labels")
local redact = require("palenca.util.redact")
local rows_format = require("palenca.host.cli.rows_format")

local command = {
  name = "income",
  summary = "Compute a person's income from their earnings.",
  note = "--accounts-file and --out write a file for each account of a file, a line of JSON or, "
    .. "with --csv, CSV; run again, the command makes those that are missing, as 'palenca export' "
    .. "does.",
  handles_signals = true,
}

-- Whose it is, and how far to be trusted, around the figures.
local columns = { { name = "account" }, { name = "platform" }, { name = "last_login" },
  { name = "connected" }, { name = "currency" } }
for _, figure in ipairs(labels.figures) do
  columns[#columns + 1] = { name = figure[1] }
end
columns[#columns + 1] = { name = "as_of_reason" }
columns[#columns + 1] = { name = "problems" }

function command.define(parser)
  income_input.define(parser)
  income_input.add_json(parser)
  parser:flag("--csv", "Write CSV with a heading: the figures in a row.")
  account_batch.define(parser)
end

-- The income with whose it is.
local function row_of(result, account, details)
  local row = {
    account = account.account,
    platform = account.platform,
    last_login = details.status,
    connected = details.connected,
  }
  for name, value in pairs(result) do
    row[name] = value
  end
  return row
end

local function csv_of(row)
  return rows_format.csv(columns) .. "\n" .. rows_format.csv(columns, row)
end

-- ---- one person ------------------------------------------------------------------------

local function joined(accounts, field)
  local list, seen = {}, {}
  for _, account in ipairs(accounts) do
    local value = account[field]
    if value and not seen[value] then
      seen[value] = true
      list[#list + 1] = value
    end
  end
  return list[1] and table.concat(list, " ") or nil
end

local function text_of(given)
  local result, accounts, details = income_input.read(given)
  income_input.log_states(accounts, details)
  if given.json then
    return json.canonical(result)
  elseif given.csv then
    local found = {}
    for at, account in ipairs(accounts) do
      found[at] = details[account.account] or {}
    end
    return csv_of(row_of(result, { account = joined(accounts, "account"),
      platform = joined(accounts, "platform") }, { status = joined(found, "status"),
      connected = joined(found, "connected") }))
  end
  return redact.escape_line(income_input.heading(given, result, accounts, details) .. "\n\n"
    .. income.table(result, given.lang), true)
end

-- ---- each account of a file ------------------------------------------------------------

local function file_of(given, api)
  local result, accounts, details = income_input.read(given, api)
  return income_input.compute(given, function()
    local row = row_of(result, accounts[1], details[accounts[1].account])
    return (given.csv and csv_of(row) or rows_format.json(row)) .. "\n"
  end), income_input.facts_of(details, accounts[1].account)
end

local function run_many(given)
  return account_batch.run("income", income_input.many_problem(given), given, {
    product = "incomes",
    noun = "incomes",
    verb = "written",
    settings = function()
      return income_input.settings(given, given.csv and "csv" or "jsonl", {})
    end,
    period = income_input.period,
    make = function(api, account, settings)
      return income_input.try(file_of, income_input.of_one(given, account, settings), api)
    end,
  })
end

function command.run(given)
  if given.accounts_file or given.out then
    return run_many(given)
  end
  host.release_signals()
  local problem = given.json and given.csv and "--json and --csv: only one can be meant"
  return income_input.run("income", problem or income_input.problem(given), function()
    return text_of(given), 0
  end)
end

return command
