--- Makes the commands that show rows of the API: `palenca earnings`, `logins` and their like.
-- @module palenca.host.cli.rows_command
local api_command = require("palenca.host.cli.api_command")
local argcheck = require("palenca.util.argcheck")
local date_argument = require("palenca.host.cli.date_argument")
local event_names = require("palenca.host.event_names")
local masking = require("palenca.host.masking")
local options = require("palenca.host.cli.options")
local program_log = require("palenca.host.program_log")
local rows_format = require("palenca.host.cli.rows_format")
local suggest = require("palenca.util.suggest")

local rows_command = {}

-- Before there was the API.
local BEGINNING = "2015-01-01"

--- A converter for ids in UUID form.
-- @tparam string text
-- @treturn ?string
-- @treturn ?string what is wrong
function rows_command.id(text)
  if not argcheck.is_uuid(text) then
    return nil, string.format("'%s' is not an id, such as cb39ee15-f29f-427d-9119-0c627575610d",
      text)
  end
  return text
end

--- Adds the days that are read.
-- @param command of argparse
-- @tparam string default what `--since` is without being set
function rows_command.add_period(command, default)
  options.add(command, "--since", {
    help = "The first day that is read: 2026-03-31, or 30d ago. Default: " .. default .. ".",
    convert = date_argument.parse_since,
    argname = "DATE",
  })
  options.add(command, "--until", {
    help = "The last day that is read. Default: today.",
    convert = date_argument.parse,
    argname = "DATE",
  })
end

--- The days that are read.
-- @tparam table given the parsed options; gets `default_since`, if that is the first day
-- @tparam function since makes the default first day of the last one
-- @param[opt] is_any_time whether it is looked for at all times, unless a first day is set
-- @treturn table `start_date`, `end_date`, as the API's searches have them
function rows_command.period(given, since, is_any_time)
  local last = given["until"] or date_argument.today()
  if is_any_time and not given.since then
    return { start_date = BEGINNING, end_date = last }
  elseif not given.since then
    given.default_since = since(last)
  end
  return { start_date = given.since or given.default_since, end_date = last }
end

-- Nobody takes the rows of the last days for all.
local function log_period(spec, given)
  if given.default_since then
    local message = ("%s since %s; --since for earlier"):format(spec.dated or spec.noun,
      given.default_since)
    program_log.line("palenca: " .. message,
      { event = "period", since = given.default_since, message = message })
  end
end

--- What is wrong with them.
-- @tparam table given the parsed options
-- @treturn ?string
function rows_command.period_problem(given)
  local last = given["until"] or date_argument.today()
  if given.since and given.since > last then
    return ("--since (%s) is after the last day that is read (%s)"):format(given.since, last)
  end
end

-- ---- filters ---------------------------------------------------------------------------

local WORDS = {
  platform = event_names.platforms(),
  status = { "error", "incomplete", "pending", "success" }, -- of logins, and so of accounts
}

local function add_filter(command, name, noun)
  options.add(command, "--" .. name, {
    help = string.format("Only %s of this %s, such as %s.", noun, name,
      name == "status" and "error" or "uber"),
    convert = options.no_typo(name, WORDS[name]),
    words = WORDS[name],
    argname = name:upper(),
  })
end

-- The rows that have a value, and the values that there are.
local function pick(rows, field, value)
  local picked, values = {}, {}
  for _, row in ipairs(rows) do
    if row[field] == value then
      picked[#picked + 1] = row
    elseif type(row[field]) == "string" then
      values[row[field]] = true
    end
  end
  return picked, values
end

-- What is said of the values that there are.
local function of_values(value, values)
  local meant = suggest.text(value, values)
  if meant == "" and next(values) then
    return " (there are " .. table.concat(argcheck.words(values), ", ") .. ")"
  end
  return meant
end

-- Returns the rows that fit, and what is said if none does; a program does not read that.
local function filter(spec, given, rows)
  local none = "no " .. spec.noun
  for _, field in ipairs(spec.filters or {}) do
    local value = given[field]
    if value and #rows > 0 then
      local values
      rows, values = pick(rows, field, value)
      if #rows == 0 then
        none = string.format("no %s of the %s '%s'%s", spec.noun, field, value,
          of_values(value, values))
        if given.csv or given.json then
          program_log.line("palenca: " .. none, { event = "no_rows", message = none })
        end
      end
    end
  end
  return rows, none
end

-- Newest first, those without a time last; rows of the same time stay as they came.
local function sort(rows, field)
  local places, times = {}, {}
  for at, row in ipairs(rows) do
    places[row] = at
    times[row] = type(row[field]) == "string" and row[field] or ""
  end
  table.sort(rows, function(one, other)
    if times[one] == times[other] then
      return places[one] < places[other]
    end
    return times[one] > times[other]
  end)
end

-- ---- the command -----------------------------------------------------------------------

local function define(spec, command)
  local argument = spec.argument
  if argument then
    local added = command:argument(argument.name, argument.help):argname(argument.argname)
      :args(argument.args)
    if argument.convert then
      added:convert(argument.convert)
    end
  end
  if spec.since then
    rows_command.add_period(command, spec.since)
  end
  for _, name in ipairs(spec.filters or {}) do
    add_filter(command, name, spec.noun)
  end
  if spec.define then
    spec.define(command)
  end
  command:flag("--csv", "Write CSV with a heading.")
  command:flag("--json", "Write a line of JSON for each.")
  if spec.has_secrets then
    command:flag("--unmask", spec.has_secrets)
  end
  options.add_client(command)
end

local function problem_of(spec, given)
  if given.json and given.csv then
    return "--json and --csv: only one can be meant"
  end
  return spec.since and rows_command.period_problem(given) or spec.problem and spec.problem(given)
    or nil
end

local function show(spec, given)
  local api, start_progress = api_command.logging_client(given)
  local rows, none = filter(spec, given, spec.read(api, given, start_progress))
  log_period(spec, given)
  if spec.newest then
    sort(rows, spec.newest)
  end
  for at, row in ipairs(given.unmask and {} or rows) do
    rows[at] = masking.row(row)
  end
  local write = spec.write or rows_format.write
  write(given, spec.columns, rows, none)
  return 0
end

--- Makes a command.
-- @tparam table spec `name, summary`; `noun`, what the rows are, in plural; `dated`, the same with
-- what is since a day, such as "users created"; `columns`, see
-- @{palenca.host.cli.rows_format}; `read`, a function from client, options and what starts a
-- @{palenca.host.cli.progress} (see @{api_command.logging_client}) to the rows; maybe
-- `argument` (`name, help, argname, args, convert`); `since`, the default first day in words;
-- `filters`, names of fields; `newest`, the field that rows are sorted by; `define`, which adds
-- more options; `problem`, which returns what is wrong with their combination;
-- `has_secrets`, what is masked, as the help of `--unmask`; `write`, instead of
-- `rows_format.write`
-- @treturn table the command
function rows_command.new(spec)
  local command = { name = spec.name, summary = spec.summary }

  function command.define(parser)
    define(spec, parser)
  end

  function command.run(given)
    return api_command.run(spec.name, problem_of(spec, given), function()
      return show(spec, given)
    end)
  end

  return command
end

return rows_command
