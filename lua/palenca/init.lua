--- Verified income of gig workers: a client for the Palenca API.
-- @module palenca
local argcheck = require("palenca.util.argcheck")
local client = require("palenca.client")
local core = require("palenca.core")
local handlers = require("palenca.handlers")
local runtime = require("palenca.runtime")
local timers = require("palenca.timers")
local unknown_field = require("palenca.util.unknown_field")

local palenca = {
  --- The version, as in "0.1.0".
  version = core.version,
  --- Creates a client; see @{palenca.client}.
  new = client.new,
  --- Registers a handler for an event; see @{palenca.handlers}.
  on = handlers.on,
  --- Registers a function for dead letters; see @{palenca.handlers}.
  on_dead = handlers.on_dead,
  --- Runs a function at an interval; see @{palenca.timers}.
  every = timers.every,
  --- Waits for 0 to 86400 `seconds`, without blocking other handlers.
  sleep = runtime.sleep,
  --- Runs functions side by side; see @{palenca.runtime.gather}.
  gather = runtime.gather,
  --- Who must act on a login's outcome, and what to say to the worker; see @{palenca.advice}.
  advice = require("palenca.advice"),
  --- Sends a request to a system of the user's own; see @{palenca.http}.
  http = require("palenca.client.external_http"),
  --- Records decisions so that they can be proved; see @{palenca.decision}.
  decision = require("palenca.decision"),
  --- Computes an income from earnings; see @{palenca.income}.
  income = require("palenca.income"),
  --- Reads and writes JSON, and marks lists as such; see @{palenca.json}.
  json = require("palenca.util.json"),
  --- A script's own log; see @{palenca.log}.
  log = require("palenca.log"),
  --- Reads and signs webhooks; see @{palenca.webhook}.
  webhook = require("palenca.webhook"),
}

for _, name in ipairs { "advice", "decision", "income", "json", "log", "webhook" } do
  unknown_field.seal(palenca[name], "palenca." .. name)
  argcheck.add_module(palenca[name])
end
unknown_field.seal(palenca, "palenca")
argcheck.add_module(palenca)

-- Inside nginx this is the time to read what guards an endpoint: its workers have no environment.
local ngx = rawget(_G, "ngx")
if ngx and ngx.get_phase() == "init" then
  require("palenca.nginx.settings")
end

return palenca
