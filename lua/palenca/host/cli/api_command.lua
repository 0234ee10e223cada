--- What the commands that read from the API have in common: the client, complete results, and how
-- their failures are shown.
-- @module palenca.host.cli.api_command
local client = require("palenca.client")
local errors = require("palenca.errors")
local host = require("palenca.host")
local observed_runtime = require("palenca.host.observed_runtime")
local options = require("palenca.host.cli.options")
local output = require("palenca.host.cli.output")
local page_reader = require("palenca.client.page_reader")
local program_log = require("palenca.host.program_log")
local progress = require("palenca.host.cli.progress")
local runtime = require("palenca.runtime")
local user_error = require("palenca.host.user_error")

local api_command = {}

local FAILED, WRONG_USAGE = 1, 2
-- Seconds: a shorter wait is not worth a word.
local WAIT_MIN = 3

-- Failures of which the other command finds the cause.
local IS_OF_CONNECTION = { auth = true, network = true, timeout = true }

--- Removes the position in this program's code from an error's text.
-- @param problem
-- @treturn string
function api_command.without_position(problem)
  return (tostring(problem):gsub("^palenca/[%w_/]+%.lua:%d+: ", ""))
end

--- Makes a client of the options.
-- @tparam table given the parsed options
-- @tparam ?table more further options of `palenca.new`
-- @treturn Client
function api_command.client(given, more)
  local own = options.client(given)
  if not own.api_key and (os.getenv("PALENCA_API_KEY") or "") == "" then
    user_error("no API key: name a file with --api-key-file, or set PALENCA_API_KEY")
  end
  client.set_defaults(own)
  local ok, made = pcall(client.new, more)
  return ok and made or user_error("%s", options.client_problem(api_command.without_position(made)))
end

--- The same, whose waits of some seconds are logged: a command that prints its rows at the end
-- would otherwise stand still without a word.
-- @tparam table given the parsed options
-- @treturn Client
-- @treturn function given how many there are and what they are, such as "users", returns a
-- @{palenca.host.cli.progress}, which shows the waits from then on
function api_command.logging_client(given)
  local logged_until, bar = 0, nil
  local own, on_attempt = observed_runtime.new(function(reason, seconds)
    local now = host.unix_time()
    if bar then
      bar:update(reason, seconds)
    elseif reason and seconds >= WAIT_MIN and now >= logged_until then
      logged_until = now + seconds
      local text = ("waiting %s until %s"):format(reason,
        os.date("%H:%M:%S", math.floor(logged_until)))
      program_log.line("palenca: " .. text, { event = "waiting", message = text })
    end
  end)
  runtime.use(own)
  return api_command.client(given, { on_attempt = on_attempt }), function(total, noun)
    bar = progress.new({ total = total, done = 0, noun = noun, json = given.json })
    return bar
  end
end

--- Describes an error of the API, with where to look further.
-- @param err of palenca.errors
-- @treturn string
function api_command.describe(err)
  local hint = errors.is(err) and IS_OF_CONNECTION[err.kind]
    and "; 'palenca check --online' finds out why" or ""
  return tostring(err) .. hint
end

--- Raises unless there is a value.
-- @param value of a call
-- @param err its error
-- @tparam ?string what it was about, such as an account
-- @return the value
-- @return what came with it
function api_command.must(value, err, what)
  if value == nil then
    user_error("%s%s", what and what .. ": " or "", api_command.describe(err))
  end
  return value, err
end

--- All rows of a search; or nil and what is wrong. It is complete as far as the API lets one know:
-- it does not count the rows of every search.
-- @tparam palenca.client.pager search
-- @treturn ?{table,...} the rows
-- @return an error of palenca.errors, or a text if the rows are incomplete
function api_command.read_rows(search)
  local rows, report = search:all()
  if not rows then
    return nil, report
  elseif report.complete or report.reason == page_reader.NOT_COUNTED then
    return rows
  end
  return nil, ("the history is incomplete: %s (%d rows of %s)"):format(
    report.reason or "rows are missing", report.rows,
    report.total_items and ("%d"):format(report.total_items) or "unknown")
end

--- Logs that a command was used in a wrong way.
-- @tparam string name of the command
-- @tparam string problem
-- @treturn integer the exit status
function api_command.wrong_usage(name, problem)
  program_log.problem(problem, "Try 'palenca " .. name .. " --help'.")
  return WRONG_USAGE
end

--- Runs a command: wrong usage, then what it does, with its failures as one line.
-- @tparam string name of the command
-- @tparam ?string problem wrong usage
-- @tparam function body writes its output; returns the exit status
-- @treturn integer the exit status
function api_command.run(name, problem, body)
  if problem then
    return api_command.wrong_usage(name, problem)
  end
  local ok, result = pcall(function()
    local status = body()
    output.flush()
    return status
  end)
  if output.is_closed(result) then
    error(result, 0)
  elseif not ok then
    program_log.problem(errors.is(result) and api_command.describe(result)
      or api_command.without_position(result))
    return FAILED
  end
  return result
end

return api_command
