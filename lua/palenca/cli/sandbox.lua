--- palenca sandbox: a local stand-in of the API.
-- @module palenca.cli.sandbox
local failure = require("palenca.failure")
local host = require("palenca.host")
local json = require("palenca.json")
local options = require("palenca.cli.options")
local report = require("palenca.report")

local sandbox = { name = "sandbox", summary = "Run a local stand-in of the API." }

local function key(text)
  if text == "" or text:find("[^\33-\126]") then
    return nil, "a key is made of printable characters without spaces"
  end
  return text
end

--- Adds the options that the sandbox has wherever it runs.
-- @param command of argparse
-- @tparam number delay default seconds from a login to its webhooks
function sandbox.define_common(command, delay)
  options.add(command, "--api-key", {
    help = "The key that requests must carry; otherwise one is made and printed.",
    argname = "KEY",
    convert = key,
  })
  options.add(command, "--seed", {
    help = "What ids, names and earnings are drawn from.",
    default = 1,
    convert = options.count,
    argname = "N",
  })
  options.add(command, "--webhook-delay", {
    help = "Seconds from a login to its webhooks.",
    default = delay,
    convert = options.seconds,
    argname = "SECONDS",
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
  options.add(command, "--rate-limit", {
    help = "Requests a minute for each key; 0: no limit.",
    default = 120,
    convert = options.count,
    argname = "N",
  })
  options.add_json(command)
end

--- Starts a sandbox on a thread of its own.
-- @tparam table given `listen, api_key, seed, webhook_delay, rate_limit, json`
-- @return the task
-- @treturn string its URL
-- @treturn string its key
function sandbox.start(given)
  local api_key = given.api_key or "sandbox_" .. host.random_hex(16)
  local task, problem = host.start("palenca.sandbox.server", json.encode({
    listen = given.listen,
    listen_option = given.listen_option or "--listen",
    api_key = api_key,
    seed = given.seed,
    webhook_delay = given.webhook_delay,
    rate_limit = given.rate_limit,
    json = given.json,
  }))
  local address
  if task then
    address, problem = task:wait_ready(60)
  end
  if not address then
    failure("%s", problem or "the sandbox did not start")
  end
  return task, "http://" .. address, api_key
end

function sandbox.run(given)
  report.use_json(given.json)
  host.block_signals()
  local task, url, api_key = sandbox.start(given)
  report.line(
    string.format("sandbox of the API at %s%s", url,
      given.api_key and "" or "; API key " .. api_key),
    { event = "ready", url = url, api_key = not given.api_key and api_key or nil }
  )
  local ended, problem
  repeat
    ended, problem = task:join(0)
  until ended ~= false or host.wait_signal(0.2)
  if ended ~= false then
    failure("the sandbox has ended: %s", problem)
  end
  task:ask("stop")
  task:close()
end

return sandbox
