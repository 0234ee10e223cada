--- What `palenca export`, `income` and `report` have in common: a file of accounts, a directory
-- with a file for each of them, and going through them within the API's limit, from where it was
-- ended.
-- @module palenca.host.cli.account_batch
local account_file = require("palenca.host.cli.account_file")
local account_state = require("palenca.host.cli.account_state")
local api_command = require("palenca.host.cli.api_command")
local errors = require("palenca.errors")
local export_directory = require("palenca.host.cli.export_directory")
local host = require("palenca.host")
local observed_runtime = require("palenca.host.observed_runtime")
local options = require("palenca.host.cli.options")
local output = require("palenca.host.cli.output")
local program_log = require("palenca.host.program_log")
local progress = require("palenca.host.cli.progress")
local runtime = require("palenca.runtime")
local user_error = require("palenca.host.user_error")

local account_batch = {}

local DONE, FAILED = 0, 1
-- As if the signal had ended the process.
local SIGNALED = { SIGHUP = 129, SIGINT = 130, SIGTERM = 143 }
-- After so many failures of the server in a row there is no use in the next account.
local FAILURES_MAX = 3

--- Adds the options for the file and the directory.
-- @param command of argparse
function account_batch.define(command)
  options.add(command, "--accounts-file", {
    help = "A file with the accounts' ids: one a line, or CSV with a heading, such as that of "
      .. "'palenca accounts --csv' or 'logins --csv'.",
    convert = options.file,
    argname = "FILE",
  })
  options.add(command, "--out", {
    help = "The directory for the files, one for each account, made if there is none.",
    convert = options.file,
    argname = "DIR",
  })
end

-- ---- one account -----------------------------------------------------------------------

-- Failures that are of one account; all others would be the next one's as well.
local OF_ACCOUNT = { not_found = true, invalid = true, platform = true, protocol = true }
local OF_SERVER = { server = true, timeout = true }
-- The status of an account whose last login has ended without success.
local FAILED_LOGINS = { error = true, incomplete = true }
-- What the summary says of accounts, each if there are some.
local notes = {
  { name = "never_connected", text = "%d never connected" },
  { name = "last_login_failed", text = "%d whose last login failed" },
  { name = "last_login_not_over", text = "%d whose last login is not over" },
  { name = "old_data", text = "%d with data more than a week old: ask the workers to connect "
    .. "again" },
  { name = "unread_days", text = "%d whose data end before --as-of: the days after them count as "
    .. "days without income" },
}

local function stop(self, problem)
  self.progress:clear()
  user_error("%s; %d of %d %s are %s: run it again to continue", problem, self.progress.done,
    self.progress.total, self.work.noun, self.work.verb)
end

local function record_failure(self, account, problem)
  local kind = errors.is(problem) and problem.kind or "protocol"
  self.server_failures = OF_SERVER[kind] and self.server_failures + 1 or 0
  if not OF_ACCOUNT[kind] and (not OF_SERVER[kind] or self.server_failures >= FAILURES_MAX) then
    stop(self, api_command.describe(problem))
  end
  self.failed = self.failed + 1
  self.progress:clear()
  program_log.problem(("account %s: %s"):format(account, tostring(problem)))
end

local function count(self, name)
  self.counts[name] = (self.counts[name] or 0) + 1
end

-- Counts what is to be known of an account for the summary; names it if its last login was none.
local function note(self, account, facts)
  local state = facts.state
  if state then
    self.progress:clear()
    account_state.log(account, state)
    count(self, not state.connected and "never_connected" or FAILED_LOGINS[state.status]
      and "last_login_failed" or "last_login_not_over")
  end
  if facts.age then
    count(self, facts.age.is_old and "old_data" or "unread_days")
  end
  if facts.outcome then
    self.outcomes[facts.outcome] = self.outcomes[facts.outcome] + 1
  end
end

local function make_one(self, account)
  local text, problem, facts = self.work.make(self.api, account, self.directory.settings)
  if not text then
    record_failure(self, account, problem)
    return
  end
  self.server_failures = 0
  local ok, raised = pcall(self.directory.write, self.directory, account, text)
  if not ok then
    stop(self, tostring(raised))
  end
  note(self, account, facts)
  self.progress:advance()
end

-- ---- all of them -----------------------------------------------------------------------

local function watch(self, reason, seconds)
  self.progress:update(reason, seconds)
  local signal = host.wait_signal(0)
  if signal then
    self.signal = signal
    stop(self, "stopped by " .. signal)
  end
end

local function open(given, work)
  local accounts = account_file.read(given.accounts_file)
  local self = { given = given, work = work, failed = 0, server_failures = 0, accounts = accounts,
    counts = {}, outcomes = {} }
  for _, outcome in ipairs(work.outcomes or {}) do
    self.outcomes[outcome] = 0
  end
  local own, on_attempt = observed_runtime.new(function(reason, seconds)
    watch(self, reason, seconds)
  end)
  runtime.use(own)
  self.api = api_command.client(given, { on_attempt = on_attempt })
  local settings = work.settings()
  settings[#settings + 1] = { name = "base_url", label = "address of the API",
    value = self.api.base_url }
  self.directory = export_directory.open(given.out, accounts, settings, work.product)
  return self
end

local function rest_of(self)
  local rest = {}
  for _, account in ipairs(self.accounts) do
    if not self.directory:has(account) then
      rest[#rest + 1] = account
    end
  end
  return rest
end

local function note_texts(self)
  local list = {}
  for _, outcome in ipairs(self.work.outcomes or {}) do
    list[#list + 1] = ("%d %s"):format(self.outcomes[outcome], outcome)
  end
  local texts = { #list > 0 and table.concat(list, ", ") or nil }
  for _, one in ipairs(notes) do
    texts[#texts + 1] = self.counts[one.name] and one.text:format(self.counts[one.name]) or nil
  end
  return texts
end

local function report(self, before)
  local total, done = self.progress.total, self.progress.done
  local first, last = self.work.period(self.directory.settings)
  if self.given.json then
    local verb = self.work.verb
    local summary = { accounts = total, [verb] = done - before, [verb .. "_before"] = before,
      failed = self.failed, since = first, ["until"] = last,
      outcomes = self.work.outcomes and self.outcomes }
    for _, one in ipairs(notes) do
      summary[one.name] = self.counts[one.name] or 0
    end
    output.json(summary)
  else
    output.text(("%d of %d accounts are in %s, %s to %s: %d read now, %d before"):format(done,
      total, self.given.out, first, last, done - before, before))
    local texts = note_texts(self)
    if done > before and texts[1] then
      output.text("of those read now: " .. table.concat(texts, "; "))
    end
  end
  return self.failed > 0 and FAILED or DONE
end

local function make_all(given, work)
  local self = open(given, work)
  local rest = rest_of(self)
  local before = #self.accounts - #rest
  self.progress = progress.new({ total = #self.accounts, done = before, noun = "accounts",
    json = given.json })
  local ok, problem = pcall(function()
    for _, account in ipairs(rest) do
      make_one(self, account)
    end
  end)
  self.progress:clear()
  if not ok then
    return FAILED, problem, self.signal
  end
  return report(self, before)
end

--- Goes through the accounts of the file that have no file in the directory yet.
-- @tparam string name of the command
-- @tparam ?string problem wrong usage
-- @tparam table given the parsed options
-- @tparam table work `product`, what the directory holds, such as "an export"; `noun` and `verb`,
-- what is said of the files, such as "reports" and "written"; `settings()`, what they depend on, as
-- of @{export_directory.open};
-- `make(api, account, settings)`, the text of an account's file, or nil and what is wrong with the
-- account, and what the summary says of it: maybe `state`, as of
-- @{palenca.host.cli.account_state}, `age`, as of @{palenca.host.cli.last_day}, and `outcome`, one
-- of `outcomes`, if there are any;
-- `period(settings)`, the first day that is read and the last one
-- @treturn integer the exit status
function account_batch.run(name, problem, given, work)
  local signal
  local missing = options.missing(given, "accounts_file", "out")
  local status = api_command.run(name, missing or problem, function()
    local result, raised
    result, raised, signal = make_all(given, work)
    if raised then
      error(raised, 0)
    end
    return result
  end)
  return signal and SIGNALED[signal] or status
end

return account_batch
