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

local function make_one(self, account)
  local text, problem, state = self.work.make(self.api, account, self.directory.settings)
  if not text then
    record_failure(self, account, problem)
    return
  end
  self.server_failures = 0
  local ok, raised = pcall(self.directory.write, self.directory, account, text)
  if not ok then
    stop(self, tostring(raised))
  end
  if state then
    self.progress:clear()
    account_state.log(account, state)
  end
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
  local self = { given = given, work = work, failed = 0, server_failures = 0, accounts = accounts }
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

local function report(self, before)
  local total, done = self.progress.total, self.progress.done
  local first, last = self.work.period(self.directory.settings)
  if self.given.json then
    local verb = self.work.verb
    output.json({ accounts = total, [verb] = done - before, [verb .. "_before"] = before,
      failed = self.failed, since = first, ["until"] = last })
  else
    output.text(("%d of %d accounts are in %s, %s to %s: %d read now, %d before"):format(done,
      total, self.given.out, first, last, done - before, before))
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
-- account; and what is to be logged of its last login, of @{palenca.host.cli.account_state};
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
