--- palenca export: writes the earnings of many accounts to files, within the API's limit; continues
-- where it was ended.
-- @module palenca.host.cli.export
local api_command = require("palenca.host.cli.api_command")
local argcheck = require("palenca.util.argcheck")
local date_argument = require("palenca.host.cli.date_argument")
local earnings_rows = require("palenca.host.cli.earnings_rows")
local errors = require("palenca.errors")
local export_directory = require("palenca.host.cli.export_directory")
local host = require("palenca.host")
local observed_runtime = require("palenca.host.cli.observed_runtime")
local options = require("palenca.host.cli.options")
local output = require("palenca.host.cli.output")
local program_log = require("palenca.host.program_log")
local progress = require("palenca.host.cli.progress")
local rows_command = require("palenca.host.cli.rows_command")
local rows_format = require("palenca.host.cli.rows_format")
local runtime = require("palenca.runtime")
local user_error = require("palenca.host.user_error")

local export = {
  name = "export",
  summary = "Write the earnings of many accounts to files; continue where it was ended.",
  handles_signals = true,
}

local DONE, FAILED = 0, 1
-- As if the signal had ended the process.
local SIGNALED = { SIGHUP = 129, SIGINT = 130, SIGTERM = 143 }
local HISTORY_MONTHS = 24
-- After so many failures of the server in a row there is no use in the next account.
local FAILURES_MAX = 3

function export.define(command)
  options.add(command, "--accounts-file", {
    help = "A file with the accounts' ids, one a line, or the CSV of 'palenca accounts --csv'.",
    convert = options.file,
    argname = "FILE",
  })
  options.add(command, "--out", {
    help = "The directory for the files, made if there is none.",
    convert = options.file,
    argname = "DIR",
  })
  rows_command.add_period(command, HISTORY_MONTHS .. " months before the last one")
  command:flag("--csv", "Write CSV with a heading instead of lines of JSON.")
  command:flag("--json", "Log, and write the summary, as lines of JSON.")
  options.add_client(command)
  command:epilog("Each account's file is there in full or not at all. Run again, the command reads "
    .. "the accounts that have none. The exit status is 1 if an account could not be read.")
end

local function problem_of(given)
  return not given.accounts_file and "missing option --accounts-file"
    or not given.out and "missing option --out"
    or rows_command.period_problem(given)
    or nil
end

-- ---- the accounts ----------------------------------------------------------------------

-- The first field of each line; blank lines, comments and the heading of CSV are skipped.
local function read_accounts(path)
  local file, problem = io.open(path)
  if not file then
    user_error("%s", problem)
  end
  local accounts, seen, number = {}, {}, 0
  for line in file:lines() do
    number = number + 1
    -- a spreadsheet writes a byte order mark before the first
    local id = line:gsub("^\239\187\191", ""):match("^%s*([^%s,#]*)")
    local is_heading = number == 1 and id == "account_id"
    if id ~= "" and not is_heading and not argcheck.is_uuid(id) then
      user_error("%s: line %d: '%s' is not an account's id", path, number, id)
    elseif id ~= "" and not is_heading and not seen[id] then
      seen[id] = true
      accounts[#accounts + 1] = id
    end
  end
  file:close()
  if #accounts == 0 then
    user_error("%s names no account", path)
  end
  return accounts
end

-- ---- one account -----------------------------------------------------------------------

local function text_of(given, rows)
  local lines = {}
  if given.csv then
    lines[1] = rows_format.csv(earnings_rows.columns) .. "\n"
  end
  for _, row in ipairs(rows) do
    lines[#lines + 1] = (given.csv and rows_format.csv(earnings_rows.columns, row)
      or rows_format.json(row)) .. "\n"
  end
  return table.concat(lines)
end

-- Failures that are of one account; all others would be the next one's as well.
local OF_ACCOUNT = { not_found = true, invalid = true, platform = true, protocol = true }
local OF_SERVER = { server = true, timeout = true }

local function stop(self, problem)
  self.progress:clear()
  user_error("%s; %d of %d accounts are exported: run it again to continue", problem,
    self.progress.done, self.progress.total)
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

local function export_one(self, account)
  local rows, problem = earnings_rows.read(self.api, account, self.period)
  if not rows then
    record_failure(self, account, problem)
    return
  end
  self.server_failures = 0
  local ok, raised = pcall(self.directory.write, self.directory, account,
    text_of(self.given, rows))
  if not ok then
    stop(self, tostring(raised))
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

local function open(given)
  local accounts = read_accounts(given.accounts_file)
  local self = { given = given, failed = 0, server_failures = 0, accounts = accounts }
  local own, on_attempt = observed_runtime.new(function(reason, seconds)
    watch(self, reason, seconds)
  end)
  runtime.use(own)
  self.api = api_command.client(given, { on_attempt = on_attempt })
  local last = given["until"] or date_argument.today()
  self.directory = export_directory.open(given.out, accounts, {
    format = given.csv and "csv" or "jsonl",
    base_url = self.api.base_url,
    since = given.since,
    ["until"] = given["until"],
  }, { since = date_argument.months_before(last, HISTORY_MONTHS), ["until"] = last })
  self.period = { start_date = self.directory.since, end_date = self.directory["until"] }
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
  if self.given.json then
    output.json({ accounts = total, exported = done - before, exported_before = before,
      failed = self.failed, since = self.period.start_date, ["until"] = self.period.end_date })
  else
    output.text(("%d of %d accounts are in %s, %s to %s: %d read now, %d before"):format(done,
      total, self.given.out, self.period.start_date, self.period.end_date, done - before, before))
  end
  return self.failed > 0 and FAILED or DONE
end

local function export_all(given)
  local self = open(given)
  local rest = rest_of(self)
  local before = #self.accounts - #rest
  self.progress = progress.new({ total = #self.accounts, done = before, noun = "accounts",
    json = given.json })
  local ok, problem = pcall(function()
    for _, account in ipairs(rest) do
      export_one(self, account)
    end
  end)
  self.progress:clear()
  if not ok then
    return FAILED, problem, self.signal
  end
  return report(self, before)
end

function export.run(given)
  local signal
  local status = api_command.run("export", problem_of(given), function()
    local result, problem
    result, problem, signal = export_all(given)
    if problem then
      error(problem, 0)
    end
    return result
  end)
  return signal and SIGNALED[signal] or status
end

return export
