--- A local stand-in of the Palenca API: requests in, responses and webhook deliveries out.
-- @module palenca.sandbox
--
-- Pure logic: no sockets, no clock, no randomness of its own. The same seed, requests and clock
-- return the same responses, byte for byte.
local constants = require("palenca.sandbox.data.vendor_constants")
local faults = require("palenca.sandbox.delivery.faults")
local login_flow = require("palenca.sandbox.control.login_flow")
local origin_check = require("palenca.sandbox.http.origin_check")
local population = require("palenca.sandbox.data.population")
local query_string = require("palenca.sandbox.http.query_string")
local delivery_queue = require("palenca.sandbox.delivery.delivery_queue")
local rate_limiter = require("palenca.sandbox.http.rate_limiter")
local render = require("palenca.sandbox.data.render")
local request_log = require("palenca.sandbox.control.request_log")
local response = require("palenca.sandbox.http.response")
local router = require("palenca.sandbox.http.router")
local static_files = require("palenca.sandbox.control.static_files")
local store = require("palenca.sandbox.data.store")
local timer_queue = require("palenca.sandbox.delivery.timer_queue")
local validate = require("palenca.sandbox.http.validate")

local sandbox = {}
sandbox.__index = sandbox

local index_body

-- The public link of a widget, as the vendor has it, is this path with the widget's id in it; any
-- other visit with a browser is to the console. A program that asks for JSON has the list of paths.
-- The HTTP server omits the body of a response to HEAD; its length is that of GET.
local function index(self, request)
  local given = query_string.parameters(request.query)
  local accept = (request.headers.accept or ""):lower()
  local html, json = accept:find("text/html", 1, true), accept:find("json", 1, true)
  if (given.widget_id or given.external_id) and (html or not json) then
    return static_files.widget(self)
  elseif html and not json then
    return static_files.redirect("/console")
  end
  return { status = 200, body = index_body }
end

local routes = {
  { "GET", "/", index, public = true },
  { "HEAD", "/", index, public = true },
}
for _, name in ipairs {
  "api.users", "api.accounts", "api.logins", "api.employment", "api.account_events",
  "api.aggregated_earnings", "api.consents", "api.platforms", "api.widgets", "api.webhooks",
  "control.login_flow", "control.console_queries", "control.control_api", "control.static_files",
  "control.widget_page_data",
} do
  local module = require("palenca.sandbox." .. name)
  table.move(module.routes, 1, #module.routes, #routes + 1, routes)
end

do
  local paths = {}
  for position, route in ipairs(routes) do
    paths[position] = route[1] .. " " .. route[2]
  end
  index_body = render.shape { "name", "description", "console", "widget", "paths" } {
    name = "palenca sandbox",
    description = "a local stand-in of the Palenca API; everything in it is made up",
    console = "/console",
    widget = "/widget",
    paths = render.array(paths),
  }.text
end

-- What changed, as the console names it, for each kind of record.
local topics = {
  login = "logins", account = "logins", user = "logins", earnings = "logins", consent = "logins",
  delivery = "deliveries", webhook = "webhooks", widget = "settings", fault = "faults",
}

local function check_options(options)
  local function demand(name, fits)
    if not fits then
      error("palenca.sandbox: option " .. name .. " is missing or of a wrong kind", 3)
    end
  end
  local function seconds(name, default)
    local value = options[name] == nil and default or options[name]
    demand(name, type(value) == "number" and value >= 0)
    return value
  end
  local function count(name, default)
    local value = options[name] == nil and default or options[name]
    demand(name, math.type(value) == "integer" and value >= 0)
    return value
  end
  local history = options.history == nil and constants.history_default or options.history
  demand("history", history == "typical" or math.type(history) == "integer" and history >= 0
    and history <= constants.history_max)
  demand("api_key", type(options.api_key) == "string" and options.api_key ~= "")
  demand("clock", type(options.clock) == "function")
  return {
    seed = count("seed", 1),
    accounts = count("accounts", 0),
    history = history,
    webhook_delay = seconds("webhook_delay", 30),
    retry_delay = seconds("retry_delay", 30),
    rate_limit = count("rate_limit", 120),
  }
end

-- The first record of a state file.
local function meta_of(entries)
  local meta = {}
  for _, entry in ipairs(entries) do
    if entry.kind == "meta" then
      meta[entry.id] = entry.record
    end
  end
  return meta
end

local function restore(self, options, given)
  local meta = meta_of(options.entries or {})
  -- a file keeps the seed it was created with: its ids come from that seed
  local origin = meta.origin
    or { seed = given.seed, accounts = given.accounts, moment = math.floor(options.clock()) }
  self.started = origin.moment
  self.clock_offset = meta.clock and meta.clock.offset or 0
  self.store = store.new(origin.seed, self.clock, function(kind)
    self:touch(topics[kind])
  end)
  population(self.store, origin.accounts, self.started)
  if options.journal then
    self.store:attach(options.journal, options.entries, meta.run and meta.run.number or 0)
    options.journal:record("meta", "origin", origin)
  end
end

--- Creates a sandbox. Raises on an invalid option.
-- @tparam table options
-- @tparam string options.api_key the key that requests must carry
-- @tparam[opt=1] integer options.seed what all chance is drawn from
-- @tparam[opt=0] integer options.accounts how many workers have connected an account already
-- @tparam[opt=730] integer|string options.history days of earnings that a new login recovers, 0 to
-- 1100; "typical": as many as are usual on its platform, as those of `accounts` have
-- @tparam[opt=120] integer options.rate_limit requests per 60 s; 0 switches the limit off
-- @tparam[opt=30] number options.webhook_delay seconds from a login to its first delivery
-- @tparam[opt=30] number options.retry_delay seconds from a failed delivery to the next attempt
-- @tparam ?function options.assets returns the text of a page's file by its name
-- @tparam ?journal options.journal where changes are noted
-- @tparam ?table options.entries what that journal held when it was opened
-- @tparam function options.clock returns Unix time in seconds
-- @treturn sandbox the sandbox
function sandbox.new(options)
  local given = check_options(options)
  local self = setmetatable({
    api_key = options.api_key,
    assets = options.assets,
    journal = options.journal,
    history = given.history,
    settings = {
      webhook_delay = given.webhook_delay,
      retry_delay = given.retry_delay,
      rate_limit = given.rate_limit,
    },
    revision = 0,
    changed = {},
    router = router.new(routes),
    requests = request_log.new(),
  }, sandbox)
  self.clock = function()
    return options.clock() + self.clock_offset
  end
  restore(self, options, given)
  self.timers = timer_queue.new(self.clock)
  self.limiter = rate_limiter.new(self.settings, self.clock)
  self.deliveries = delivery_queue.new(self.store, self.clock, self.settings)
  self.faults = faults.new(self.store, function()
    self:touch("faults")
  end)
  login_flow.resume(self)
  self.deliveries:resume()
  return self
end

--- What is wrong with a test identifier; see @{palenca.sandbox.control.login_flow}.
sandbox.identifier_problem = login_flow.identifier_problem

--- Increments the revision, for requests that wait for changes.
-- @tparam string topic what
function sandbox:touch(topic)
  self.revision = self.revision + 1
  self.changed[topic] = self.revision
end

--- Advances the clock: delays, retries and windows end accordingly.
-- @tparam number seconds by how much
function sandbox:advance(seconds)
  self.clock_offset = self.clock_offset + seconds
  if self.journal then
    self.journal:record("meta", "clock", { offset = self.clock_offset })
  end
  self:touch("settings")
end

-- Checks the key and the rate limit: returns nil, or the response that rejects the request; and the
-- headers of every authenticated response.
local function admit(self, headers)
  local key = headers["x-api-key"]
  if not key or key == "" then
    return response.failure(401, "missing_api_key", "the header x-api-key is missing"), {}
  elseif key ~= self.api_key then
    return response.failure(401, "invalid_api_key", "this API key is not known"), {}
  end
  local allowed, standing = self.limiter:count(key, self.clock_offset)
  if not allowed then
    return response.failure(429, "too_many_requests", "the rate limit is used up"), standing
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

-- Paths under /sandbox/ are the sandbox's own: they reject unknown fields, which would have no
-- effect. Returns the response that does so, or nil.
local function reject_strangers(request, route)
  local parameters = query_string.parameters(request.query)
  local wrong = validate.strangers(parameters, route.query or {}, "query")
  if wrong[1] then
    return response.invalid(wrong)
  elseif route.body then
    return nil -- its handler says what is in there
  end
  local given
  given, wrong = validate.strict_body({}, request.body, true)
  return not given and response.invalid(wrong) or nil
end

local function respond(self, request, route, found)
  if not route then
    if not found then
      return response.failure(404, "not_found", "there is nothing at this path")
    end
    local rejection = response.failure(405, "method_not_allowed", "this path has other methods")
    rejection.headers = { Allow = table.concat(found, ", ") }
    return rejection
  end
  local ids, wrong = found, nil
  if route.ids ~= "any" then
    ids, wrong = check_ids(found)
  end
  if not ids then
    return response.invalid(wrong)
  end
  local rejected = request.path:find("^/sandbox/") and reject_strangers(request, route)
  if rejected then
    return rejected
  end
  return route.handler(self, {
    ids = ids,
    query = request.query,
    body = request.body,
    headers = request.headers,
    final = request.final,
  })
end

-- Applies the faults to a request that was admitted.
local function respond_with_faults(self, request, route, found)
  local latency = self.faults:strike("latency", request)
  local effects = { delay = latency and latency.seconds, fault = latency and "latency" }
  local failed = self.faults:strike("error", request)
  if failed then
    effects.fault = "error"
    local rejection = response.failure(failed.status, failed.code,
      "this was asked for: a fault is set")
    rejection.headers = { ["Retry-After"] = failed.retry_after and tostring(failed.retry_after) }
    return rejection, effects
  end
  -- the work is done, and the response lost: what makes a repeated creation dangerous
  local result = respond(self, request, route, found)
  local account_id = request.path:match("^/v1/accounts/([^/]+)/earnings/search$")
  local account = account_id and self.store.account:get(account_id)
  if account then
    self.faults:shift_earnings(account, request)
  end
  for _, kind in ipairs { "drop", "cut" } do
    if self.faults:strike(kind, request) then
      effects.fault, effects[kind] = kind, true
    end
  end
  return result, effects
end

-- As behind a gateway, the key is checked before the path.
local function respond_to_api(self, request, route, found)
  local result, effects
  local headers = {}
  if not (route and route.public) then
    result, headers = admit(self, request.headers)
  end
  if not result and #self.faults.list > 0 then
    result, effects = respond_with_faults(self, request, route, found)
  end
  return result or respond(self, request, route, found), headers, effects
end

local function keep(self, request, status, headers, body, effects)
  self.requests:keep({
    request_id = headers["X-Request-Id"],
    at = self.clock(),
    method = request.method,
    path = request.path,
    query = request.query,
    status = status,
    fault = effects and effects.fault,
    request_headers = request.headers,
    request_body = request.body,
    response_headers = headers,
    response_body = body,
  })
  self:touch("requests")
end

--- Responds to a request.
-- @tparam table request `method`, `path`, `query` (or nil), `headers` (by lower-case name),
-- `body` ("" if there is none); `final`: no response is held back any more
-- @treturn integer the HTTP status
-- @treturn table the headers, by name
-- @treturn string the body; for HEAD that of GET, not to be sent
-- @treturn ?table what is to be done with the response: `hold` (ask again when `revision` has
-- grown, or after some time with `final`), `delay` (seconds), `drop` (close instead), `cut`
-- (close after half of the body)
function sandbox:handle(request)
  local route, found = self.router:match(request.method, request.path)
  local is_api = request.path:sub(1, 4) == "/v1/"
  local result, effects
  local headers = {}
  if is_api then
    result, headers, effects = respond_to_api(self, request, route, found)
  else
    result = origin_check(request) or respond(self, request, route, found)
    effects = result.hold and { hold = true } or nil
  end
  headers["Content-Type"] = "application/json"
  for name, value in pairs(result.headers or {}) do
    headers[name] = value
  end
  headers["X-Request-Id"] = self.store:stream("requests"):uuid()
  if is_api then
    keep(self, request, result.status, headers, result.body, effects)
  end
  return result.status, headers, result.body, effects
end

--- Writes what has changed since the last time into the journal, if there is one.
-- @treturn ?string why that failed; it is tried again the next time
function sandbox:flush()
  return self.journal and self.journal:flush()
end

--- Takes the next webhook delivery that is due; it is in flight until @{delivered}. Logins whose
-- time is over end here.
-- @treturn ?table `url`, `headers`, `body`, `webhook_id`, `action`, `attempt`
-- @treturn ?number without one: seconds until something is due, nil if nothing is
function sandbox:next_delivery()
  local login_id, next_login = self.timers:take()
  while login_id do
    login_flow.finish(self, login_id)
    login_id, next_login = self.timers:take()
  end
  local delivery, next_delivery = self.deliveries:next()
  if delivery then
    return delivery
  end
  return nil, next_login and next_delivery and math.min(next_login, next_delivery)
    or next_login or next_delivery
end

--- Records the outcome of a delivery. Raises if it is not in flight.
-- @tparam table delivery as it was handed out
-- @tparam table outcome `status` and `body` of the response, or `error`; `seconds` it took
-- @treturn string "done", "retry" or "gave_up"
function sandbox:delivered(delivery, outcome)
  return self.deliveries:finish(delivery, outcome)
end

--- How many deliveries are queued or in flight.
-- @treturn integer the number
function sandbox:pending_deliveries()
  return self.deliveries.pending
end

return sandbox
