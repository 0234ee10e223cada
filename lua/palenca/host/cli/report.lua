--- palenca report: a person's income on one page, to be kept, sent or printed.
-- @module palenca.host.cli.report
local account_batch = require("palenca.host.cli.account_batch")
local api_command = require("palenca.host.cli.api_command")
local host = require("palenca.host")
local income_input = require("palenca.host.cli.income_input")
local options = require("palenca.host.cli.options")
local page = require("palenca.host.cli.report.page")
local verdict_input = require("palenca.host.cli.verdict_input")
local words_of = require("palenca.host.cli.report.words")
local workers = require("palenca.host.cli.report.workers")

local command = {
  name = "report",
  summary = "Write a person's income as one page of HTML, which prints on one sheet.",
  note = "Without --output the page is written to standard output. With --rule and --installment "
    .. "it has the outcome, too. --accounts-file and --out write a page for each account of a "
    .. "file; run again, the command makes those that are missing, as 'palenca export' does.",
  handles_signals = true,
}

function command.define(parser)
  income_input.define(parser)
  verdict_input.define(parser)
  options.add(parser, "--output -o", {
    help = "The file to write, which only its owner can read.",
    convert = options.file,
    argname = "FILE",
  })
  parser:flag("--unmask", "Write the identity numbers, which are masked otherwise.")
  account_batch.define(parser)
end

-- The profiles, in the order of the accounts.
local function read_profiles(given, accounts, api)
  local profiles = {}
  for at, account in ipairs(given.rows and {} or accounts) do
    local profile, err = api.accounts:profile(account.account)
    if not profile then
      income_input.fail(given, account.account, err)
    end
    profiles[at] = { account = account.account, profile = profile }
  end
  return profiles
end

-- What people call the platforms: read once with each client. Without the API, or if it does not
-- say, their codes remain.
local names_by_client = setmetatable({}, { __mode = "k" })

local function platform_names(api)
  local names = api and names_by_client[api] or {}
  if not api or names_by_client[api] then
    return names
  end
  names_by_client[api] = names
  for _, platform in ipairs(api.platforms:list() or {}) do
    if type(platform.code) == "string" and type(platform.name) == "string" then
      names[platform.code] = platform.name
    end
  end
  return names
end

local function page_of(given, decide, api)
  local result, accounts, details = income_input.read(given, api)
  if not given.is_one_of_many then
    income_input.log_ages(accounts, details)
  end
  local words = words_of[given.lang]
  local profiles, names = read_profiles(given, accounts, api), platform_names(api)
  local verdict, request
  if decide then
    verdict, request = decide(result)
  end
  return income_input.compute(given, function()
    local people, owners, facts = workers.of(profiles, given.unmask)
    return page({
      language = given.lang,
      income = result,
      verdict = verdict,
      request = request,
      accounts = accounts,
      workers = people,
      owners = owners,
      facts = facts,
      has_profiles = not given.rows,
      details = details,
      platform_names = names,
      is_masked = not given.unmask and not given.rows,
      source = given.rows and words.of_file:format(given.rows)
        or words.of_api:format(tostring(api):match("%S+$")),
      made_at = os.date("!%Y-%m-%d %H:%M UTC"),
    })
  end), details
end

-- ---- one page --------------------------------------------------------------------------

local function run_one(given, problem)
  host.release_signals()
  return income_input.run("report", problem, function()
    local decide = given.rule and verdict_input.load(given)
    local text = page_of(given, decide, not given.rows and api_command.logging_client(given) or nil)
    if given.output then
      local written, reason = host.replace_file(given.output, text)
      if not written then
        error(reason, 0)
      end
      return nil, 0
    end
    return (text:gsub("\n$", "")), 0
  end)
end

-- ---- a page for each account of a file -------------------------------------------------

local function many_problem(given)
  if given.output then
    return "--output and --accounts-file: a page for each account goes into the directory of --out"
  end
  return income_input.many_problem(given) or verdict_input.problem(given)
end

local function settings_of(given, version)
  return income_input.settings(given, "html", {
    { name = "lang", value = given.lang },
    { name = "unmask", value = given.unmask and "yes" or "no" },
    table.unpack(verdict_input.settings(given, version)),
  })
end

local function run_many(given)
  local decide, version
  return account_batch.run("report", many_problem(given), given, {
    product = "reports",
    noun = "reports",
    verb = "written",
    settings = function()
      if given.rule then
        decide, version = verdict_input.load(given) -- before anything is sent
      end
      return settings_of(given, version)
    end,
    period = income_input.period,
    make = function(api, account, settings)
      return income_input.try(function()
        local text, details = page_of(income_input.of_one(given, account, settings), decide, api)
        return text, income_input.facts_of(details, account)
      end)
    end,
  })
end

function command.run(given)
  if given.accounts_file or given.out then
    return run_many(given)
  end
  return run_one(given, income_input.problem(given) or verdict_input.problem(given))
end

return command
