--- palenca serve: receives webhooks, stores them, runs a script's handlers.
-- @module palenca.host.cli.serve
local options = require("palenca.host.cli.options")
local receiving = require("palenca.host.cli.receiver_options")
local report = require("palenca.host.event_log")
local service_options = require("palenca.host.cli.service_options")
local serving = require("palenca.host.service")
local store_options = require("palenca.host.cli.store_options")

local serve = {
  name = "serve",
  summary = "Receive webhooks, store them, and run a script's handlers.",
  handles_signals = true,
}

local WRONG_USAGE = 2

function serve.define(command)
  service_options.define(command)
  receiving.define_public(command)
  store_options.add_db(command, "The database that events are stored in.")
  command:flag("--watch", "Reload the script when it, a module beside it or one that it requires "
    .. "changes. SIGHUP does so once.")
  options.add_client(command)
  options.add_json(command)
end

function serve.run(given)
  local problem
  given.receiving, problem = receiving.settings(given)
  problem = problem or store_options.problem(given)
  if problem then
    report.problem(problem, { hint = "Try 'palenca serve --help'." })
    return WRONG_USAGE
  end
  report.begin()
  given.store = store_options.read(given)
  local running, is_well = serving.start(given, options.client(given))
  if not running then
    return is_well and 0 or 1
  end
  report.line(
    string.format("receiving webhooks at %s, storing them in %s; handlers: %s", running.url,
      given.db, running.actions ~= "" and running.actions or "none"),
    { event = "ready", url = running.url, db = given.db, handlers = running.actions }
  )
  return running:run() and 0 or 1
end

return serve
