--- The sandbox on its thread: answers HTTP and delivers webhooks.
-- @module palenca.sandbox.server
local calls = require("palenca.runtime.calls")
local core = require("palenca.core")
local failure = require("palenca.failure")
local host = require("palenca.host")
local json = require("palenca.json")
local report = require("palenca.report")
local sandbox = require("palenca.sandbox")

local MAX_BODY = 1024 * 1024
local IDLE = 60
-- The vendor waits so long for a webhook's answer.
local DELIVERY_TIMEOUT = 30

local function submit(own, delivery)
  local ok, call = pcall(own.submit, own, {
    method = "POST",
    url = delivery.url,
    headers = delivery.headers,
    body = delivery.body,
    timeout = DELIVERY_TIMEOUT,
    allow_tls_1_2 = true,
  })
  return ok and call or nil, call
end

-- A URL may hold a password or a token.
local function shown(url)
  return (url:gsub("//[^/]*@", "//"):gsub("[?#].*$", "?…"))
end

local function tell(delivery, outcome, status, problem)
  report.line(
    string.format(
      "%s  webhook %-16s to %s: %s%s",
      os.date("%H:%M:%S"),
      delivery.action,
      shown(delivery.url),
      status and "answered " .. status or problem,
      outcome == "retry" and ", again in 30 s" or outcome == "gave_up" and ", given up" or ""
    ),
    {
      event = "delivery",
      action = delivery.action,
      url = shown(delivery.url),
      attempt = delivery.attempt,
      status = status,
      error = problem,
      outcome = outcome,
    }
  )
end

-- Hands out every delivery that is due; answers the seconds until the next one is.
local function deliver(box, own)
  local function ended(delivery, status, problem)
    tell(delivery, box:delivered(delivery, status), status, problem)
  end
  local delivery, wait = box:next_delivery()
  while delivery do
    local call, problem = submit(own, delivery)
    if call then
      call.delivery = delivery
    else
      ended(delivery, nil, tostring(problem))
    end
    delivery, wait = box:next_delivery()
  end
  return wait, function(call)
    local result = call.result
    if result.kind then
      ended(call.delivery, nil, result.message)
    else
      ended(call.delivery, result.status)
    end
  end
end

local function serve(box, server, own)
  local function answer(request)
    return box:handle(request)
  end
  while true do
    -- silenced before the wish is looked at: one that comes in between is readable again
    host.task.clear_fd()
    if host.task.wished() ~= "run" then
      break
    end
    local wait, on_done = deliver(box, own)
    wait = math.min(wait or IDLE, server:timeout() or IDLE, IDLE)
    own:step(math.max(wait, 0), on_done, server:fd(), host.task.fd())
    server:run(answer)
  end
end

--- Runs the sandbox; the options are a JSON object: `listen`, `api_key`, `seed`, `rate_limit`,
-- `webhook_delay`, `json`.
-- @tparam string text the options
return function(text)
  local options = json.decode(text)
  report.use_json(options.json)
  local box = sandbox.new({
    api_key = options.api_key,
    seed = options.seed,
    rate_limit = options.rate_limit,
    webhook_delay = options.webhook_delay,
    clock = host.unix_time,
  })
  local server, problem = host.http_server({ listen = options.listen, max_body = MAX_BODY })
  if not server then
    failure("the sandbox cannot listen: %s (see %s)", problem, options.listen_option)
  end
  host.task.ready(server:address())
  serve(box, server, calls.new(core.engine()))
  server:close()
end
