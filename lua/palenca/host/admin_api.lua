--- The admin page: its files, and the HTTP API behind it.
-- @module palenca.host.admin_api
local admin_filter = require("palenca.host.admin_filter")
local admin_guard = require("palenca.host.admin_guard")
local attempt_log = require("palenca.host.attempt_log")
local core = require("palenca.core")
local host = require("palenca.host")
local json = require("palenca.util.json")
local masking = require("palenca.host.masking")
local program_log = require("palenca.host.program_log")
local redact = require("palenca.util.redact")

local AdminApi = {}
AdminApi.__index = AdminApi

local admin_api = {}

-- Seconds within which a search has to respond, with what it has found until then.
local SEARCH_TIME = 0.24
-- Seconds for which counts are shown again, at least, and as a multiple of what counting took.
local COUNTS_MIN, COUNTS_FACTOR = 0.5, 30

-- Of an event: the latest attempts that are shown, and the bytes of all their lines together.
local ATTEMPTS_MAX, LINES_SIZE_MAX = 100, 1024 * 1024

local FOLDER = "admin_page/"
-- What the page has in common with those of the sandbox.
local SHARED = { ["dom.js"] = true, ["icon.svg"] = true, ["parts.css"] = true,
  ["parts.js"] = true, ["theme.css"] = true }
local TYPES = {
  html = "text/html; charset=utf-8",
  css = "text/css; charset=utf-8",
  js = "text/javascript; charset=utf-8",
  svg = "image/svg+xml",
}
local PAGE_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
  .. "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
local API_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; "
  .. "frame-ancestors 'none'"

local function headers_of(kind, policy, cache)
  return {
    ["Content-Type"] = kind,
    ["Content-Security-Policy"] = policy,
    ["X-Content-Type-Options"] = "nosniff",
    ["Referrer-Policy"] = "no-referrer",
    ["Cross-Origin-Opener-Policy"] = "same-origin",
    ["Cross-Origin-Resource-Policy"] = "same-origin",
    ["Cache-Control"] = cache,
  }
end

local function respond(status, value)
  return status, headers_of("application/json", API_POLICY, "no-store"),
    redact.escape_json(json.encode(value)) .. "\n"
end

local function fail(status, reason)
  return respond(status, { error = reason })
end

-- ---- what is shown -----------------------------------------------------------------------

local function ms(seconds)
  return seconds and math.floor(seconds * 1000 + 0.5) or json.null
end

local function event_object(event)
  return {
    id = event.id,
    action = redact.name(event.action),
    account_id = redact.name(event.account_id) or json.null,
    platform = redact.name(event.platform) or json.null,
    state = event.state,
    attempts = event.attempts,
    replays = event.replays,
    received_at = ms(event.received_at),
    due_at = ms(event.due_at),
    finished_at = ms(event.finished_at),
    error = event.error or json.null,
  }
end

-- What cannot be read is not shown: nobody knows what is in it.
local function masked_body(body)
  local ok, value = pcall(json.decode, body)
  local encoded
  if ok and value ~= nil then
    ok, encoded = pcall(json.canonical, masking.personal(value))
  end
  return ok and encoded or json.null
end

local function attempt_object(attempt, has_lines)
  local lines, left_out = attempt.lines, attempt.lines_left_out
  if lines and not has_lines then
    left_out = left_out + 1 + select(2, lines:gsub("\n", ""))
    lines = nil
  end
  return {
    replay = attempt.replay,
    attempt = attempt.attempt,
    started_at = ms(attempt.started_at),
    duration_ms = ms(attempt.seconds),
    outcome = attempt.outcome,
    error = attempt.error or json.null,
    lines = attempt_log.list(lines and redact.identity(lines)),
    lines_left_out = left_out,
  }
end

-- Raises with the reason.
local function check(result, problem)
  if result == nil then
    error({ problem = problem }, 0)
  end
  return result
end

-- The same of what is done in steps: with what those before a failure have done.
local function check_steps(describe, result, problem, done)
  return check(result, result == nil and problem .. "; until then: " .. describe(done) or nil)
end

local function find(self, id)
  local found
  check(host.events.show(self.db, id, function(event)
    found = event
  end))
  return found
end

-- ---- GET -----------------------------------------------------------------------------------

local function search(self, request)
  local filter, events = admin_filter.of_query(request.query), {}
  filter.timeout = SEARCH_TIME
  local ok, next_id = host.events.list(self.db, filter, function(event)
    events[#events + 1] = event_object(event)
  end)
  check(ok, next_id)
  return respond(200, { events = json.array(events), next = next_id or json.null })
end

-- The latest ones have their lines as long as there is room.
local function latest_attempts(self, id)
  local attempts, room = {}, LINES_SIZE_MAX
  local ok, left_out = host.events.attempts(self.db, id, function(attempt)
    attempts[#attempts + 1] = attempt
  end, ATTEMPTS_MAX)
  check(ok, left_out)
  for at = #attempts, 1, -1 do
    room = room - #(attempts[at].lines or "")
    attempts[at] = attempt_object(attempts[at], room >= 0)
  end
  return json.array(attempts), left_out
end

local function show(self, _, text)
  local id = admin_filter.id("id", text)
  local found = find(self, id)
  if not found then
    return fail(404, "there is no such event")
  end
  local event = event_object(found)
  local attempts, left_out = latest_attempts(self, id)
  event.traceparent = found.traceparent or json.null
  event.request_id = found.request_id or json.null
  event.body_size = #found.body
  event.body = masked_body(found.body)
  return respond(200, { event = event, attempts = attempts, attempts_left_out = left_out })
end

-- Counted anew only after a time: many pages may be open.
local function count_states(self)
  local now = core.steady_time()
  if not self.counts or now >= self.counts_until then
    self.counts = check(host.events.count_states(self.db))
    local took = core.steady_time() - now
    self.counts_until = now + math.max(COUNTS_MIN, took * COUNTS_FACTOR)
  end
  return self.counts
end

local function stats(self)
  local reasons = host.metrics.problems()
  return respond(200, {
    states = count_states(self),
    oldest_unfinished_at = ms(host.metrics.oldest()),
    ready = #reasons == 0,
    reasons = json.array(reasons),
    version = core.version,
    time = ms(host.unix_time()),
  })
end

local function page(_, _, name)
  name = name == "" and "index.html" or name
  local kind = TYPES[name:match("^[%w_-]+%.(%l+)$") or ""]
  local text = kind and host.asset(SHARED[name] and name or FOLDER .. name)
  if not text then
    return fail(404, "not found")
  end
  return 200, headers_of(kind, PAGE_POLICY, "no-cache"), text
end

-- ---- POST ----------------------------------------------------------------------------------

-- Who it was, and what has become of it.
local function audit(request, action, what, result)
  what = redact.identity(what)
  program_log.line(string.format("palenca: admin page: %s of %s by %s: %s", action, what,
    request.peer, result), { event = "admin_action", action = action, peer = request.peer,
    what = what, result = result })
end

-- Does it, and leaves a line in any case.
local function audited(request, action, what, work, describe)
  local ok, result = pcall(work)
  audit(request, action, what, ok and describe(result) or "failed: "
    .. tostring(type(result) == "table" and (result.problem or result.invalid) or result))
  if not ok then
    error(result, 0)
  end
  return result
end

-- Whether there is a null beside the strings: what is decoded lacks it, as if it were not there.
local function has_null(text)
  return text:gsub("\\.", ""):gsub('"[^"]*"', ""):find("null", 1, true) ~= nil
end

local function read_object(request, known)
  local ok, value = pcall(json.decode, request.body)
  if not ok or type(value) ~= "table" or json.is_array(value) or has_null(request.body) then
    error({ invalid = "the body must be a JSON object, without null" }, 0)
  end
  for name in pairs(value) do
    if not known[name] then
      error({ invalid = ("'%s' is not known"):format(tostring(name)) }, 0)
    end
  end
  return value
end

local function show_body(self, request, text)
  local id = admin_filter.id("id", text)
  read_object(request, {})
  local found = audited(request, "show_body", ("event %d"):format(id), function()
    return find(self, id) or false
  end, function(event)
    return event and "shown" or "there is none"
  end)
  if not found then
    return fail(404, "there is no such event")
  end
  return respond(200, { body = redact.bytes(found.body) })
end

local function replay_one(self, request, value)
  local id = admin_filter.id("id", value)
  local result = audited(request, "replay", ("event %d"):format(id), function()
    return check(host.events.replay(self.db, id))
  end, function(result)
    return result
  end)
  if result == "not_found" then
    return fail(404, "there is no such event")
  end
  local replayed = result == "replayed" and 1 or 0
  return respond(200, { replayed = replayed, left_out = 1 - replayed })
end

local function describe_replay(result)
  return ("%d run again, %d left out"):format(result.replayed, result.left_out)
end

local function replay(self, request)
  local asked = read_object(request, { id = true, filter = true })
  if (asked.id == nil) == (asked.filter == nil) then
    error({ invalid = "either 'id' or 'filter' must be there" }, 0)
  elseif asked.id ~= nil then
    return replay_one(self, request, asked.id)
  end
  local filter = admin_filter.of_json(asked.filter)
  return respond(200, audited(request, "replay", admin_filter.describe(filter), function()
    return check_steps(describe_replay, host.events.replay_matching(self.db, filter))
  end, describe_replay))
end

local function describe_purge(result)
  return ("deleted %d events"):format(result.events)
end

local function describe_dry_run(result)
  return ("%d events match"):format(result.events)
end

local function purge(self, request)
  local asked = read_object(request, { filter = true, dry_run = true })
  local filter = admin_filter.of_json(asked.filter)
  if asked.dry_run ~= nil and type(asked.dry_run) ~= "boolean" then
    error({ invalid = "'dry_run' must be true or false" }, 0)
  end
  local function work()
    return check_steps(asked.dry_run and describe_dry_run or describe_purge,
      host.events.purge_matching(self.db, filter, asked.dry_run))
  end
  local purged = asked.dry_run and work()
    or audited(request, "purge", admin_filter.describe(filter), work, describe_purge)
  return respond(200, { events = purged.events, bytes = purged.bytes, kept = purged.kept })
end

-- ---- requests ------------------------------------------------------------------------------

-- The first that fits; what a pattern captures is passed on.
local ROUTES = {
  { "GET", "^/api/events$", search },
  { "GET", "^/api/events/([^/]+)$", show },
  { "GET", "^/api/stats$", stats },
  { "POST", "^/api/events/([^/]+)/body$", show_body },
  { "POST", "^/api/replay$", replay },
  { "POST", "^/api/purge$", purge },
  { "GET", "^/([^/]*)$", page },
}

local function find_route(request)
  local allowed
  for _, route in ipairs(ROUTES) do
    local captured = request.path:match(route[2])
    if captured and route[1] == request.method then
      return route[3], captured
    end
    allowed = captured and route[1] or allowed
  end
  return nil, allowed
end

-- While the database is being opened or closed, a command would have it to itself.
local function is_between(request)
  for _, problem in ipairs(request.method == "POST" and host.metrics.problems() or {}) do
    if problem.reason == "starting" or problem.reason == "draining" then
      return true
    end
  end
  return false
end

local function handle(self, request)
  local status, reason = admin_guard.check(request)
  if status then
    return fail(status, reason)
  end
  local route, captured = find_route(request)
  if not route then
    local code, headers, body = fail(captured and 405 or 404,
      captured and "only " .. captured .. " is known here" or "not found")
    headers.Allow = captured
    return code, headers, body
  elseif is_between(request) then
    return fail(503, "the program starts, or ends")
  end
  return route(self, request, captured)
end

--- Responds to a request.
-- @tparam table request `method, path, query, headers, body, peer`
-- @treturn integer the status
-- @treturn table headers
-- @treturn string the body
function AdminApi:handle(request)
  local results = table.pack(pcall(handle, self, request))
  if results[1] then
    return table.unpack(results, 2, results.n)
  end
  local problem = results[2]
  if type(problem) == "table" and problem.invalid then
    return fail(400, problem.invalid)
  elseif type(problem) == "table" and problem.problem then
    return fail(503, problem.problem)
  end
  error(problem, 0)
end

--- Makes what responds to requests.
-- @tparam string db the database
-- @treturn AdminApi
function admin_api.new(db)
  return setmetatable({ db = db }, AdminApi)
end

return admin_api
