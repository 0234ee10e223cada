--- palenca export: writes the earnings of many accounts to files, within the API's limit; continues
-- where it was ended.
-- @module palenca.host.cli.export
local account_batch = require("palenca.host.cli.account_batch")
local account_state = require("palenca.host.cli.account_state")
local date_argument = require("palenca.host.cli.date_argument")
local earnings_rows = require("palenca.host.cli.earnings_rows")
local options = require("palenca.host.cli.options")
local rows_command = require("palenca.host.cli.rows_command")
local rows_format = require("palenca.host.cli.rows_format")

local export = {
  name = "export",
  summary = "Write the earnings of many accounts to files; continue where it was ended.",
  handles_signals = true,
}

local HISTORY_MONTHS = 24

function export.define(command)
  account_batch.define(command)
  rows_command.add_period(command, HISTORY_MONTHS .. " months before the last one")
  command:flag("--csv", "Write CSV with a heading instead of lines of JSON.")
  command:flag("--json", "Log, and write the summary, as lines of JSON.")
  options.add_client(command)
  command:epilog("Each account's file is there in full or not at all. Run again, the command reads "
    .. "the accounts that have none. The exit status is 1 if an account could not be read.")
end

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

local function settings_of(given)
  local last = given["until"] or date_argument.today()
  return {
    { name = "format", label = "format", value = given.csv and "csv" or "jsonl" },
    { name = "since", value = given.since,
      default = date_argument.months_before(last, HISTORY_MONTHS) },
    { name = "until", value = given["until"], default = last },
  }
end

function export.run(given)
  return account_batch.run("export", rows_command.period_problem(given), given, {
    product = "an export",
    noun = "accounts",
    verb = "exported",
    settings = function()
      return settings_of(given)
    end,
    period = function(settings)
      return settings.since, settings["until"]
    end,
    make = function(api, account, settings)
      local rows, problem = earnings_rows.read(api, account,
        { start_date = settings.since, end_date = settings["until"] })
      if not rows then
        return nil, problem
      end
      local state
      if #rows == 0 then -- maybe it was never connected
        state, problem = account_state.find(api, account)
      end
      return not problem and text_of(given, rows) or nil, problem, { state = state }
    end,
  })
end

return export
