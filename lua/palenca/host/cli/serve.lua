--- palenca serve: receives webhooks, stores them, runs a script's handlers.
-- @module palenca.host.cli.serve
local admin_options = require("palenca.host.cli.admin_options")
local alert_options = require("palenca.host.cli.alert_options")
local options = require("palenca.host.cli.options")
local program_log = require("palenca.host.program_log")
local receiver_options = require("palenca.host.cli.receiver_options")
local service = require("palenca.host.service")
local service_manager = require("palenca.host.service_manager")
local service_options = require("palenca.host.cli.service_options")
local store_options = require("palenca.host.cli.store_options")
local user_error = require("palenca.host.user_error")

local serve = {
  name = "serve",
  summary = "Receive webhooks, store them, and run a script's handlers.",
  handles_signals = true,
}

local WRONG_USAGE = 2

function serve.define(command)
  service_options.define(command)
  receiver_options.define_public(command)
  options.group(command, "Monitoring", admin_options.define)
  store_options.add_db(command, "The database that events are stored in.")
  store_options.define_shared(command)
  command:flag("--watch", "Reload the script when it, a module beside it or one that it requires "
    .. "changes. SIGHUP does so once, and reads the files of the API key, of webhook and alert "
    .. "secrets and of TLS again.")
  options.group(command, "Alerts", alert_options.define)
  command:flag("--reconcile", "After the start, queue events for logins of which no webhook has "
    .. "come, as 'palenca reconcile' does.")
  options.group(command, "API", options.add_client)
  options.add_json(command)
  options.add(command, "--log-level", {
    help = "The lowest level that is logged: info, warning or error.",
    env = "PALENCA_LOG_LEVEL",
    default = "info",
    convert = options.one_of({ "info", "warning", "error" }),
    words = { "info", "warning", "error" },
    argname = "LEVEL",
  })
end

-- What SIGHUP reads again. A variable stays as it was.
local function secret_files(given)
  return {
    api_key = given.api_key_file and {
      path = given.api_key_file,
      read = function()
        return options.client(given)
      end,
    },
    alert_secret = given.alert_url and given.alert_secret_file and {
      path = given.alert_secret_file,
      read = function()
        return alert_options.read(given)
      end,
    },
    webhook_secret = given.webhook_secret_file and {
      path = given.webhook_secret_file,
      read = function()
        local asked, problem = receiver_options.signature(given)
        return asked or user_error("%s", problem)
      end,
    },
  }
end

local function wrong_usage(problem)
  program_log.problem(problem, "Try 'palenca serve --help'.")
  return WRONG_USAGE
end

local function run_service(given, monitor)
  given.secret_files = secret_files(given)
  given.probes_key = true
  given.store = store_options.read(given)
  given.alert = alert_options.read(given)
  given.store.alert_window = given.alert and given.alert_window
  given.max_recording = store_options.recording_limit(given)
  local running, is_well = service.start(given, options.client(given))
  if not running then
    return is_well and 0 or 1
  end
  local page <close> = admin_options.open_page(given, monitor) -- luacheck: ignore 211/page
  program_log.line(
    string.format("receiving webhooks at %s, storing them in %s; handlers: %s", running.url,
      running.db_name, running.actions ~= "" and running.actions or "none"),
    { event = "ready", url = running.url, db = running.db_name, handlers = running.actions }
  )
  running:log_database()
  service_manager.ready("receiving webhooks at " .. running.url)
  if given.reconcile then
    running:reconcile(options.client(given))
  end
  return running:run() and 0 or 1
end

function serve.run(given)
  local problem
  given.receiving, problem = receiver_options.settings(given)
  problem = problem or store_options.problem(given) or alert_options.problem(given)
  if problem then
    return wrong_usage(problem)
  end
  program_log.use_level(given.log_level)
  program_log.begin(true)
  -- before any file is made
  local monitor <close>, unusable = admin_options.open(given)
  if unusable then
    return wrong_usage(unusable)
  end
  return run_service(given, monitor)
end

return serve
