--- palenca decide: whether a worker's income carries the installment of a loan, by a rule; or that
-- of each account of a file.
-- @module palenca.host.cli.decide
local account_batch = require("palenca.host.cli.account_batch")
local host = require("palenca.host")
local income = require("palenca.income")
local income_input = require("palenca.host.cli.income_input")
local json = require("palenca.util.json")
local options = require("palenca.host.cli.options")
local redact = require("palenca.util.redact")
local rows_format = require("palenca.host.cli.rows_format")
local verdict_input = require("palenca.host.cli.verdict_input")
local verdict_texts = require("palenca.host.cli.verdict_texts")

local command = {
  name = "decide",
  summary = "Decide by a rule whether a person's income carries an installment.",
  note = "The exit status is 0 for approve, 3 for refer (to a person), 4 for decline and 5 for "
    .. "undecidable; 1 if something could not be read, 2 for wrong usage. --accounts-file and "
    .. "--out write a file for each account of a file, a line of JSON or, with --csv, CSV; run "
    .. "again, the command makes those that are missing, and the status is 0 if all are there.",
  handles_signals = true,
}

local STATUS = { approve = 0, refer = 3, decline = 4, undecidable = 5 }

function command.define(parser)
  income_input.define(parser)
  income_input.add_json(parser)
  parser:flag("--csv", "Write CSV with a heading, for --accounts-file.")
  verdict_input.define(parser)
  account_batch.define(parser)
end

-- ---- one person ------------------------------------------------------------------------

local function problem_of(given)
  return income_input.problem(given)
    or given.csv and "--csv goes with --accounts-file"
    or options.missing(given, "rule")
    or verdict_input.problem(given)
end

local worker_heading = { es = "Para la persona: ", pt = "Para a pessoa: ", en = "For the worker: " }

local function write_text(given, result, verdict, request, accounts, details)
  local words = verdict_texts.of({ language = given.lang, income = result, verdict = verdict,
    request = request, accounts = accounts, details = details })
  return table.concat({
    income_input.heading(given, result, accounts),
    table.concat({ words.request, table.unpack(words.states) }, "\n"),
    words.analyst,
    worker_heading[given.lang] .. words.worker,
    income.table(result, given.lang),
  }, "\n\n")
end

local function run_one(given)
  host.release_signals()
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

-- ---- each account of a file ------------------------------------------------------------

local columns = {}
for at, name in ipairs({ "account", "platform", "last_login", "connected", "outcome", "reasons",
  "max_installment", "monthly_income", "currency", "installment", "obligations", "as_of",
  "as_of_reason", "rule_version", "uncounted_rows" }) do
  columns[at] = { name = name }
end

local function codes_of(reasons)
  local codes = {}
  for at, reason in ipairs(reasons) do
    codes[at] = reason.code
  end
  return json.array(codes)
end

local function file_of(given, decide, api)
  local result, accounts, details = income_input.read(given, api)
  local verdict, request = decide(result)
  local account = accounts[1]
  local row = {
    account = account.account,
    platform = account.platform,
    last_login = details[account.account].status,
    connected = details[account.account].connected,
    outcome = verdict.outcome,
    reasons = codes_of(verdict.reasons),
    max_installment = verdict.max_installment,
    monthly_income = result.monthly_income,
    currency = result.currency,
    installment = request.installment,
    obligations = request.obligations,
    as_of = result.as_of,
    as_of_reason = result.as_of_reason,
    rule_version = verdict.rule_version,
    uncounted_rows = result.uncounted_rows,
  }
  return (given.csv and rows_format.csv(columns) .. "\n" .. rows_format.csv(columns, row)
    or rows_format.json(row)) .. "\n",
    income_input.facts_of(details, account.account, verdict.outcome)
end

local function run_many(given)
  local decide, version
  local problem = income_input.many_problem(given) or not given.rule and "missing option --rule"
    or verdict_input.problem(given)
  return account_batch.run("decide", problem, given, {
    product = "decisions",
    noun = "decisions",
    verb = "written",
    outcomes = { "approve", "refer", "decline", "undecidable" },
    settings = function()
      decide, version = verdict_input.load(given) -- before anything is sent
      return income_input.settings(given, given.csv and "csv" or "jsonl",
        verdict_input.settings(given, version))
    end,
    period = income_input.period,
    make = function(api, account, settings)
      return income_input.try(file_of, income_input.of_one(given, account, settings), decide, api)
    end,
  })
end

function command.run(given)
  if given.accounts_file or given.out then
    return run_many(given)
  end
  return run_one(given)
end

return command
