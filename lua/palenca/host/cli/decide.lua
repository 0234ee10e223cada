--- palenca decide: whether a worker's income carries the installment of a loan, by a rule.
-- @module palenca.host.cli.decide
local income = require("palenca.income")
local income_input = require("palenca.host.cli.income_input")
local json = require("palenca.util.json")
local options = require("palenca.host.cli.options")
local redact = require("palenca.util.redact")

local command = {
  name = "decide",
  summary = "Decide by a rule whether a person's income carries an installment.",
  note = "The exit status is 0 for approve, 3 for refer (to a person), 4 for decline and 5 for "
    .. "undecidable; 1 if something could not be read, 2 for wrong usage.",
}

local STATUS = { approve = 0, refer = 3, decline = 4, undecidable = 5 }

local function money(text)
  if not text:find("^%d+$") and not text:find("^%d+%.%d+$") then
    return nil, string.format("'%s' is not an amount, such as 3000.00", text)
  end
  return text
end

function command.define(parser)
  income_input.define(parser)
  options.add(parser, "--rule", {
    help = "The rule: a Lua file that returns a table with a version and its limits.",
    convert = options.file,
    argname = "FILE",
  })
  options.add(parser, "--installment", {
    help = "What is to be paid each month, in the currency of the income.",
    convert = money,
    argname = "AMOUNT",
  })
  options.add(parser, "--obligations", {
    help = "What else has to be paid each month.",
    default = "0",
    convert = money,
    argname = "AMOUNT",
  })
end

local function problem_of(given)
  return income_input.problem(given)
    or not given.rule and "missing option --rule"
    or not given.installment and "missing option --installment"
    or nil
end

local worker_heading = { es = "Para la persona: ", pt = "Para a pessoa: ", en = "For the worker: " }

local function write_text(given, result, verdict)
  local words = verdict:explain(given.lang)
  return table.concat({
    income_input.heading(given, result),
    words.analyst,
    worker_heading[given.lang] .. words.worker,
    income.table(result, given.lang),
  }, "\n\n")
end

function command.run(given)
  return income_input.run("decide", problem_of(given), function()
    local rule = income.load_rule(given.rule) -- before anything is sent
    local result = income_input.read(given)
    local verdict = income.decide(result, rule, {
      installment = given.installment,
      obligations = given.obligations,
    })
    local text = given.json and json.canonical({ income = result, verdict = verdict })
      or redact.escape_line(write_text(given, result, verdict), true)
    return text, STATUS[verdict.outcome]
  end)
end

return command
