--- palenca dev: a sandbox and a served script, wired together.
-- @module palenca.host.cli.dev
local host = require("palenca.host")
local external_http = require("palenca.client.external_http")
local json = require("palenca.util.json")
local login_argument = require("palenca.host.cli.login_argument")
local options = require("palenca.host.cli.options")
local history_patterns = require("palenca.sandbox.data.history_patterns")
local program_log = require("palenca.host.program_log")
local receiver_options = require("palenca.host.cli.receiver_options")
local sandbox = require("palenca.host.cli.sandbox")
local service = require("palenca.host.service")
local service_options = require("palenca.host.cli.service_options")
local store_options = require("palenca.host.cli.store_options")
local user_error = require("palenca.host.user_error")

local dev = {
  name = "dev",
  summary = "Run a sandbox and serve a script from it, reloading it when it changes.",
  handles_signals = true,
}

local EVENTS_PER_LOGIN = 2
local WRONG_USAGE = 2

local function define_sandbox(command)
  options.add(command, "--sandbox-listen", {
    help = "Address and port of the sandbox; port 0: any free one.",
    env = "PALENCA_SANDBOX_LISTEN",
    default = "127.0.0.1:8400",
    convert = options.address,
    argname = "ADDRESS",
  })
  sandbox.define_common(command, 0)
  options.add(command, "--login", {
    help = "Simulate a login as soon as all is ready: WHO[,NAME=VALUE…]. WHO is a platform, such "
      .. "as uber, or a test identifier, PLATFORM+OUTCOME@palenca-tests.com, such as "
      .. "rappi+incomplete@palenca-tests.com; OUTCOME is " .. login_argument.cases() .. ". NAME is "
      .. "pattern (" .. login_argument.patterns() .. "; default " .. history_patterns.default
      .. "), warning (" .. login_argument.warnings() .. "), days (instead of --history), country "
      .. "(whose currency the earnings have) or external_id. Such as "
      .. "uber,country=co,pattern=declining. May be repeated.",
    convert = login_argument.parse,
    is_list = true,
    argname = "LOGIN",
  })
end

function dev.define(command)
  service_options.define(command)
  receiver_options.define(command)
  options.group(command, "Sandbox", define_sandbox)
  local db = options.add(command, "--db", {
    help = "Keep the events in this file. Default: a temporary one.",
    convert = store_options.file_only("'palenca serve' stores at PostgreSQL"),
    argname = "FILE",
  })
  -- an existing database may hold other events, for which --once must not wait
  command:mutex(db, command:flag("--once", "Exit when the events of the simulated logins are "
    .. "handled; status 1 if a handler failed. Wants --login."))
  options.add_json(command)
end

-- What the sandbox says: of the first field that is wrong, or in the API's envelope.
local function reason_of(body)
  local said = json.decode(body)
  if said.detail then
    local first = said.detail[1]
    return ("%s %s"):format(first.loc[#first.loc], first.msg)
  end
  return said.error.message
end

-- By the sandbox's own paths, which have no faults, no limit and no key.
local function ask_sandbox(url, path, body, what)
  local response, err = external_http({ url = url .. "/sandbox/" .. path, json = body })
  if not response then
    user_error("%s: %s", what, tostring(err))
  elseif response.status ~= 201 then
    user_error("%s: %s", what, reason_of(response.body))
  end
end

local function simulate(url, given)
  ask_sandbox(url, "logins", given, ("the login '%s' was rejected"):format(given.identifier
    or given.platform))
end

local function create_webhook(url, receiver)
  ask_sandbox(url, "webhooks", {
    url = receiver,
    name = "palenca dev",
    widget_id = sandbox.DEFAULT_WIDGET,
    is_sandbox = true,
    events = { "*" },
  }, "the webhook could not be created")
end

local function temporary_database()
  local path, problem = host.temporary_file()
  if not path then
    user_error("no temporary database can be made: %s", problem)
  end
  return path, function()
    for _, suffix in ipairs({ "", "-wal", "-shm", "-lock", "-started", "-socket" }) do
      os.remove(path .. suffix)
    end
  end
end

local function say_what_to_do(given, url, api_key, running)
  local widget = url .. "/widget?external_id=worker-1"
  program_log.line("sandbox of the API   " .. url, {
    event = "ready",
    sandbox = url,
    console = url .. "/console",
    widget = widget,
    url = running.url,
    handlers = running.actions,
  })
  if given.json then
    return
  end
  program_log.line("its API key          " .. api_key)
  program_log.line("webhooks arrive at   " .. running.url)
  program_log.line(string.format("%-20s %s", given.script, running.actions ~= ""
    and "handles " .. running.actions or "handles no event (palenca.on is never called)"))
  program_log.line("console              " .. url .. "/console")
  program_log.line("widget               " .. widget)
  if #given.login == 0 then
    program_log.line("")
    program_log.line("Log in with the widget, or simulate a login:")
    program_log.line(string.format(
      "  curl -X POST %s/sandbox/logins -H 'Content-Type: application/json' "
        .. "-d '{\"platform\": \"uber\"}'", url))
    program_log.line("Stop with Ctrl-C.")
  end
  program_log.line("")
end

local function play(given, url, api_key, running)
  create_webhook(url, running.url)
  say_what_to_do(given, url, api_key, running)
  for _, one in ipairs(given.login) do
    simulate(url, one)
  end
end

-- A failed handler is tried again much later: --once does not wait for that.
local function until_handled(running, logins, seen)
  return function()
    local counts = running:counts()
    seen.failed = counts.failed_attempts > 0
    return seen.failed or counts.done + counts.dead >= logins * EVENTS_PER_LOGIN
  end
end

local function at_once()
  return true
end

-- Serves until it is done or interrupted; returns whether all went well.
local function serve(given, url, api_key)
  given.store = store_options.read(given)
  given.max_recording = store_options.recording_limit(given)
  local running, is_well = service.start(given, { base_url = url, api_key = api_key })
  if not running then
    return is_well
  end
  local seen = { failed = false }
  local played, problem = pcall(play, given, url, api_key, running)
  local done = given.once and until_handled(running, #given.login, seen) or nil
  local ended_well = running:run(played and done or (not played and at_once or nil))
  if not played then
    error(problem, 0)
  elseif given.once and seen.failed then
    program_log.problem("a handler failed; --once does not wait for its next attempt")
  end
  return ended_well and not seen.failed
end

function dev.run(given)
  local problem = given.once and #given.login == 0 and "--once needs a --login to wait for"
    or store_options.problem(given)
  if problem then
    program_log.problem(problem, "Try 'palenca dev --help'.")
    return WRONG_USAGE
  end
  program_log.begin()
  local handle, url, api_key = sandbox.start({
    listen = given.sandbox_listen,
    listen_option = "--sandbox-listen",
    api_key = given.api_key,
    seed = given.seed,
    accounts = given.accounts,
    history = given.history,
    webhook_delay = given.webhook_delay,
    rate_limit = 120,
    data = given.data,
    fault = given.fault,
    json = given.json,
  })
  given.watch, given.is_strict = true, true
  if not given.db then
    given.db, given.before_exit = temporary_database()
  end
  local ok, result = pcall(serve, given, url, api_key)
  handle:ask("stop")
  handle:close()
  if given.before_exit then
    given.before_exit()
  end
  if not ok then
    error(result, 0)
  end
  return result and 0 or 1
end

return dev
