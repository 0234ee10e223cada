--- The sandbox on its thread: responds to HTTP requests and delivers webhooks.
-- @module palenca.host.sandbox_server
local calls = require("palenca.runtime.calls")
local core = require("palenca.core")
local host = require("palenca.host")
local journal = require("palenca.sandbox.data.journal")
local json = require("palenca.util.json")
local program_log = require("palenca.host.program_log")
local sandbox = require("palenca.sandbox")
local timer_queue = require("palenca.sandbox.delivery.timer_queue")
local user_error = require("palenca.host.user_error")

local MAX_BODY = 1024 * 1024
local IDLE = 60
-- Seconds that the vendor waits for a receiver's response.
local DELIVERY_TIMEOUT = 30
-- Seconds to hold a page's request for changes; shorter than the timeouts of proxies and browsers.
local HOLD = 20

local function submit(own, delivery)
  local ok, call = pcall(own.submit, own, {
    method = "POST",
    url = delivery.url:gsub("^%a+", string.lower),
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

local function log_delivery(self, delivery, outcome, result)
  local again = outcome == "retry"
    and string.format(", next attempt in %g s", self.sandbox.settings.retry_delay)
  program_log.line(
    string.format(
      "%s  webhook %-16s to %s: %s%s",
      os.date("%H:%M:%S"),
      delivery.action,
      shown(delivery.url),
      result.status and "response " .. result.status or result.error,
      again or outcome == "gave_up" and ", no more attempts" or ""
    ),
    {
      event = "delivery",
      delivery_id = delivery.delivery_id,
      action = delivery.action,
      url = shown(delivery.url),
      attempt = delivery.attempt,
      status = result.status,
      error = result.error,
      outcome = outcome,
    }
  )
end

local function ended(self, delivery, started, result)
  result.seconds = core.steady_time() - started
  log_delivery(self, delivery, self.sandbox:delivered(delivery, result), result)
end

-- Sends every delivery that is due; returns the seconds until the next one is.
local function deliver(self)
  local delivery, wait = self.sandbox:next_delivery()
  while delivery do
    local started = core.steady_time()
    local call, problem = submit(self.own, delivery)
    if call then
      call.delivery, call.started = delivery, started
    else
      ended(self, delivery, started, { error = tostring(problem) })
    end
    delivery, wait = self.sandbox:next_delivery()
  end
  return wait
end

local function on_done(self)
  return function(call)
    local result = call.result
    if result.kind then
      ended(self, call.delivery, call.started, { error = result.message })
    else
      ended(self, call.delivery, call.started, { status = result.status, body = result.body })
    end
  end
end

-- A failure is logged once when it starts and once when it is over.
local function save(self)
  local problem = self.sandbox:flush()
  if problem and not self.unsaved then
    program_log.line("palenca: the state is not saved: " .. problem,
      { event = "state", level = "error", saved = false, error = problem })
  elseif self.unsaved and not problem then
    program_log.line("palenca: the state is saved again", { event = "state", saved = true })
  end
  self.unsaved = problem ~= nil
end

local function release(self, held)
  if held.effects.drop then
    self.http:abort(held.token)
  elseif held.effects.cut then
    self.http:respond_truncated(held.token, held.status, held.headers, held.body)
  else
    self.http:respond(held.token, held.status, held.headers, held.body)
  end
end

local function release_due(self)
  local held, wait = self.later:take()
  while held do
    release(self, held)
    held, wait = self.later:take()
  end
  return wait
end

-- Responds to held requests when there are changes, or when HOLD is over.
local function release_waiting(self)
  local now, instance = core.steady_time(), self.sandbox
  local news = instance.revision ~= self.seen_revision
  self.seen_revision = instance.revision
  local kept, wait = {}, nil
  for _, request in ipairs(self.waiting) do
    if news or now >= request.deadline then
      request.final = now >= request.deadline
      local status, headers, body, effects = instance:handle(request)
      if not effects then
        self.http:respond(request.token, status, headers, body)
        request = nil
      end
    end
    if request then
      kept[#kept + 1] = request
      wait = math.min(wait or HOLD, math.max(0, request.deadline - now))
    end
  end
  self.waiting = kept
  return wait
end

local function responder(self)
  return function(request)
    local status, headers, body, effects = self.sandbox:handle(request)
    save(self)
    if not effects or not (effects.hold or effects.delay or effects.drop or effects.cut) then
      return status, headers, body
    elseif effects.hold then
      request.deadline = core.steady_time() + HOLD
      table.insert(self.waiting, request)
    else
      self.later:add(core.steady_time() + (effects.delay or 0), {
        token = request.token, status = status, headers = headers, body = body, effects = effects,
      })
    end
    return nil
  end
end

local function min_of(...)
  local found = IDLE
  for at = 1, select("#", ...) do
    found = math.min(found, (select(at, ...)) or IDLE)
  end
  return math.max(found, 0)
end

local function serve(self)
  local respond, done = responder(self), on_done(self)
  while true do
    -- cleared before the requests are read: one that comes in between makes it readable again
    host.own_thread.clear_fd()
    if host.own_thread.requested() ~= "run" then
      break
    end
    local due = deliver(self)
    save(self)
    local wait = min_of(due, release_due(self), release_waiting(self), self.http:timeout())
    self.own:step(wait, done, self.http:fd(), host.own_thread.fd())
    self.http:run(respond)
  end
  save(self)
end

-- The lock has the name of the file itself, whatever links lead to it.
local function open_state(data)
  local lock
  local path, problem = host.data_file(data)
  if path then
    lock, problem = host.lock(path .. "-lock")
  end
  if not lock then
    user_error("the state cannot be kept: %s (see --data)", problem)
  end
  local ok, book, entries, skipped = pcall(journal.open, path, host.replace_file)
  if not ok then
    user_error("the state cannot be kept: %s (see --data)", book)
  end
  if skipped > 0 then
    program_log.line(string.format("palenca: %s: skipped %d truncated line%s", path, skipped,
      skipped == 1 and "" or "s"), { event = "state", level = "warning", skipped = skipped })
  end
  return lock, book, entries
end

-- The key of an earlier run stays valid, so that the settings of scripts do.
local function find_key(options, book, entries)
  local key = options.api_key
  for _, entry in ipairs(entries or {}) do
    if entry.kind == "meta" and entry.id == "key" then
      key = key or entry.record.api_key
    end
  end
  key = key or "sandbox_" .. host.random_hex(16)
  if book then
    book:record("meta", "key", { api_key = key })
  end
  return key
end

local function make_sandbox(options)
  local lock, book, entries
  if options.data then
    lock, book, entries = open_state(options.data)
  end
  local ok, instance = pcall(sandbox.new, {
    api_key = find_key(options, book, entries),
    seed = options.seed,
    accounts = options.accounts,
    history = options.history,
    rate_limit = options.rate_limit,
    webhook_delay = options.webhook_delay,
    retry_delay = options.retry_delay,
    clock = host.unix_time,
    assets = host.asset,
    journal = book,
    entries = entries,
  })
  if not ok then
    user_error("%s", tostring(instance))
  end
  for _, fault in ipairs(options.faults or {}) do
    instance.faults:add(fault)
  end
  return instance, lock
end

--- Runs the sandbox; the options are a JSON object: `listen`, `api_key`, `seed`, `accounts`,
-- `history`, `rate_limit`, `webhook_delay`, `retry_delay`, `data`, `faults`, `json`. It is ready
-- with a JSON object: `address`, `api_key`.
-- @tparam string text the options
return function(text)
  local options = json.decode(text)
  program_log.use_json(options.json)
  local http, problem = host.http_server({ listen = options.listen, max_body = MAX_BODY })
  if not http then
    user_error("the sandbox cannot listen: %s (see %s)", problem, options.listen_option)
  end
  local instance, lock = make_sandbox(options)
  local self = {
    sandbox = instance,
    http = http,
    own = calls.new(core.engine()),
    later = timer_queue.new(core.steady_time),
    waiting = {},
    seen_revision = instance.revision,
  }
  -- what is loaded is never freed: a full garbage collection would delay every response
  collectgarbage("generational", 2)
  host.own_thread.ready(json.encode({ address = http:address(), api_key = instance.api_key }))
  serve(self)
  http:close()
  if lock then
    instance.journal:close()
    lock:close()
  end
end
