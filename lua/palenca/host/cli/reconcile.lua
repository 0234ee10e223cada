--- palenca reconcile: queues events for logins of which no webhook has come.
-- @module palenca.host.cli.reconcile
local api_command = require("palenca.host.cli.api_command")
local observed_runtime = require("palenca.host.observed_runtime")
local options = require("palenca.host.cli.options")
local output = require("palenca.host.cli.output")
local plural = require("palenca.host.cli.plural")
local progress = require("palenca.host.cli.progress")
local reconcile = require("palenca.host.reconcile")
local runtime = require("palenca.runtime")
local store_options = require("palenca.host.cli.store_options")
local time_argument = require("palenca.host.cli.time_argument")

local command = {
  name = "reconcile",
  summary = "Queue events for logins of which no webhook has come.",
}

function command.define(element)
  options.add(element, "--since", {
    help = "Only logins that ended since: 2026-03-01, 2026-03-01T12:30:00Z (UTC), or 90s, 15m, 6h, "
      .. "7d ago.",
    default = "1h",
    convert = time_argument.parse,
    argname = "TIME",
  })
  store_options.add_db(element)
  options.add_json(element)
  options.add_client(element)
end

local function run(given)
  local bar
  local own, on_attempt = observed_runtime.new(function(reason, seconds)
    if bar then
      bar:update(reason, seconds)
    end
  end)
  runtime.use(own)
  local result = reconcile.run(given.db, api_command.client(given, { on_attempt = on_attempt }),
    given.since, function(_, total)
      bar = bar or progress.new({ total = total, done = 0, noun = "logins", json = given.json })
      bar:advance()
    end)
  if bar then
    bar:clear()
  end
  if given.json then
    output.json(result)
  else
    output.line(("%s looked at: queued %s%s"):format(plural.count(result.logins, "login"),
      plural.count(result.queued, "event"), reconcile.left_out_text(result)))
  end
  return 0
end

function command.run(given)
  return api_command.run("reconcile", nil, function()
    store_options.require_db(given)
    return run(given)
  end)
end

return command
