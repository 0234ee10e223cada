--- A local stand-in of the Palenca API: requests in, answers and webhook deliveries out.
-- @module palenca.sandbox
--
-- Pure logic: no sockets, no clock, no chance of its own. The same seed, requests and clock
-- give the same answers to the byte.
local accounts = require("palenca.sandbox.accounts")
local deliveries = require("palenca.sandbox.deliveries")
local limiter = require("palenca.sandbox.limiter")
local logins = require("palenca.sandbox.logins")
local render = require("palenca.sandbox.render")
local reply = require("palenca.sandbox.reply")
local router = require("palenca.sandbox.router")
local store = require("palenca.sandbox.store")
local users = require("palenca.sandbox.users")
local validate = require("palenca.sandbox.validate")
local webhooks = require("palenca.sandbox.webhooks")

local sandbox = {}
sandbox.__index = sandbox

local index_body

-- The transport leaves out the body of an answer to HEAD; its length is still that of GET.
local function index()
  return { status = 200, body = index_body }
end

local routes = {
  { "GET", "/", index, public = true },
  { "HEAD", "/", index, public = true },
}
for _, module in ipairs { users, accounts, webhooks, logins } do
  table.move(module.routes, 1, #module.routes, #routes + 1, routes)
end

do
  local paths = {}
  for position, route in ipairs(routes) do
    paths[position] = route[1] .. " " .. route[2]
  end
  index_body = render.shape { "name", "description", "paths" } {
    name = "palenca sandbox",
    description = "a local stand-in of the Palenca API; everything in it is made up",
    paths = render.array(paths),
  }.text
end

local function check_options(options)
  local function demand(name, fits)
    if not fits then
      error("palenca.sandbox: option " .. name .. " is missing or of a wrong kind", 3)
    end
  end
  demand("api_key", type(options.api_key) == "string" and options.api_key ~= "")
  demand("seed", math.type(options.seed or 1) == "integer")
  demand("rate_limit", math.type(options.rate_limit or 120) == "integer"
    and (options.rate_limit or 120) >= 0)
  demand("webhook_delay", type(options.webhook_delay or 30) == "number"
    and (options.webhook_delay or 30) >= 0)
  demand("clock", type(options.clock) == "function")
end

--- Makes a sandbox. Raises on a wrong option.
-- @tparam table options
-- @tparam string options.api_key the key that requests must carry
-- @tparam[opt=1] integer options.seed what all chance is drawn from
-- @tparam[opt=120] integer options.rate_limit requests per 60 s; 0 switches the limit off
-- @tparam[opt=30] number options.webhook_delay seconds from a login to its first delivery
-- @tparam function options.clock returns Unix time in seconds
-- @treturn sandbox the sandbox
function sandbox.new(options)
  check_options(options)
  local clock = options.clock
  return setmetatable({
    api_key = options.api_key,
    webhook_delay = options.webhook_delay or 30,
    store = store.new(options.seed or 1, clock),
    limiter = limiter.new(options.rate_limit or 120, clock),
    deliveries = deliveries.new(clock),
    router = router.new(routes),
  }, sandbox)
end

-- Whether a request may pass: nil, or the answer that turns it away. Either way with the headers
-- that every authenticated answer carries.
local function admit(self, headers)
  local key = headers["x-api-key"]
  if not key or key == "" then
    return reply.failure(401, "missing_api_key", "the header x-api-key is missing"), {}
  elseif key ~= self.api_key then
    return reply.failure(401, "invalid_api_key", "this API key is not known"), {}
  end
  local allowed, standing = self.limiter:count(key)
  if not allowed then
    return reply.failure(429, "too_many_requests", "the rate limit is used up"), standing
  end
  return nil, standing
end

local function check_ids(names)
  local fields = {}
  for name in pairs(names) do
    fields[#fields + 1] = { name = name, check = validate.uuid, required = true }
  end
  return validate.object(fields, names, "path")
end

local function respond(self, request, route, found)
  if not route then
    if not found then
      return reply.failure(404, "not_found", "there is nothing at this path")
    end
    local refusal = reply.failure(405, "method_not_allowed", "this path has other methods")
    refusal.headers = { Allow = table.concat(found, ", ") }
    return refusal
  end
  local ids, faults = check_ids(found)
  if not ids then
    return reply.invalid(faults)
  end
  return route.handler(self, { ids = ids, query = request.query, body = request.body })
end

--- Answers a request.
-- @tparam table request `method`, `path`, `query` (or nil), `headers` (by lower-case name),
-- `body` ("" if there is none)
-- @treturn integer the HTTP status
-- @treturn table the headers, by name
-- @treturn string the body; for HEAD that of GET, not to be sent
function sandbox:handle(request)
  local route, found = self.router:match(request.method, request.path)
  local answer, headers = nil, {}
  -- As behind a gateway, a key is asked for before it is told which paths there are.
  if request.path:find("^/v1/") and not (route and route.public) then
    answer, headers = admit(self, request.headers)
  end
  answer = answer or respond(self, request, route, found)
  for name, value in pairs(answer.headers or {}) do
    headers[name] = value
  end
  headers["Content-Type"] = "application/json"
  headers["X-Request-Id"] = self.store:stream("requests"):uuid()
  return answer.status, headers, answer.body
end

--- Hands out the next webhook delivery that is due; it is in flight until @{delivered}.
-- @treturn ?table `url`, `headers`, `body`, `webhook_id`, `action`, `attempt`
-- @treturn ?number without one: seconds until the next is due, nil if none is queued
function sandbox:next_delivery()
  return self.deliveries:next()
end

--- Says how a delivery went. Raises if it is not in flight.
-- @tparam table delivery as it was handed out
-- @tparam ?integer status the HTTP status of the answer, nil if there was none
-- @treturn string "done", "retry" or "gave_up"
function sandbox:delivered(delivery, status)
  return self.deliveries:finish(delivery, status)
end

--- How many deliveries are queued or in flight.
-- @treturn integer the number
function sandbox:pending_deliveries()
  return self.deliveries.pending
end

return sandbox
