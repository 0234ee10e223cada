--- palenca income: computes the income of one person from their accounts, or from a file of rows.
-- @module palenca.host.cli.income
local income = require("palenca.income")
local income_input = require("palenca.host.cli.income_input")
local json = require("palenca.util.json")

local command = { name = "income", summary = "Compute a person's income from their earnings." }

function command.define(parser)
  income_input.define(parser)
  income_input.add_json(parser)
end

function command.run(given)
  return income_input.run("income", income_input.problem(given), function()
    local result, accounts, details = income_input.read(given)
    income_input.log_states(accounts, details)
    if given.json then
      return json.canonical(result), 0
    end
    return income_input.heading(given, result) .. "\n\n" .. income.table(result, given.lang), 0
  end)
end

return command
