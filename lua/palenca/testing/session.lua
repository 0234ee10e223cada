--- A test: a stand-in of the API and of the user's own systems, and a script whose handlers run
-- with events.
-- @classmod palenca.testing.session
local api = require("palenca.testing.api")
local api_values = require("palenca.util.api_values")
local argcheck = require("palenca.util.argcheck")
local blocking = require("palenca.runtime.blocking")
local client = require("palenca.client")
local engine = require("palenca.testing.engine")
local expectation = require("palenca.testing.expectation")
local handlers = require("palenca.handlers")
local http_response = require("palenca.testing.response")
local json = require("palenca.util.json")
local log = require("palenca.log")
local recorder = require("palenca.decision.recorder")
local run = require("palenca.testing.run")
local runtime = require("palenca.runtime")
local sandbox = require("palenca.testing.sandbox")
local script = require("palenca.testing.script")
local strict = require("palenca.strict")
local suggest = require("palenca.util.suggest")
local timers = require("palenca.timers")
local webhook = require("palenca.testing.webhook")
local worker = require("palenca.testing.worker")

local Session = {}
Session.__index = function(_, name)
  local method = Session[name]
  if method == nil then
    error(("a test has no field '%s'%s"):format(tostring(name), suggest.text(name, Session)), 2)
  end
  return method
end

local function check_colon(self, name)
  if getmetatable(self) ~= Session then
    error(("test:%s: call it with a colon, as in test:%s(...)"):format(name, name), 3)
  end
end

local session = {}

-- Of `palenca serve`, without its option.
local MAX_ATTEMPTS = 8
-- A Monday: so tests have the same times on every day.
local TIME = "2026-03-02T12:00:00Z"

local START_FIELDS = { time = "any", env = "table", sandbox = "any" }

-- ---- requests --------------------------------------------------------------------------

-- The test fails even if the script catches what is raised here. `level` 0: no line is blamed.
local function violate(self, text, level)
  local info = level > 0 and debug.getinfo(level + 1, "Sl")
  if info and info.currentline > 0 then
    text = ("%s:%d: %s"):format(info.short_src, info.currentline, text)
  end
  self.violation = self.violation or text
  error(text, 0)
end

local function decoded(text)
  return text and text ~= "" and json.decode(text) or nil
end

local function respond_to_api(self, request)
  local path, query = request.path:match("^([^?]*)%??(.*)$")
  local seen = {
    method = request.method, path = path, query = query ~= "" and query or nil,
    body = decoded(request.body), language = request.language,
  }
  strict.seal(seen, "a request to the API", { "method", "path", "query", "body", "language" })
  self.requests[#self.requests + 1] = seen
  local outcome = api.take(self.faults, seen) or api.take(self.responses, seen)
    or (self.sandbox and self.sandbox:respond(seen, request.body) or api.respond(self, seen))
  if not outcome then
    violate(self, ("palenca.testing has no response to %s %s; set one with test:respond{ path = "
      .. "'%s', data = … }"):format(seen.method, path, path), 0)
  end
  return outcome
end

local function respond_to_http(self, request)
  local seen = { method = request.method, url = request.url, headers = request.headers,
    body = request.body, json = decoded(request.body) }
  strict.seal(seen, "a request of palenca.http", { "method", "url", "headers", "body", "json" })
  self.http_requests[#self.http_requests + 1] = seen
  local outcome = api.take(self.http_responses, seen)
  if not outcome then
    violate(self, ("palenca.testing has no response to palenca.http's %s %s; set one with "
      .. "test:http{ url = '%s' }"):format(seen.method, seen.url, seen.url), 0)
  end
  return outcome
end

local function respond(self, request)
  if request.client then
    return respond_to_api(self, request)
  end
  return respond_to_http(self, request)
end

-- ---- what a test sets ------------------------------------------------------------------

--- Adds a worker who has connected an account.
-- @tparam[opt] table fields an unknown one is an error
-- @tparam ?string fields.account_id the account's id (UUID)
-- @tparam ?string fields.user_id the user's id; several accounts of one worker have the same
-- @tparam ?string fields.external_id your id of the worker
-- @tparam[opt="uber"] string fields.platform the platform
-- @tparam[opt="mx"] string fields.country the country
-- @tparam ?string fields.currency of the rows; default: that of the country
-- @tparam[opt="success"] string fields.status of the login
-- @tparam ?string fields.status_details why it ended so
-- @tparam ?string fields.warning such as `rider_account`
-- @tparam[opt=120] number fields.days so many rows of earnings, the last one of yesterday
-- @param[opt=500] fields.amount of each row; or a function that is called with a day and how many
-- days ago it is, and returns an amount, or nil for a day without a row
-- @tparam ?table fields.rows all rows instead: `earning_date`, `amount` (nil: not known),
-- `currency`, `cash_amount`, `count_trips`
-- @tparam ?table fields.trips what `accounts:events` returns
-- @tparam ?table fields.profile what of the profile is another
-- @tparam ?table fields.employment what of the employment is another
-- @tparam[opt=0] number fields.changes how often the history changes while it is read: it loses its
-- newest row before a page after the first. Three times are enough for an incomplete report
-- @treturn table `account_id`, `user_id`, `external_id`, `platform`, `country`, `status`,
-- `status_details`
function Session:worker(fields)
  check_colon(self, "worker")
  local one
  if self.sandbox then
    one = self.sandbox:worker(fields, 2)
  else
    self.last_worker = self.last_worker + 1
    one = worker.new(self.last_worker, fields, self:now(), 2)
    for _, other in ipairs(self.workers) do
      if other.account_id == one.account_id then
        error("test:worker: another worker has the account_id " .. one.account_id, 2)
      end
    end
    table.insert(self.workers, one)
  end
  local shown = worker.shown(one)
  self.is_worker[shown] = true
  return shown
end

--- Sets the response to a request to the API.
-- @tparam table fields
-- @tparam string fields.path such as `/v1/platforms`; with `*` at its end: any that begin so
-- @tparam ?string fields.method default: any
-- @param fields.data what the response holds as `data`
-- @tparam ?table fields.pagination of a search
-- @tparam[opt=200] number fields.status the HTTP status
-- @tparam ?table fields.headers name → value
-- @tparam ?string fields.body instead of the data: all of the body
-- @tparam ?string fields.kind instead of a response: `network`, `timeout` or `protocol`
-- @tparam ?string fields.message with `kind`: the error's
-- @tparam[opt=0] number fields.delay seconds until it comes
-- @tparam ?number fields.times how often; default: always
-- @tparam ?boolean fields.optional whether no request need meet it, as of one set before each test
function Session:respond(fields)
  check_colon(self, "respond")
  expectation.check("test:respond", fields, expectation.RESPONSE_FIELDS, 2)
  local body = fields.body or json.encode { success = true, data = fields.data,
    pagination = fields.pagination }
  -- the last one that is set goes first
  table.insert(self.responses, 1, expectation.new(self.expected, "test:respond", fields,
    fields.path, { status = fields.status or 200,
      headers = expectation.lower_names(fields.headers), body = body }))
end

--- Has requests to the API fail.
-- @tparam[opt] table fields
-- @tparam ?string fields.path which; with `*` at its end: any that begin so; default: all
-- @tparam ?string fields.method which; default: any
-- @tparam[opt=503] number fields.status the HTTP status
-- @tparam ?string fields.code the API's, such as `platform_unavailable`; default: one of the status
-- @tparam ?string fields.message the error's
-- @tparam ?number fields.retry_after seconds
-- @tparam ?table fields.headers name → value
-- @tparam ?string fields.body instead: all of the body
-- @tparam ?string fields.kind instead of a response: `network`, `timeout` or `protocol`
-- @tparam[opt=0] number fields.delay seconds until it comes
-- @tparam ?number fields.times how often; default: always
-- @tparam ?boolean fields.optional whether no request need meet it, as of one set before each test
function Session:fault(fields)
  check_colon(self, "fault")
  fields = fields or {}
  expectation.check("test:fault", fields, expectation.FAULT_FIELDS, 2)
  local status = fields.status or 503
  local outcome = http_response.failure(status, fields.code or api_values.code_of(status),
    fields.message, fields.retry_after)
  outcome.body = fields.body or outcome.body
  for name, value in pairs(expectation.lower_names(fields.headers)) do
    outcome.headers = expectation.lower_names(outcome.headers)
    outcome.headers[name] = value
  end
  table.insert(self.faults, 1, expectation.new(self.expected, "test:fault", fields, fields.path,
    outcome))
end

--- Takes what @{Session:fault} has set away.
function Session:heal()
  check_colon(self, "heal")
  self.faults = {}
end

--- Sets the response to a request of `palenca.http`. One without a response fails the test.
-- @tparam table fields
-- @tparam string fields.url all of it; with `*` at its end: any that begin so
-- @tparam ?string fields.method default: any
-- @tparam[opt=200] number fields.status the HTTP status
-- @tparam ?table fields.headers name → value
-- @tparam ?string fields.body
-- @param fields.json the body, sent as JSON
-- @tparam ?string fields.kind instead of a response: `network`, `timeout` or `protocol`
-- @tparam ?string fields.message with `kind`: the error's
-- @tparam[opt=0] number fields.delay seconds until it comes
-- @tparam ?number fields.times how often; default: always
-- @tparam ?boolean fields.optional whether no request need meet it, as of one set before each test
function Session:http(fields)
  check_colon(self, "http")
  expectation.check("test:http", fields, expectation.HTTP_FIELDS, 2)
  table.insert(self.http_responses, 1, expectation.new(self.expected, "test:http", fields,
    fields.url, {
      status = fields.status or 200,
      headers = expectation.lower_names(fields.headers),
      body = fields.body or fields.json ~= nil and json.encode(fields.json) or "",
    }))
end

-- ---- time ------------------------------------------------------------------------------

--- The time of the test, in Unix seconds. It goes on only while the script waits.
-- @treturn number
function Session:now()
  check_colon(self, "now")
  return self.engine:unix_time()
end

--- Lets time pass.
-- @tparam number seconds from 0
function Session:advance(seconds)
  check_colon(self, "advance")
  argcheck.value("test:advance: seconds", seconds, "seconds", 2)
  self.engine.time = self.engine.time + seconds
end

-- ---- the script ------------------------------------------------------------------------

-- An action may be undocumented; but a handler of one that is like a documented one never runs.
local function check_handlers(what, level)
  for _, action in ipairs(handlers.actions()) do
    local meant = not api_values.handled[action] and suggest.nearest(action, api_values.handled)
    if meant then
      error(("%s: the script has a handler for '%s', which is no documented action; did you mean "
        .. "'%s'?"):format(what, action, meant), level + 1)
    end
  end
end

--- Loads a script, which registers its handlers and timers. What stands beside it can be required
-- by it.
-- @tparam string path the file
-- @param ... its arguments
-- @treturn table as from @{Session:event}; raises if the script does, or handles an action whose
-- name is a mistyped one
function Session:load(path, ...)
  check_colon(self, "load")
  local loaded = run.script(self, path, false, ...)
  if not loaded.ok then
    error(tostring(loaded.error), 2)
  end
  check_handlers("test:load", 2)
  return loaded
end

--- Runs a script, as `palenca run` does.
-- @tparam string path the file
-- @param ... its arguments
-- @treturn table as from @{Session:event}; and `exit`, the status that the script has ended with by
-- `os.exit`
function Session:run(path, ...)
  check_colon(self, "run")
  return run.script(self, path, true, ...)
end

--- Runs the script's handlers with an event, as `palenca serve` does.
-- @tparam string action such as `login.success`
-- @tparam[opt] table subject a worker of @{Session:worker}, or fields of the event: `account_id`,
-- `user_id`, `external_id`, `platform`, `status_details`, `webhook_id`
-- @tparam[opt] table more these fields again, which have priority; and `id`, `attempt`, `replay`,
-- `received_at` (Unix seconds), `body` (all of the webhook's body), `traceparent`, `request_id`
-- @treturn table what came of it: `ok`; `error`, what a handler raised; `event`; `handlers`, how
-- many fit, 0 if the script does not handle such an event; `decision`, what was recorded:
-- `verdict`, `rule`, `request`, `as_of`, `income`, `rows`; `printed` and `logged`, lists of lines
-- and entries; `requests` and `http`, those that were sent; `seconds` that it took
function Session:event(action, subject, more)
  check_colon(self, "event")
  subject, more = subject or {}, more or {}
  webhook.check("test:event", action, subject, more, webhook.EVENT_FIELDS, 2)
  if not self.is_worker[subject] then
    argcheck.fields("test:event", subject, webhook.EVENT_FIELDS, 2)
  end
  if #handlers.actions() == 0 then
    error("test:event: no script with a handler was loaded; call test:load(path) first", 2)
  end
  check_handlers("test:event", 2)
  local made, problem = run.event(self, webhook.new(self, action, subject, more, 1))
  return made or error("test:event: " .. problem, 2)
end

--- Runs the script's functions of `palenca.on_dead`, as `palenca serve` does when an event becomes
-- a dead letter. Raises if the script has none.
-- @tparam string action such as `login.success`
-- @tparam[opt] table subject as for @{Session:event}
-- @tparam[opt] table more as for @{Session:event}, where `attempt` is how often it was tried
-- (default: 8); and `error` (what a handler has raised, such as a run's `error`, or a text) and
-- `call` (default: 1), of which the function's second argument is made
-- @treturn table as from @{Session:event}
function Session:dead(action, subject, more)
  check_colon(self, "dead")
  subject, more = subject or {}, more or {}
  webhook.check("test:dead", action, subject, more, webhook.DEAD_FIELDS, 2)
  if not self.is_worker[subject] then
    argcheck.fields("test:dead", subject, webhook.DEAD_FIELDS, 2)
  end
  local entries = handlers.for_dead()
  if #entries == 0 then
    error("test:dead: no script with palenca.on_dead was loaded; call test:load(path) first", 2)
  end
  local body, lease = webhook.new(self, action, subject, more, MAX_ATTEMPTS)
  local made, problem = run.dead(self, entries, body, lease, {
    error = more.error == nil and "the handler has failed" or more.error, call = more.call or 1,
  })
  return made or error("test:dead: " .. problem, 2)
end

--- Runs a timer of the script once.
-- @tparam string name as it was registered, or such as `every 60 s`
-- @treturn table as from @{Session:event}
function Session:timer(name)
  check_colon(self, "timer")
  local timer = timers.find(name)
  if not timer then
    local known = timers.descriptions()
    error(("test:timer: the script has no timer '%s' (it has: %s)"):format(tostring(name),
      #known > 0 and table.concat(known, ", ") or "none"), 2)
  end
  return run.code(self, timer.body)
end

--- Calls a function as a part of the script, at the time and with the environment of the test.
-- @tparam function body
-- @param ... its arguments
-- @treturn table as from @{Session:event}; and `returned`, a list of what it has returned
function Session:call(body, ...)
  check_colon(self, "call")
  argcheck.value("test:call: body", body, "function", 2)
  return run.code(self, body, ...)
end

-- ---- begin and end ---------------------------------------------------------------------

--- Ends the test: the module is as it was before. Raises if something that is not there was read,
-- even if the script has caught that; and if no request has met a fault or a response of the test.
function Session:stop()
  check_colon(self, "stop")
  if self.is_stopped then
    return
  end
  self.is_stopped = true
  session.current = nil
  for at = #self.undo, 1, -1 do
    self.undo[at]()
  end
  local problem = self.violation or expectation.unmet(self.expected)
  if problem then
    error(problem, 0)
  end
end

local function unix_time(value, level)
  if type(value) == "number" and value >= 0 then
    return value
  end
  local seconds = type(value) == "string" and run.parse_time(value)
  if not seconds then
    error("palenca.testing.start: time must be Unix seconds or a time such as '" .. TIME
      .. "', got " .. tostring(value), level + 1)
  end
  return seconds
end

local function begin(self)
  local function later(undo)
    self.undo[#self.undo + 1] = undo
  end
  local before = runtime.use(blocking.new(self.engine, function()
    return self.engine:now()
  end))
  later(function() runtime.use(before) end)
  local defaults = client.set_defaults { api_key = "testing" }
  later(function() client.set_defaults(defaults) end)
  local registered, timed = handlers.exchange(), timers.exchange()
  later(function()
    handlers.exchange(registered)
    timers.exchange(timed)
  end)
  local writer = log.use_writer(function(line)
    table.insert(self.log_lines, json.decode(line))
  end)
  later(function() log.use_writer(writer) end)
  local record = recorder.current()
  recorder.use(function(...) return run.record(self, ...) end)
  later(function() recorder.use(record) end)
  later(strict.begin(self.report, function(err)
    self.last_failure = err
  end))
  self.script = script.new()
  later(function() script.close(self.script) end)
end

--- Starts a test; see @{palenca.testing.start}.
function session.start(options)
  options = argcheck.fields("palenca.testing.start", options, START_FIELDS, 3)
  if session.current then
    pcall(session.current.stop, session.current)
    error("palenca.testing.start: the test before was not stopped: call test:stop(), as in "
      .. "after_each", 3)
  end
  local self = {
    env = options.env or {}, is_worker = setmetatable({}, { __mode = "k" }), undo = {},
    workers = {}, users = {}, faults = {}, responses = {}, http_responses = {},
    requests = {}, http_requests = {}, log_lines = {}, last_event = 0, last_worker = 0,
    expected = {},
    is_stopped = false, created_users = 0, violation = false, sandbox = false, running = false,
    current_event = false, recorded = false, last_failure = false,
  }
  -- called by what a script's reading of a field calls
  self.report = function(text, level) violate(self, text, level + 1) end
  self.engine = engine.new(unix_time(options.time or TIME, 3), function(request)
    return respond(self, request)
  end)
  if options.sandbox then
    self.sandbox = sandbox.new(self, options.sandbox, 3)
  end
  setmetatable(self, Session)
  begin(self)
  session.current = self
  return self
end

return session
