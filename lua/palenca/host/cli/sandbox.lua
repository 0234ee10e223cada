--- palenca sandbox: a local stand-in of the API.
-- @module palenca.host.cli.sandbox
local constants = require("palenca.sandbox.data.vendor_constants")
local fault_argument = require("palenca.host.cli.fault_argument")
local host = require("palenca.host")
local json = require("palenca.util.json")
local options = require("palenca.host.cli.options")
local program_log = require("palenca.host.program_log")
local store = require("palenca.sandbox.data.store")
local user_error = require("palenca.host.user_error")

local sandbox = {
  name = "sandbox",
  summary = "Run a local stand-in of the API, with widget and console.",
  handles_signals = true,
}

--- The default widget.
sandbox.DEFAULT_WIDGET = store.DEFAULT_WIDGET

-- A receiver that was not running yet is tried again soon, but not at once.
local FAST_RETRY = 1
local RETRY = 30
local START_TIMEOUT = 60

local function key(text)
  if text == "" or text:find("[^\33-\126]") then
    return nil, "a key is made of printable characters without spaces"
  end
  return text
end

local days = options.integer(0, constants.history_max, "days")

local function history(text)
  if text == "typical" then
    return text
  end
  local value, problem = days(text)
  return value, problem and problem .. ", or typical"
end

--- Adds the options of the sandbox, which `dev` has as well.
-- @param command of argparse
-- @tparam number delay default seconds from a login to its webhooks
function sandbox.define_common(command, delay)
  options.add(command, "--api-key", {
    help = "The key that requests must have; otherwise one is generated and printed.",
    argname = "KEY",
    convert = key,
  })
  options.add(command, "--seed", {
    help = "The seed of ids, names and earnings.",
    default = 1,
    convert = options.count,
    argname = "N",
  })
  options.add(command, "--accounts", {
    help = "The number of workers who have connected an account already.",
    default = 0,
    convert = options.count,
    argname = "N",
  })
  options.add(command, "--history", {
    help = "How many days of earnings a login recovers, such as 730 for 24 months, or typical: as "
      .. "many as are usual on its platform (Uber 60), which those of --accounts always have.",
    default = constants.history_default,
    convert = history,
    argname = "DAYS|typical",
  })
  options.add(command, "--webhook-delay", {
    help = "Seconds from a login to its webhooks.",
    default = delay,
    convert = options.seconds,
    argname = "SECONDS",
  })
  options.add(command, "--fault", {
    help = "Inject a fault: KIND[,NAME=VALUE…], such as latency,seconds=2 or "
      .. "error,status=503,probability=0.1 or drop,times=1. May be repeated. Kinds: "
      .. fault_argument.kinds() .. ".",
    convert = fault_argument.parse,
    is_list = true,
    argname = "FAULT",
  })
end

function sandbox.define(command)
  options.add(command, "--listen", {
    help = "Address and port; port 0: any free one.",
    env = "PALENCA_SANDBOX_LISTEN",
    default = "127.0.0.1:8400",
    convert = options.address,
    argname = "ADDRESS",
  })
  sandbox.define_common(command, 30)
  command:flag("--fast", "Send webhooks at once and repeat failed ones after "
    .. FAST_RETRY .. " s instead of " .. RETRY .. " s; --webhook-delay has no effect then.")
  options.add(command, "--rate-limit", {
    help = "Requests a minute for each key; 0: no limit.",
    default = 120,
    convert = options.count,
    argname = "N",
  })
  options.add(command, "--data", {
    help = "Keep the state in this file, made if it does not exist. A state keeps the seed, the "
      .. "accounts and, unless another is given, the key that it was created with.",
    argname = "FILE",
  })
  options.add_json(command)
end

--- Starts a sandbox on a thread of its own.
-- @tparam table given `listen, api_key, seed, accounts, history, webhook_delay, fast, rate_limit,
-- data, fault, json`
-- @return the task
-- @treturn string its URL
-- @treturn string its key
function sandbox.start(given)
  local task, problem = host.start("palenca.host.sandbox_server", json.encode({
    listen = given.listen,
    listen_option = given.listen_option or "--listen",
    api_key = given.api_key,
    seed = given.seed,
    accounts = given.accounts,
    history = given.history,
    webhook_delay = given.fast and 0 or given.webhook_delay,
    retry_delay = given.fast and FAST_RETRY or RETRY,
    rate_limit = given.rate_limit,
    data = given.data,
    faults = #given.fault > 0 and given.fault or nil,
    json = given.json,
  }))
  local info
  if task then
    info, problem = task:wait_ready(START_TIMEOUT)
  end
  if not info then
    user_error("%s", problem or "the sandbox did not start")
  end
  local ready = json.decode(info)
  return task, "http://" .. ready.address, ready.api_key
end

function sandbox.run(given)
  program_log.begin()
  local task, url, api_key = sandbox.start(given)
  program_log.line(
    string.format("sandbox of the API at %s%s", url,
      given.api_key and "" or "; API key " .. api_key),
    {
      event = "ready",
      url = url,
      console = url .. "/console",
      widget = url .. "/widget",
      api_key = not given.api_key and api_key or nil,
    }
  )
  if not given.json then
    program_log.line("console at " .. url .. "/console, widget at " .. url .. "/widget")
  end
  local ended, problem
  repeat
    ended, problem = task:join(0)
  until ended ~= false or host.wait_signal(0.2)
  if ended ~= false then
    user_error("the sandbox has ended: %s", problem)
  end
  task:ask("stop")
  task:close()
end

return sandbox
