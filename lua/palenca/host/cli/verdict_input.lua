--- Declares what a decision needs beside the income, and decides.
-- @module palenca.host.cli.verdict_input
local income = require("palenca.income")
local money = require("palenca.income.money")
local options = require("palenca.host.cli.options")

local verdict_input = {}

local function amount(text)
  if not text:find("^%d+$") and not text:find("^%d+%.%d+$") then
    return nil, string.format("'%s' is not an amount, such as 3000.00", text)
  end
  return text
end

local function amount_above_0(text)
  if text:find("^%-?[0.]+$") or text:find("^%-%d") then
    return nil, string.format("'%s' is not above 0", text)
  end
  return amount(text)
end

local function currency(text)
  if not text:find("^%a%a%a$") then
    return nil, string.format("'%s' is not a currency, such as mxn", text)
  end
  return text:lower()
end

--- Adds the rule and the request.
-- @param command of argparse
function verdict_input.define(command)
  options.add(command, "--rule", {
    help = "The rule: a Lua file that returns a table with a version and its limits.",
    convert = options.file,
    argname = "FILE",
  })
  options.add(command, "--installment", {
    help = "What is to be paid each month, such as 3000.00.",
    convert = amount_above_0,
    argname = "AMOUNT",
  })
  options.add(command, "--obligations", {
    help = "What else has to be paid each month.",
    default = "0",
    convert = amount,
    argname = "AMOUNT",
  })
  options.add(command, "--currency", {
    help = "The currency of both, such as mxn: an income in another is undecidable. Without it "
      .. "they are in whatever currency the income is in.",
    convert = currency,
    argname = "CODE",
  })
end

--- What is wrong with their combination.
-- @tparam table given the parsed options
-- @treturn ?string
function verdict_input.problem(given)
  local missing = (given.rule or given.installment)
    and options.missing(given, "installment", "rule")
  if missing then
    return missing
  end
  for _, name in ipairs({ "installment", "obligations" }) do
    local problem = given[name] and money.decimals_problem(given[name], given.currency)
    if problem then
      return ("option --%s: %s"):format(name, problem)
    end
  end
end

--- What the files of many accounts depend on.
-- @tparam table given the parsed options
-- @tparam ?string version of the rule
-- @treturn {table,...} as of @{palenca.host.cli.export_directory.open}
function verdict_input.settings(given, version)
  return {
    { name = "rule", label = "version of the rule", value = version or "none" },
    { name = "installment", value = given.installment or "none" },
    { name = "obligations", value = given.obligations },
    { name = "currency", value = given.currency or "none" },
  }
end

--- Loads the rule; raises if it is none.
-- @tparam table given the parsed options, with a rule
-- @treturn function takes an income, returns the verdict of @{palenca.income.decide} and the
-- request, with the currency that its amounts count in, if there is one
-- @treturn string the rule's version
function verdict_input.load(given)
  local rule = income.load_rule(given.rule)
  return function(result)
    local request = { installment = given.installment, obligations = given.obligations,
      currency = given.currency }
    local verdict = income.decide(result, rule, request)
    request.currency = given.currency or result.currency
    return verdict, request
  end, tostring(rule.version)
end

return verdict_input
