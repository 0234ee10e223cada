--- palenca decide: whether a worker's income carries the installment of a loan, by a rule.
-- @module palenca.host.cli.decide
local income = require("palenca.income")
local income_input = require("palenca.host.cli.income_input")
local json = require("palenca.util.json")
local redact = require("palenca.util.redact")
local options = require("palenca.host.cli.options")
local verdict_input = require("palenca.host.cli.verdict_input")
local verdict_texts = require("palenca.host.cli.verdict_texts")

local command = {
  name = "decide",
  summary = "Decide by a rule whether a person's income carries an installment.",
  note = "The exit status is 0 for approve, 3 for refer (to a person), 4 for decline and 5 for "
    .. "undecidable; 1 if something could not be read, 2 for wrong usage.",
}

local STATUS = { approve = 0, refer = 3, decline = 4, undecidable = 5 }

function command.define(parser)
  income_input.define(parser)
  income_input.add_json(parser)
  verdict_input.define(parser)
end

local function problem_of(given)
  return income_input.problem(given)
    or options.missing(given, "rule")
    or verdict_input.problem(given)
end

local worker_heading = { es = "Para la persona: ", pt = "Para a pessoa: ", en = "For the worker: " }

local function write_text(given, result, verdict, request, accounts, details)
  local words = verdict_texts.of({ language = given.lang, income = result, verdict = verdict,
    request = request, accounts = accounts, details = details })
  return table.concat({
    income_input.heading(given, result, accounts),
    words.request,
    words.analyst,
    worker_heading[given.lang] .. words.worker,
    income.table(result, given.lang),
  }, "\n\n")
end

function command.run(given)
  return income_input.run("decide", problem_of(given), function()
    local decide = verdict_input.load(given) -- before anything is sent
    local result, accounts, details = income_input.read(given)
    income_input.log_states(accounts, details)
    local verdict, request = decide(result)
    local text = given.json
      and json.canonical({ income = result, request = request, verdict = verdict })
      or redact.escape_line(write_text(given, result, verdict, request, accounts, details), true)
    return text, STATUS[verdict.outcome]
  end)
end

return command
