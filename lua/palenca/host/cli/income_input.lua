--- What `palenca income`, `decide` and `report` have in common: their options, and the rows.
-- @module palenca.host.cli.income_input
local account_rows = require("palenca.host.cli.account_rows")
local account_state = require("palenca.host.cli.account_state")
local api_command = require("palenca.host.cli.api_command")
local date_argument = require("palenca.host.cli.date_argument")
local errors = require("palenca.errors")
local income = require("palenca.income")
local last_day = require("palenca.host.cli.last_day")
local options = require("palenca.host.cli.options")
local output = require("palenca.host.cli.output")
local rows_command = require("palenca.host.cli.rows_command")
local rows_file = require("palenca.host.cli.rows_file")
local suggest = require("palenca.util.suggest")
local user_error = require("palenca.host.user_error")

local income_input = {}

-- Default months before the last day; more than any platform keeps.
local HISTORY_MONTHS = 24
-- Of each account in a directory: the day before its last login.
local BEFORE_LOGIN = "last_login"

local languages = { es = true, pt = true, en = true }

local function language(text)
  if not languages[text] then
    return nil, string.format("'%s' is not es, pt or en%s", text, suggest.text(text, languages))
  end
  return text
end

--- Adds the accounts or the file of rows, the dates, and how the result is written.
-- @param command of argparse
function income_input.define(command)
  command:argument("accounts", "Accounts of one person; the rows of several are merged.")
    :argname("ACCOUNT"):args("*")
  command:flag("--one-person", "Merge accounts of different users, who are one person.")
  options.add(command, "--rows", {
    help = "Read the rows from a file instead, taken as the complete history: a JSON array, or "
      .. "JSON lines; each row may name its account and platform. '-' is standard input. Nothing "
      .. "is sent.",
    convert = options.file,
    argname = "FILE",
  })
  options.add(command, "--as-of", {
    help = "The last day that counts. Default: of accounts, the day before the last login that "
      .. "was a success, since later days were not read; otherwise, and at most, yesterday, by "
      .. "this machine's calendar.",
    convert = date_argument.parse,
    argname = "DATE",
  })
  options.add(command, "--since", {
    help = string.format("The first day that is read: 2026-03-31, or 90d ago. Default: %d months "
      .. "before --as-of or yesterday.", HISTORY_MONTHS),
    convert = date_argument.parse_since,
    argname = "DATE",
  })
  options.add(command, "--lang", {
    help = "The language of the text: es, pt or en.",
    default = "en",
    convert = language,
    words = { "es", "pt", "en" },
    argname = "CODE",
  })
  options.add_client(command)
end

--- Adds the flag for JSON.
-- @param command of argparse
function income_input.add_json(command)
  command:flag("--json", "Write the canonical JSON object instead of text.")
end

--- Raises what is wrong with an account: as a sentence that names it; or, if it is one of many, as
-- the API's error, which is named with the account there.
-- @tparam table given the parsed options, or those of @{of_one}
-- @tparam string account its id
-- @param err of palenca.errors
function income_input.fail(given, account, err)
  if given.is_one_of_many then
    error(err, 0)
  end
  api_command.must(nil, err, "account " .. account)
end

-- Of the API.
local function read_accounts(given, api, first, last)
  local accounts, details, failed = account_rows.read(api, given.accounts, first, last)
  if not accounts then
    income_input.fail(given, failed, details)
  elseif not given.one_person then
    account_rows.check_users(accounts, details)
  end
  return accounts, details
end

-- ---- the income ------------------------------------------------------------------------

-- What is wrong with what the API has of an account, other than an error of the API.
local Malformed = {}
Malformed.__index = Malformed

function Malformed:__tostring()
  return self.text
end

--- Calls a function of what was read of an account, without the API. What it raises is wrong with
-- that account: if it is one of many, the next one may be right.
-- @tparam table given the parsed options, or those of @{of_one}
-- @tparam function body
-- @param ... its arguments
-- @return what it returns
function income_input.compute(given, body, ...)
  if not given.is_one_of_many then
    return body(...)
  end
  local ok, result = pcall(body, ...)
  if not ok then
    error(setmetatable({ text = api_command.without_position(result) }, Malformed), 0)
  end
  return result
end

-- The last day, whatever the logins are.
local function latest_day(given)
  return given.as_of or given.latest or date_argument.yesterday()
end

-- The API was asked for more, since the login was not known.
local function drop_later(account, as_of)
  local kept = {}
  for _, row in ipairs(account.rows) do
    local day = row.earning_date
    if type(day) ~= "string" or day <= as_of then
      kept[#kept + 1] = row
    end
  end
  local report = account.report
  if report then
    local dropped = #account.rows - #kept
    report = setmetatable({ rows = report.rows and report.rows - dropped,
      total_items = report.total_items and report.total_items - dropped }, { __index = report })
  end
  return setmetatable({ rows = kept, report = report }, { __index = account })
end

--- The first day that is read, unless it is set.
-- @tparam string last the last day
-- @treturn string
function income_input.first_day(last)
  return date_argument.months_before(last, HISTORY_MONTHS)
end

--- What is wrong with the days.
-- @tparam table given the parsed options
-- @treturn ?string a sentence; nil if nothing is
function income_input.period_problem(given)
  local last = latest_day(given)
  if given.since and given.since > last then
    return ("--since (%s) is after the last day that counts (%s)"):format(given.since, last)
  end
end

--- What is wrong with the combination of arguments.
-- @tparam table given the parsed options
-- @treturn ?string a sentence; nil if nothing is
function income_input.problem(given)
  local has_accounts = #given.accounts > 0
  if has_accounts and given.rows then
    return "accounts and --rows: only one can be meant"
  elseif not has_accounts and not given.rows then
    return "missing argument 'ACCOUNT', or --rows FILE"
  end
  for _, account in ipairs(given.accounts) do
    local _, problem = rows_command.id(account)
    if problem then
      return problem
    end
  end
  return income_input.period_problem(given)
end

-- The income of what was read of accounts: up to the day that can be whole in all of them.
local function compute_of_accounts(given, accounts, details)
  local as_of, reason = last_day.choose(given.as_of, latest_day(given), details)
  if given.since and given.since > as_of then
    user_error("--since (%s) is after the last day that counts (%s%s)", given.since, as_of,
      last_day.explain(reason, "en"))
  end
  local kept = {}
  for at, account in ipairs(accounts) do
    local found = details[account.account]
    found.age = last_day.age_of(found, as_of, reason)
    kept[at] = given.as_of and account or drop_later(account, as_of)
  end
  local result = income.analyze(income.merge(kept), { as_of = as_of, start_date = given.since })
  result.as_of_reason = reason
  return result
end

--- Reads the rows and computes the income. Raises what cannot be read, as text or as an error of
-- the API.
-- @tparam table given the parsed options
-- @tparam ?Client api to read accounts with; default: one of the options
-- @treturn table the income, of @{palenca.income.analyze}; of accounts with `as_of_reason`, as of
-- @{palenca.host.cli.last_day.choose}
-- @treturn {table,...} the accounts, as @{palenca.income.merge} takes them; those of the API by
-- their ids
-- @treturn {[string]=table} account → what the API says of it: maybe `status`, `created`,
-- `connected` and `data_of`, days; `state`, as of @{palenca.host.cli.account_state}; `age`, as of
-- @{palenca.host.cli.last_day.age_of}; empty for a file
function income_input.read(given, api)
  local last = latest_day(given)
  if given.rows then
    local accounts = rows_file.read(given.rows)
    return income.analyze(income.merge(accounts), { as_of = last, start_date = given.since }),
      accounts, {}
  end
  local first = given.since or income_input.first_day(last)
  local accounts, details = read_accounts(given, api or api_command.logging_client(given), first,
    last)
  return income_input.compute(given, compute_of_accounts, given, accounts, details), accounts,
    details
end

--- Logs of which accounts the data are old, or end before the last day that counts.
-- @tparam {table,...} accounts of @{read}
-- @tparam {[string]=table} details of @{read}
function income_input.log_ages(accounts, details)
  for _, account in ipairs(accounts) do
    local found = account.account and details[account.account]
    last_day.log(account.account, found and found.age)
  end
end

--- Logs what must be known of the accounts beside their income.
-- @tparam {table,...} accounts of @{read}
-- @tparam {[string]=table} details of @{read}
function income_input.log_states(accounts, details)
  for _, account in ipairs(accounts) do
    local found = account.account and details[account.account]
    account_state.log(account.account, found and found.state)
  end
  income_input.log_ages(accounts, details)
end

-- ---- many accounts, each alone ---------------------------------------------------------

--- What is wrong with the combination of arguments if the accounts are in a file.
-- @tparam table given the parsed options
-- @treturn ?string a sentence; nil if nothing is
function income_input.many_problem(given)
  if #given.accounts > 0 or given.rows then
    return "--accounts-file goes with neither accounts nor --rows"
  end
  return income_input.period_problem(given)
end

--- What the files of all accounts depend on.
-- @tparam table given the parsed options
-- @tparam string format such as `html`
-- @tparam {table,...} more further settings
-- @treturn {table,...} as of @{palenca.host.cli.export_directory.open}
function income_input.settings(given, format, more)
  local last = latest_day(given)
  return { { name = "format", label = "format", value = format },
    { name = "as_of", label = "--as-of", value = given.as_of, default = BEFORE_LOGIN },
    { name = "latest", default = last },
    { name = "since", value = given.since, default = income_input.first_day(last) },
    table.unpack(more) }
end

-- Nil: each account has its own.
local function as_of_all(settings)
  return settings.as_of ~= BEFORE_LOGIN and settings.as_of or nil
end

--- The days of all accounts.
-- @tparam table settings those of the directory
-- @treturn string the first one that is read
-- @treturn string the last one that may count
function income_input.period(settings)
  return settings.since, as_of_all(settings) or settings.latest
end

--- The options for one of them.
-- @tparam table given the parsed options
-- @tparam string account its id
-- @tparam table settings those of the directory
-- @treturn table for @{read}
function income_input.of_one(given, account, settings)
  return setmetatable({ accounts = { account }, as_of = as_of_all(settings),
    latest = settings.latest, since = settings.since, is_one_of_many = true }, { __index = given })
end

--- What the summary says of one of them.
-- @tparam {[string]=table} details of @{read}
-- @tparam string account its id
-- @tparam ?string outcome of a decision
-- @treturn table for @{palenca.host.cli.account_batch.run}
function income_input.facts_of(details, account, outcome)
  local found = details[account]
  return { state = found.state, age = found.age, outcome = outcome }
end

--- Calls a function that reads an account. What the rule or the disk has is raised.
-- @tparam function body
-- @param ... its arguments
-- @return what it returns, a text; or nil
-- @return what is wrong with the account, if it is nil: the API's error, or what @{compute} has met
-- @treturn ?table what else the function returns: what the summary is to say of the account
function income_input.try(body, ...)
  local ok, result, facts = pcall(body, ...)
  if ok then
    return result, nil, facts
  elseif errors.is(result) or getmetatable(result) == Malformed then
    return nil, result
  end
  error(result, 0)
end

-- ---- the text --------------------------------------------------------------------------

local as_of_texts = { es = "Al %s", pt = "Até %s", en = "As of %s" }
local account_words = { es = "Cuenta", pt = "Conta", en = "Account" }

--- The lines that say up to which day a result counts, and of which accounts it is.
-- @tparam table given the parsed options
-- @tparam table result of @{read}
-- @tparam {table,...} accounts of @{read}
-- @tparam ?{[string]=table} details of @{read}: what the last logins of the accounts mean is said
-- @treturn string
function income_input.heading(given, result, accounts, details)
  local lang = given.lang
  local reason = result.as_of_reason or (given.as_of and "option" or "yesterday")
  local lines = { as_of_texts[lang]:format(result.as_of) .. last_day.explain(reason, lang) }
  for _, account in ipairs(accounts) do
    local found = details and details[account.account] or {}
    local state, age = found.state, found.age
    if account.account or account.platform then
      lines[#lines + 1] = ("%s: %s%s%s%s%s"):format(account_words[lang], account.platform or "",
        account.platform and account.account and " " or "", account.account or "",
        state and "; " .. account_state.advise(state, lang) or "",
        age and "; " .. last_day.describe(age, lang) or "")
    end
  end
  return table.concat(lines, "\n")
end

--- Runs a command: wrong usage, then what it does, with its failures as one line.
-- @tparam string name of the command
-- @tparam ?string problem wrong usage
-- @tparam function body returns the text to write, as it is to be seen, if any, and the exit status
-- @treturn integer the exit status
function income_input.run(name, problem, body)
  return api_command.run(name, problem, function()
    local text, status = body()
    if text then
      output.line(text)
    end
    return status
  end)
end

return income_input
